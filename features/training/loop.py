"""The training loop of every network; imported only when one is trained.

Seeded, stopped early by rows held out of the training rows, the best weights restored, divergence
an error. What differs between networks stands in features.training.settings.Training.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from features.advance import advance
from features.training.batches import Batch, TrainingSamples, in_halves
from features.training.held_out import split_for_stopping
from features.training.settings import History, Precision, Training
from features.training.torch_state import device, seeded

MOMENTUM = 0.9

Objective = Callable[[Any, Tensor], Tensor]
Network = TypeVar("Network", bound=nn.Module)
ParameterGroups = list[dict[str, Any]]  # as torch.optim takes them


def warm_up() -> None:
    """Make an optimizer: with the first one, torch imports its compiler, unused here."""
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])


def train(
    build: Callable[[], Network],
    samples: TrainingSamples,
    objective: Objective,
    how: Training,
    criterion: Objective | None = None,
    parameters: Callable[[Network], ParameterGroups] | None = None,
) -> tuple[Network, History]:
    """Train a network until its loss on held-out rows has not fallen for `patience` epochs.

    Or, with Training.stops_rising, has risen for half as many. The weights with the least held-out
    loss are restored; without held-out rows, training lasts `epochs`. Torch's global random state
    is left as it was.

    Parameters
    ----------
    build : makes the network, with first weights drawn from torch's random state, which is seeded
        before.
    objective : mean loss of some rows from the network's output for them and their codes.
    criterion : what is measured on the held-out rows; the objective itself where it is not given.
    parameters : groups of the network's parameters, for those with a learning rate of their own
        ("lr"); without it, all learn at one.

    Returns
    -------
    network, history : the network in the main memory and in evaluation mode.

    Raises
    ------
    FloatingPointError
        Where the loss is no longer finite.
    """
    rng = np.random.default_rng(how.random_state)
    fitted, held_out = samples.split or split_for_stopping(
        samples.codes, how.held_out, rng, samples.groups
    )
    with seeded(how.random_state):
        network = build().to(device())
        groups = parameters(network) if parameters else [{"params": network.parameters()}]
        steps = _Steps(network, groups, how, len(fitted))
        course = Course(network, how, steps.rates)
        codes = torch.from_numpy(np.asarray(samples.codes, dtype=np.int64)).to(device())
        while not course.ended:
            batches = samples.batches(rng.permutation(fitted), course.epochs)
            loss = steps.descend(batches, codes, objective) / max(len(fitted), 1)
            held_out_loss = None
            if len(held_out):
                batches = samples.batches(held_out, None)
                held_out_loss = steps.measure(batches, codes, criterion or objective)
                held_out_loss /= len(held_out)
            course.add(loss, held_out_loss)
            advance(course.epochs, how.epochs, "epochs at most")
    return network.cpu(), course.end()


class _Steps:
    """Steps of the optimizer through batches, and what the network loses on others."""

    def __init__(
        self, network: nn.Module, groups: ParameterGroups, how: Training, rows: int
    ) -> None:
        self._network, self._precision = network, how.precision
        self._separable, self._parts = how.separable, 1
        self._optimizer = optimizer_of(groups, how)
        rates = [group["lr"] for group in self._optimizer.param_groups]
        others = sorted(set(rates) - {how.learning_rate})
        self.rates = " or ".join(
            [f"learning_rate {how.learning_rate:g}", *(f"one of {rate:g}" for rate in others)]
        )
        self._schedule = None
        if how.schedule == "one_cycle":
            steps = how.epochs * -(-rows // how.batch_size)
            self._schedule = torch.optim.lr_scheduler.OneCycleLR(
                self._optimizer, rates, total_steps=steps + 1, cycle_momentum=False
            )
        self._scaler = torch.amp.GradScaler(
            enabled=device().type == "cuda" and how.precision == "float16"
        )

    def descend(self, batches: Iterator[Batch], codes: Tensor, objective: Objective) -> float:
        """One step for each batch; the sum of the rows' losses."""
        self._network.train()
        total = torch.zeros((), device=codes.device)
        for inputs, rows in batches:
            total += self._step((inputs, codes[rows.to(codes.device)]), objective)
        return float(total)

    def _step(self, batch: Batch, objective: Objective) -> Tensor:
        """The sum of the rows' losses before the step."""
        while True:
            try:
                self._optimizer.zero_grad()
                loss = self._backward(batch, objective)
                break
            except torch.OutOfMemoryError:
                if not self._may_take_parts(len(batch[1])):
                    raise
            torch.cuda.empty_cache()
            self._parts *= 2
        self._scaler.step(self._optimizer)
        self._scaler.update()
        if self._schedule is not None:
            self._schedule.step()
        return loss

    def _backward(self, batch: Batch, objective: Objective) -> Tensor:
        """Add the gradient of the mean loss; the sum of the rows' losses.

        It is the mean over the parts of a batch that the GPU's memory does not suffice for, too.
        """
        inputs, codes = batch
        size = -(-len(codes) // self._parts)
        total = torch.zeros((), device=codes.device)
        for start in range(0, len(codes), size):
            rows = slice(start, start + size)
            part = codes[rows]
            loss = self._loss([rowwise[rows] for rowwise in inputs], part, objective)
            torch.autograd.backward(self._scaler.scale(loss * (len(part) / len(codes))))
            total += loss.detach() * len(part)
        return total

    def _may_take_parts(self, rows: int) -> bool:
        """Whether there are rows for more parts, and the loss of a batch is that of its parts."""
        return self._separable and 2 * self._parts <= rows

    def measure(self, batches: Iterator[Batch], codes: Tensor, objective: Objective) -> float:
        """The sum of the rows' losses, learning nothing."""
        self._network.eval()
        total = 0.0
        with torch.no_grad():
            for inputs, rows in batches:
                codes_of_batch = codes[rows.to(codes.device)]

                def losses(
                    rows: slice, inputs: Any = inputs, codes: Tensor = codes_of_batch
                ) -> list[float]:
                    part = codes[rows]
                    loss = self._loss([rowwise[rows] for rowwise in inputs], part, objective)
                    return [float(loss) * len(part)]

                total += sum(in_halves(losses, slice(0, len(rows))))
        return total

    def _loss(self, inputs: Any, codes: Tensor, objective: Objective) -> Tensor:
        with _mixed_precision(self._precision):
            return objective(self._network(*inputs), codes)


def optimizer_of(groups: ParameterGroups, how: Training) -> torch.optim.Optimizer:
    """The optimizer asked for, over groups of parameters."""
    if how.optimizer == "sgd":
        return torch.optim.SGD(
            groups,
            how.learning_rate,
            momentum=MOMENTUM,
            nesterov=True,
            weight_decay=how.weight_decay,
        )
    # One fused kernel steps all parameters: small networks spend their time on launching many.
    return torch.optim.AdamW(
        groups, lr=how.learning_rate, weight_decay=how.weight_decay, fused=True
    )


def _mixed_precision(precision: Precision) -> AbstractContextManager[Any]:
    """See Training.precision."""
    if precision == "float32" or device().type == "cpu":
        return nullcontext()
    if precision == "float16":
        return torch.autocast("cuda", torch.float16)
    return torch.autocast("cuda", torch.bfloat16, enabled=torch.cuda.is_bf16_supported())


class Course:
    """Losses so far, and the best weights; an error names the `rates`."""

    def __init__(self, network: nn.Module, how: Training, rates: str) -> None:
        self._network, self._how, self._rates = network, how, rates
        self._fitted: list[float] = []
        self._held_out: list[float] = []
        self._best_epoch, self._least, self._best = 0, float("inf"), network.state_dict()

    @property
    def epochs(self) -> int:
        """How many there were."""
        return len(self._fitted)

    @property
    def ended(self) -> bool:
        """Whether there were enough epochs, or too many without improvement."""
        waited = self.epochs - self._best_epoch
        return (
            self.epochs >= self._how.epochs
            or waited >= self._how.waits(self._best_epoch)
            or (self._how.stops_rising and self._has_risen(-(-self._how.patience // 2)))
        )

    def _has_risen(self, times: int) -> bool:
        """Whether the held-out loss was higher than before in each of the last epochs."""
        last = self._held_out[-times - 1 :]
        return len(last) > times and all(later > loss for loss, later in pairwise(last))

    def add(self, fitted: float, held_out: float | None) -> None:
        """Take note of an epoch's losses, and of its weights where they are the best so far."""
        self._fitted.append(fitted)
        self._held_out += [] if held_out is None else [held_out]
        checked = fitted if held_out is None else held_out
        if not np.isfinite(checked):
            raise FloatingPointError(
                f"training diverged in epoch {self.epochs}: the loss is {checked}; "
                f"{self._rates} is too high"
            )
        if held_out is None:
            self._best_epoch = self.epochs
        elif held_out < self._least:
            self._least, self._best_epoch = held_out, self.epochs
            self._best = copy.deepcopy(self._network.state_dict())

    def end(self) -> History:
        """Restore the best weights."""
        if self._held_out:
            self._network.load_state_dict(self._best)
        self._network.eval()
        return History(self._best_epoch, tuple(self._fitted), tuple(self._held_out))
