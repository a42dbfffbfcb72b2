"""Fine-tuning of pretrained picture networks on a fold's labelled training pictures; imports torch when it trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from features.encoder import Block, FloatArray, IntArray, Targets
from features.images import Preparation, batches
from features.pretrained import Pretrained

if TYPE_CHECKING:
    from torch import Tensor, nn

    from features.training import History, Training

HIDDEN = 256  # units of the head's hidden layer
BATCH = 32  # pictures of one training step
ROWS = 128  # rows of stored features of one training step
PATIENCE = 3  # epochs without gain after which training stops
WEIGHT_DECAY = 0.01
SLOWER = 0.1  # learning rate of pretrained layers, of the new classifier's
LAST = 0.25  # share of the layers that `last_stage` trains


class Finetune(BaseModel):
    """How a pretrained network learns from the training pictures of a fold.

    About a tenth of the training pictures decides when to stop and which epoch's weights are kept; the fold's
    scored pictures are never seen.

    Parameters
    ----------
    epochs : most passes over the training pictures.
    lr : highest learning rate of the new classifier; pretrained layers learn at a tenth of it.
    unfreeze : "head" trains a hidden layer of 256 units and a classifier on the frozen features; the hidden
        layer's values are the features then (of each position, for regions). "last_stage" trains the last quarter
        of the layers (most networks' last stage) and "all" every layer, under a linear classifier; batch
        normalisation keeps its statistics.
    loss : "cross_entropy" or "mse": see features.training.Training.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(20, ge=1)
    lr: float = Field(1e-3, gt=0)
    unfreeze: Literal["head", "last_stage", "all"] = "head"
    loss: Literal["cross_entropy", "mse"] = "cross_entropy"

    def training(self, layers: int, batch: int, seed: int) -> Training:
        """The same for the training loop, with a slower rate for every group of parameters behind the first."""
        from features.training import Training

        rates = [self.lr, *[self.lr * SLOWER] * (layers - 1)]
        return Training(self.epochs, PATIENCE, rates, "adamw", WEIGHT_DECAY, self.loss, batch, seed)


@dataclass(frozen=True, eq=False)
class Head:
    """Hidden layer of a trained head: relu(x W + b) of features x, (m, d) or (m, t, d).

    Parameters
    ----------
    weight, bias : float32 (d, hidden) and (hidden,).
    history : losses of each epoch.
    """

    weight: FloatArray
    bias: FloatArray
    history: History

    @classmethod
    def learned(cls, features: Block, targets: Targets, how: Finetune, seed: int) -> Head:
        """Train hidden layer and classifier on n samples' features (means of sequences) and their views."""
        import torch
        from torch import nn

        from features.training import device, train

        rows, targets = torch.from_numpy(_means(features.with_views())), _with_views(targets, features.augmented)
        # Features of all sizes learn at the same rate.
        scale = float(rows.square().mean().sqrt()) or 1.0

        def inputs(places: IntArray, epoch: int | None) -> Iterator[tuple[Tensor, IntArray]]:
            for start in range(0, len(places), ROWS):
                some = places[start:start + ROWS]
                yield (rows[torch.from_numpy(some)] / scale).to(device()), some

        with torch.random.fork_rng([device()] if device().type == "cuda" else []):
            torch.manual_seed(seed)
            hidden = nn.Linear(rows.shape[1], HIDDEN)
            net = nn.Sequential(hidden, nn.ReLU(), nn.Linear(HIDDEN, int(targets.labels.max()) + 1)).to(device())
            history = train(net, [{"params": net.parameters()}], inputs, targets, how.training(1, ROWS, seed))
        weight, bias = (tensor.detach().float().cpu().numpy() for tensor in (hidden.weight, hidden.bias))
        return cls(np.ascontiguousarray(weight.T / np.float32(scale)), bias, history)

    def __call__(self, features: Block) -> Block:
        """The hidden layer's values for every sample, or for every position of a sequence."""
        values = np.maximum(np.asarray(features.values) @ self.weight + self.bias, 0)
        return Block(values.astype(np.float32), features.index, features.mask, features.augmented, features.averaged)


def _means(block: Block) -> FloatArray:
    """Pooled features (n, d), or the mean of each sequence."""
    if not block.is_sequence:
        return np.asarray(block.array(), dtype=np.float32)
    values, mask = block.sequence()
    return np.asarray(values.sum(axis=1) / np.maximum(mask.sum(axis=1, keepdims=True), 1), dtype=np.float32)


def _with_views(targets: Targets, augmented: int) -> Targets:
    """Targets of samples and their views; what belongs to one sample is a group at least."""
    if not augmented:
        return targets
    groups = np.arange(len(targets.labels)) if targets.groups is None else targets.groups
    return Targets(np.tile(targets.labels, 1 + augmented), np.tile(groups, 1 + augmented))


class Chosen(Sequence[bytes]):
    """Pictures in another order, each read when it is asked for."""

    def __init__(self, pictures: Sequence[bytes], places: IntArray) -> None:
        self._pictures, self._places = pictures, places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, position: Any) -> Any:
        return self._pictures[int(self._places[position])]


def tuned(
    chosen: Pretrained, pictures: Sequence[bytes], targets: Targets, how: Finetune, views: int, seed: int
) -> tuple[nn.Module, History]:
    """The network with its last quarter of layers, or all, trained on n pictures; its own classifier is put back.

    Parameters
    ----------
    pictures : n, or n (1 + views) with augmented views behind them: each epoch takes the next view of each.

    Raises
    ------
    FloatingPointError
        Where the training diverges.
    """
    import torch
    from torch import nn

    from features.networks import build
    from features.training import device, train

    net = build(chosen).eval()
    with torch.random.fork_rng([device()] if device().type == "cuda" else []):
        torch.manual_seed(seed)
        place, own, width, layers = _taken_apart(net, chosen)
        count = max(1, ceil(LAST * len(layers))) if how.unfreeze == "last_stage" else len(layers)
        net.requires_grad_(how.unfreeze == "all")
        for layer in layers[-count:]:
            layer.requires_grad_(True)
        classifier = nn.Linear(width, int(targets.labels.max()) + 1)
        whole = nn.Sequential(net, classifier).to(device()).to(memory_format=torch.channels_last)
        groups: list[dict[str, Any]] = [
            {"params": classifier.parameters()}, {"params": [one for one in net.parameters() if one.requires_grad]}]
        inputs = _Inputs(pictures, chosen.preparation, len(targets.labels), views)
        history = train(whole, groups, inputs, targets, how.training(2, BATCH, seed))
    if place is not None and own is not None:
        _put(net, place, own)
    return net.cpu().requires_grad_(False), history


def _taken_apart(net: nn.Module, chosen: Pretrained) -> tuple[str | None, nn.Module | None, int, list[nn.Module]]:
    """Name and module of the head, which is taken out; the width of what entered it; the layers, in order of use."""
    import torch
    from torch import nn

    from features.networks import find_taps

    size = chosen.preparation.size
    picture = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 3, size, size)).astype(np.float32))
    head, _ = find_taps(net, picture, chosen.model)
    place = next((name for name, module in net.named_modules() if module is head), None) if head else None
    if place is not None:
        _put(net, place, nn.Identity())
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
        raise ValueError(f"finetune: what enters the classifier of {chosen.model} is no vector; name another model")
    return place, head, int(found.shape[1]), layers


def _put(net: nn.Module, place: str, module: nn.Module) -> None:
    parent, _, name = place.rpartition(".")
    setattr(net.get_submodule(parent), name, module)


class _Inputs:
    """Pictures as the network's inputs; each epoch takes the next view of each."""

    def __init__(self, pictures: Sequence[bytes], preparation: Preparation, count: int, views: int) -> None:
        import torch

        from features.training import device

        self._pictures, self._preparation = pictures, preparation
        self._count, self._times = count, 1 + views
        self._device = device()
        mean, std = (torch.tensor(values, device=self._device).view(1, 3, 1, 1)
                     for values in (preparation.mean, preparation.std))
        self._scale, self._shift = 1.0 / (255.0 * std), -mean / std

    def __call__(self, rows: IntArray, epoch: int | None) -> Iterator[tuple[Tensor, IntArray]]:
        """See training.Batches."""
        import torch

        view = 0 if epoch is None else epoch % self._times
        for start, pixels in batches(Chosen(self._pictures, rows + view * self._count), self._preparation, BATCH):
            images = torch.from_numpy(pixels).to(self._device).permute(0, 3, 1, 2).float()
            yield images * self._scale + self._shift, rows[start:start + len(pixels)]
