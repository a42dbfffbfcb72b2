"""Pretrained networks as parts of a larger one; imported only when that is trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from features.block import TrainableNetwork, Unfreeze
from features.machine.threads import ordered
from features.networks.building import build
from features.networks.inputs import CPU_PIXELS, network_inputs, scale_and_shift
from features.networks.last_layers import PretrainedNetwork, taken_apart, unfreeze_layers
from features.networks.pretrained import Pretrained
from features.pictures.augmentation import Augment
from features.pictures.preparation import PixelArray
from features.training.torch_state import generator_from_torch

TEXTS_AT_ONCE = 64  # texts whose vectors are computed at once where nothing is learned


class Pictures(PretrainedNetwork):
    """Pooled features (b, d) of prepared pictures, uint8 (b, size, size, 3).

    Parameters
    ----------
    net : without its classification head, in evaluation mode.
    augment : how a picture is changed while the network trains: anew at every step.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, net: nn.Module, chosen: Pretrained, augment: Augment | None) -> None:
        super().__init__()
        self.net, self.augment, self.preparation = net, augment, chosen.preparation
        scale, shift = scale_and_shift(self.preparation)
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)

    def forward(self, pixels: Tensor) -> Tensor:
        """See features.encoder.TrainableNetwork."""
        if self.training:
            return self._features(
                pixels if self.augment is None else self._augmented(pixels, self.augment)
            )
        return torch.cat([self._features(part) for part in torch.split(pixels, self._at_once)])

    @property
    def _at_once(self) -> int:
        return max(1, CPU_PIXELS // self.preparation.size**2)

    def _features(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.net(
            network_inputs(pixels.to(self.scale.device), self.scale, self.shift)
        )
        return features

    def _augmented(self, pixels: Tensor, augment: Augment) -> Tensor:
        """One augmented copy of each picture, made by threads, whose order does not matter.

        Each picture has a random generator of its own.
        """
        generators = generator_from_torch().spawn(len(pixels))

        def augmented(row: int) -> PixelArray:
            picture = augment.augmented(Image.fromarray(pixels[row].numpy()), generators[row])
            side = self.preparation.size
            return np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))

        return torch.from_numpy(np.stack(list(ordered(augmented, range(len(pixels))))))


def picture_network(
    chosen: Pretrained, augment: Augment | None, unfreeze: Unfreeze
) -> TrainableNetwork:
    """A picture network without its classifier, its last quarter of layers or all to be trained."""
    net = build(chosen).eval()
    _, _, width, layers = taken_apart(net, chosen)
    unfreeze_layers(net, layers, unfreeze)
    return TrainableNetwork(
        Pictures(net, chosen, augment).to(memory_format=torch.channels_last), width, True
    )


class Texts(PretrainedNetwork):
    """Sentence vectors (b, d) of texts' token numbers, int32 (b, t), -1 behind a text's end.

    Parameters
    ----------
    net : a SentenceTransformer, in evaluation mode.
    normalise : whether vectors are scaled to unit length.
    """

    def __init__(self, net: nn.Module, normalise: bool) -> None:
        super().__init__()
        self.net, self.normalise = net, normalise

    def forward(self, numbers: Tensor) -> Tensor:
        """See features.encoder.TrainableNetwork."""
        if self.training:
            return self._vectors(numbers)
        return torch.cat([self._vectors(part) for part in torch.split(numbers, TEXTS_AT_ONCE)])

    def _vectors(self, numbers: Tensor) -> Tensor:
        # Cut to the longest of these texts: what others are padded to costs no time and changes no
        # rounding.
        numbers = numbers[:, :max(int((numbers >= 0).sum(dim=1).max()), 1)].long()
        where = next(self.net.parameters()).device
        outputs: Any = self.net({"input_ids": numbers.clamp(min=0).to(where),
                                 "attention_mask": (numbers >= 0).long().to(where)})
        vectors: Tensor = outputs["sentence_embedding"]
        return nn.functional.normalize(vectors, dim=1) if self.normalise else vectors


def text_network(net: nn.Module, normalise: bool, unfreeze: Unfreeze) -> TrainableNetwork:
    """A sentence transformer, the last quarter of its blocks or all of it to be trained.

    Raises
    ------
    ValueError
        Where the network has no list of blocks.
    """
    stacks = [list(module) for module in net.modules() if isinstance(module, nn.ModuleList)]
    if not stacks:
        raise ValueError(
            "the text model is no transformer with a list of layers: "
            "it cannot be trained end to end"
        )
    unfreeze_layers(net, max(stacks, key=len), unfreeze)
    texts = Texts(net.eval(), normalise)
    with torch.no_grad():
        width = texts.eval()(torch.zeros((1, 1), dtype=torch.int32)).shape[1]
    return TrainableNetwork(texts, width, True)
