"""A pretrained network whose last layers, or all, are trained on labelled pictures.

Imported only for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from features.block import IntArray, Unfreeze
from features.encoder import Targets
from features.networks.building import build
from features.networks.feature_maps import head_and_last_map
from features.networks.finetuning import Finetune
from features.networks.inputs import network_inputs, scale_and_shift
from features.networks.modules import replace_module
from features.networks.pretrained import Pretrained
from features.pictures.preparation import Preparation, batches
from features.training.batches import Batch, TrainingSamples
from features.training.loop import ParameterGroups, train
from features.training.losses import logit_loss
from features.training.settings import History
from features.training.torch_state import device

BATCH_SIZE = 32  # pictures of one training step
LAST = 0.25  # share of the layers that `last_stage` trains


class Chosen(Sequence[bytes]):
    """Pictures in another order, each read when it is asked for."""

    def __init__(self, pictures: Sequence[bytes], positions: IntArray) -> None:
        self._pictures, self._positions = pictures, positions

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, position: Any) -> Any:
        return self._pictures[int(self._positions[position])]


class PretrainedNetwork(nn.Module):
    """A network that stays in evaluation mode.

    Batch normalisation keeps its statistics, and nothing is dropped: small training sets and
    batches would spoil statistics that come from a million pictures.
    """

    def train(self, mode: bool = True) -> Self:
        """Note whether it trains, for what it does to its inputs; inside, nothing changes."""
        self.training = mode
        return self


class _Classifying(PretrainedNetwork):
    """A pretrained network and a new classifier behind it: logits (b, K) of inputs."""

    def __init__(self, net: nn.Module, classifier: nn.Linear) -> None:
        super().__init__()
        self.net, self.classifier = net, classifier

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.net(images))
        return logits


def tuned(
    chosen: Pretrained,
    pictures: Sequence[bytes],
    targets: Targets,
    how: Finetune,
    copies: int,
    random_state: int,
) -> tuple[nn.Module, History]:
    """The network, its last quarter of layers or all trained on n pictures, with its own head.

    Parameters
    ----------
    pictures : n, or n (1 + copies) with augmented copies behind them: each epoch takes the next
        copy of each.

    Raises
    ------
    FloatingPointError
        Where the training diverges.
    """
    net = build(chosen).eval()
    head_name, head, width, layers = taken_apart(net, chosen)
    unfreeze_layers(net, layers, "all" if how.unfreeze == "all" else "last_stage")
    classes = int(targets.labels.max()) + 1

    def parameters(network: _Classifying) -> ParameterGroups:
        pretrained = [weight for weight in net.parameters() if weight.requires_grad]
        return [
            {"params": network.classifier.parameters()},
            {"params": pretrained, "lr": how.pretrained_learning_rate},
        ]

    inputs = _Inputs(pictures, chosen.preparation, len(targets.labels), copies)
    _, history = train(
        lambda: _Classifying(net, nn.Linear(width, classes)).to(memory_format=torch.channels_last),
        TrainingSamples(inputs, targets.labels, targets.groups),
        logit_loss(how.loss),
        how.training(BATCH_SIZE, random_state),
        parameters=parameters,
    )
    if head_name is not None and head is not None:
        replace_module(net, head_name, head)
    return net.requires_grad_(False), history


def unfreeze_layers(net: nn.Module, layers: Sequence[nn.Module], unfreeze: Unfreeze) -> None:
    """Let the last quarter of a network's layers, in their order of use, be trained, or all."""
    net.requires_grad_(unfreeze == "all")
    for layer in layers[-max(1, ceil(LAST * len(layers))):]:
        layer.requires_grad_(True)


def taken_apart(
    net: nn.Module, chosen: Pretrained
) -> tuple[str | None, nn.Module | None, int, list[nn.Module]]:
    """The head's name and module, the width of what entered it, and the layers in order of use.

    The head is taken out.

    Raises
    ------
    ValueError
        Where what entered it is no vector.
    """
    size = chosen.preparation.size
    picture = torch.from_numpy(
        np.random.default_rng(0).normal(size=(1, 3, size, size)).astype(np.float32)
    )
    head, _ = head_and_last_map(net, picture, chosen.model)
    names = [name for name, module in net.named_modules() if module is head]
    head_name = names[0] if names else None
    if head_name is not None:
        replace_module(net, head_name, nn.Identity())
    layers: list[nn.Module] = []

    def used(module: nn.Module, inputs: Any) -> None:
        if module not in layers and next(module.parameters(recurse=False), None) is not None:
            layers.append(module)

    hooks = [module.register_forward_pre_hook(used) for module in net.modules()]
    with torch.no_grad():
        features = net(picture)
    for hook in hooks:
        hook.remove()
    if not isinstance(features, torch.Tensor) or features.dim() != 2:
        raise ValueError(
            f"finetune: what enters the classifier of {chosen.model} is no vector; "
            "name another model"
        )
    return head_name, head, int(features.shape[1]), layers


class _Inputs:
    """Pictures as the network's inputs; each epoch takes the next augmented copy of each."""

    def __init__(
        self, pictures: Sequence[bytes], preparation: Preparation, count: int, copies: int
    ) -> None:
        self._pictures, self._preparation = pictures, preparation
        self._count, self._times = count, 1 + copies
        self._device = device()
        self._scale, self._shift = scale_and_shift(preparation, self._device)

    def __call__(self, rows: IntArray, epoch: int | None) -> Iterator[Batch]:
        """See features.training.batches.Batches."""
        copy = 0 if epoch is None else epoch % self._times
        pictures = Chosen(self._pictures, rows + copy * self._count)
        for start, prepared in batches(pictures, self._preparation, BATCH_SIZE):
            pixels = torch.from_numpy(prepared).to(self._device)
            inputs = network_inputs(pixels, self._scale, self._shift)
            yield [inputs], torch.from_numpy(rows[start : start + len(pixels)])
