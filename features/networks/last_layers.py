"""A pretrained network whose last layers, or all, are trained on labelled pictures; imported only for that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

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
from features.training.loop import History, device, train

BATCH = 32  # pictures of one training step
LAST = 0.25  # share of the layers that `last_stage` trains


class Chosen(Sequence[bytes]):
    """Pictures in another order, each read when it is asked for."""

    def __init__(self, pictures: Sequence[bytes], places: IntArray) -> None:
        self._pictures, self._places = pictures, places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, position: Any) -> Any:
        return self._pictures[int(self._places[position])]


def tuned(
    chosen: Pretrained,
    pictures: Sequence[bytes],
    targets: Targets,
    how: Finetune,
    views: int,
    seed: int,
) -> tuple[nn.Module, History]:
    """The network with its last quarter of layers, or all, trained on n pictures; its own classifier is put back.

    Parameters
    ----------
    pictures : n, or n (1 + views) with augmented views behind them: each epoch takes the next view
        of each.

    Raises
    ------
    FloatingPointError
        Where the training diverges.
    """
    net = build(chosen).eval()
    with torch.random.fork_rng([device()] if device().type == "cuda" else []):
        torch.manual_seed(seed)
        place, own, width, layers = taken_apart(net, chosen)
        unfreeze_layers(net, layers, "all" if how.unfreeze == "all" else "last_stage")
        classifier = nn.Linear(width, int(targets.labels.max()) + 1)
        whole = nn.Sequential(net, classifier).to(device()).to(memory_format=torch.channels_last)
        groups: list[dict[str, Any]] = [
            {"params": classifier.parameters()},
            {"params": [one for one in net.parameters() if one.requires_grad]},
        ]
        inputs = _Inputs(pictures, chosen.preparation, len(targets.labels), views)
        history = train(whole, groups, inputs, targets, how.training(2, BATCH, seed))
    if place is not None and own is not None:
        replace_module(net, place, own)
    return net.cpu().requires_grad_(False), history


def unfreeze_layers(net: nn.Module, layers: Sequence[nn.Module], unfreeze: Unfreeze) -> None:
    """Let the last quarter of a network's layers, in their order of use, be trained, or all of the network."""
    net.requires_grad_(unfreeze == "all")
    for layer in layers[-max(1, ceil(LAST * len(layers))):]:
        layer.requires_grad_(True)


def taken_apart(
    net: nn.Module, chosen: Pretrained
) -> tuple[str | None, nn.Module | None, int, list[nn.Module]]:
    """Name and module of the head, which is taken out; the width of what entered it; the layers, in order of use."""
    size = chosen.preparation.size
    picture = torch.from_numpy(
        np.random.default_rng(0).normal(size=(1, 3, size, size)).astype(np.float32)
    )
    head, _ = head_and_last_map(net, picture, chosen.model)
    place = (
        next((name for name, module in net.named_modules() if module is head), None)
        if head
        else None
    )
    if place is not None:
        replace_module(net, place, nn.Identity())
    layers: list[nn.Module] = []

    def used(module: nn.Module, inputs: Any) -> None:
        if module not in layers and next(module.parameters(recurse=False), None) is not None:
            layers.append(module)

    hooks = [module.register_forward_pre_hook(used) for module in net.modules()]
    with torch.no_grad():
        found = net(picture)
    for hook in hooks:
        hook.remove()
    if not isinstance(found, torch.Tensor) or found.dim() != 2:
        raise ValueError(
            f"finetune: what enters the classifier of {chosen.model} is no vector; name another model"
        )
    return place, head, int(found.shape[1]), layers


class _Inputs:
    """Pictures as the network's inputs; each epoch takes the next view of each."""

    def __init__(
        self, pictures: Sequence[bytes], preparation: Preparation, count: int, views: int
    ) -> None:
        self._pictures, self._preparation = pictures, preparation
        self._count, self._times = count, 1 + views
        self._device = device()
        self._scale, self._shift = scale_and_shift(preparation, self._device)

    def __call__(self, rows: IntArray, epoch: int | None) -> Iterator[tuple[Tensor, IntArray]]:
        """See training.Batches."""
        view = 0 if epoch is None else epoch % self._times
        for start, pixels in batches(
            Chosen(self._pictures, rows + view * self._count), self._preparation, BATCH
        ):
            there = torch.from_numpy(pixels).to(self._device)
            yield network_inputs(there, self._scale, self._shift), rows[start:start + len(pixels)]
