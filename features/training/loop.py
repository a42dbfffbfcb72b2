"""Training of picture networks on the labelled training rows of a fold; imported only when one is trained."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from features.block import IntArray
from features.encoder import Targets
from features.training.held_out import split_for_stopping

Loss = Literal["cross_entropy", "mse"]
# Inputs of the rows asked for, in portions, each with its rows; the epoch they are for, None for
# plain inputs.
Batches = Callable[[IntArray, int | None], Iterator[tuple[Tensor, IntArray]]]
MOMENTUM = 0.9


@dataclass(frozen=True)
class Training:
    """How to train.

    Parameters
    ----------
    epochs : most passes over the rows trained on; the learning rate is planned for so many.
    patience : passes without a lower loss on the rows held out after which training stops.
    lr : highest learning rate of each group of parameters: it rises to it over the first 30 % of
        the steps and falls to nothing in the end (the one-cycle policy of Smith and Topin,
        Super-convergence, 2019).
    optimizer : "sgd" with Nesterov's momentum .9, or "adamw" (Loshchilov and Hutter, 2019).
    weight_decay : of the optimizer.
    loss : "cross_entropy", or "mse": squared differences to the one-hot class, summed over classes
        (Hui and Belkin, Evaluation of neural architectures trained with square loss vs
        cross-entropy, 2021).
    batch : rows of one step.
    random_state : seed of the rows held out, of the order of rows, and of the inputs' changes.
    """

    epochs: int
    patience: int
    lr: Sequence[float]
    optimizer: Literal["sgd", "adamw"]
    weight_decay: float
    loss: Loss
    batch: int
    random_state: int


@dataclass(frozen=True)
class History:
    """Course of a training.

    Parameters
    ----------
    kept : the epoch, counted from 1, whose weights were kept.
    fitted, held_out : mean loss of each epoch on the rows trained on (during it) and held out
        (after it).
    """

    kept: int
    fitted: tuple[float, ...]
    held_out: tuple[float, ...]


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def drawn() -> np.random.Generator:
    """Random numbers that torch's random state decides."""
    return np.random.default_rng(int(torch.randint(2**62, ())))


def train(
    net: nn.Module,
    parameters: Sequence[dict[str, Any]],
    batches: Batches,
    targets: Targets,
    how: Training,
) -> History:
    """Train a network until the loss on held-out rows has not fallen for `patience` epochs.

    The weights with the least held-out loss are restored (the last ones where no rows could be held
    out). The rows held out are training rows; no other rows are seen.

    Parameters
    ----------
    net : gives logits (b, K) for inputs; its mode (training or evaluation) during training is as it
        comes.
    parameters : groups of parameters to train, one for each of `how.lr`.
    batches : gives the inputs of rows.

    Raises
    ------
    FloatingPointError
        Where the loss is no longer finite.
    """
    fitted, held_out = split_for_stopping(targets, how.random_state)
    rng = np.random.default_rng(how.random_state)
    course = _Course(net, parameters, how, len(fitted))
    labels = torch.from_numpy(targets.labels).to(device())
    for epoch in range(how.epochs):
        mean = course.fit(batches(rng.permutation(fitted), epoch), labels)
        course.keep(
            mean, course.loss_of(batches(held_out, None), labels) if len(held_out) else None
        )
        if course.waited >= how.patience:
            break
    return course.end()


class _Course:
    """Optimizer, losses so far, and the best weights."""

    def __init__(
        self, net: nn.Module, parameters: Sequence[dict[str, Any]], how: Training, rows: int
    ) -> None:
        self._net, self._how = net, how
        self._modes = [(module, module.training) for module in net.modules()]
        groups = [{**group, "lr": lr} for group, lr in zip(parameters, how.lr, strict=True)]
        self._optimizer: torch.optim.Optimizer = (
            torch.optim.AdamW(groups, weight_decay=how.weight_decay)
            if how.optimizer == "adamw"
            else torch.optim.SGD(
                groups, momentum=MOMENTUM, nesterov=True, weight_decay=how.weight_decay
            )
        )
        steps = how.epochs * -(-rows // how.batch)
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimizer, list(how.lr), total_steps=steps + 1, cycle_momentum=False)
        self._best: dict[str, Tensor] | None = None
        self._kept, self.waited = 0, 0
        self._fitted: list[float] = []
        self._held_out: list[float] = []

    def fit(self, batches: Iterator[tuple[Tensor, IntArray]], labels: Tensor) -> float:
        """One step for each batch; the mean loss of the rows."""
        for module, mode in self._modes:
            module.training = mode
        total, count = 0.0, 0
        for inputs, rows in batches:
            self._optimizer.zero_grad(set_to_none=True)
            loss = self._loss(inputs, labels[torch.from_numpy(rows).to(labels.device)])
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            self._schedule.step()
            total, count = total + float(loss.detach()) * len(rows), count + len(rows)
        return self._finite(total / count)

    def loss_of(self, batches: Iterator[tuple[Tensor, IntArray]], labels: Tensor) -> float:
        """Mean loss of rows, learning nothing."""
        self._net.eval()
        total, count = 0.0, 0
        with torch.no_grad():
            for inputs, rows in batches:
                loss = self._loss(inputs, labels[torch.from_numpy(rows).to(labels.device)])
                total, count = total + float(loss) * len(rows), count + len(rows)
        return self._finite(total / count)

    def _loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        with _precision():
            logits: Tensor = self._net(inputs)
        logits = logits.float()
        if self._how.loss == "cross_entropy":
            return functional.cross_entropy(logits, labels)
        wanted = functional.one_hot(labels, logits.shape[1]).to(logits.dtype)
        return (logits - wanted).square().sum(dim=1).mean()

    def _finite(self, loss: float) -> float:
        if not np.isfinite(loss):
            raise FloatingPointError(
                f"training diverged in epoch {len(self._fitted) + 1}: the loss is {loss}; a smaller lr than "
                f"{max(self._how.lr):g} may help")
        return loss

    def keep(self, fitted: float, held_out: float | None) -> None:
        """Note an epoch's losses, and its weights where they are the best so far."""
        best = min(self._held_out, default=np.inf)
        self._fitted.append(fitted)
        if held_out is not None:
            self._held_out.append(held_out)
        if held_out is None or held_out < best:
            self._kept, self.waited = len(self._fitted), 0
            self._best = None if held_out is None else copy.deepcopy(self._net.state_dict())
        else:
            self.waited += 1

    def end(self) -> History:
        """Restore the best weights; the network is left in evaluation mode."""
        if self._best is not None:
            self._net.load_state_dict(self._best)
        self._net.eval()
        return History(self._kept, tuple(self._fitted), tuple(self._held_out))


def _precision() -> AbstractContextManager[Any]:
    """Mixed precision on a GPU that has bfloat16; float32 elsewhere."""
    if device().type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", torch.bfloat16)
    return nullcontext()
