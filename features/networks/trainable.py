"""Networks of pretrained encoders as parts of a larger one that is trained; imported only when one is."""

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
from features.networks.last_layers import taken_apart, unfreeze_layers
from features.networks.pretrained import Pretrained
from features.pictures.augmentation import Augment
from features.pictures.preparation import PixelArray
from features.training.loop import drawn

TEXTS_AT_ONCE = 64  # texts whose vectors are computed at once where nothing is learned


class PretrainedNetwork(nn.Module):
    """A network that stays in evaluation mode: batch normalisation keeps its statistics, and nothing is dropped.

    Small training sets and batches would spoil statistics that come from a million pictures;
    `finetune` does the same.
    """

    def train(self, mode: bool = True) -> PretrainedNetwork:
        """Note whether it trains, for what it does to its inputs; the network inside stays as it is."""
        self.training = mode
        return self


class Pictures(PretrainedNetwork):
    """Pooled features (b, d) of prepared pictures, uint8 (b, size, size, 3).

    Parameters
    ----------
    net : without its classification head, in evaluation mode.
    augment : what a picture looks like while the network trains: a new random view at every step.
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
                pixels if self.augment is None else self._viewed(pixels, self.augment)
            )
        return torch.cat([self._features(some) for some in torch.split(pixels, self._at_once)])

    @property
    def _at_once(self) -> int:
        return max(1, CPU_PIXELS // self.preparation.size**2)

    def _features(self, pixels: Tensor) -> Tensor:
        found: Tensor = self.net(
            network_inputs(pixels.to(self.scale.device), self.scale, self.shift)
        )
        return found

    def _viewed(self, pixels: Tensor, augment: Augment) -> Tensor:
        """One random view of each picture, made by threads; its own generator makes their order irrelevant."""
        generators = drawn().spawn(len(pixels))

        def view(place: int) -> PixelArray:
            picture = augment.augmented(Image.fromarray(pixels[place].numpy()), generators[place])
            side = self.preparation.size
            return np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))

        return torch.from_numpy(np.stack(list(ordered(view, range(len(pixels))))))


def picture_network(
    chosen: Pretrained, augment: Augment | None, unfreeze: Unfreeze
) -> TrainableNetwork:
    """A picture network without its classifier, its last quarter of layers or all of them to be trained."""
    net = build(chosen).eval()
    _, _, width, layers = taken_apart(net, chosen)
    unfreeze_layers(net, layers, unfreeze)
    return TrainableNetwork(
        Pictures(net, chosen, augment).to(memory_format=torch.channels_last), width, True
    )


class Texts(PretrainedNetwork):
    """Sentence vectors (b, d) of the numbers of texts' tokens, int32 (b, t), -1 behind a text's end.

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
        return torch.cat([self._vectors(some) for some in torch.split(numbers, TEXTS_AT_ONCE)])

    def _vectors(self, numbers: Tensor) -> Tensor:
        # Cut to the longest of these texts: what others are padded to costs no time and changes no
        # rounding.
        numbers = numbers[:, :max(int((numbers >= 0).sum(dim=1).max()), 1)].long()
        where = next(self.net.parameters()).device
        found: Any = self.net({"input_ids": numbers.clamp(min=0).to(where),
                               "attention_mask": (numbers >= 0).long().to(where)})
        vectors: Tensor = found["sentence_embedding"]
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
            "the text model is no transformer with a list of layers: it cannot be trained end to end"
        )
    unfreeze_layers(net, max(stacks, key=len), unfreeze)
    texts = Texts(net.eval(), normalise)
    with torch.no_grad():
        width = texts.eval()(torch.zeros((1, 1), dtype=torch.int32)).shape[1]
    return TrainableNetwork(texts, width, True)
