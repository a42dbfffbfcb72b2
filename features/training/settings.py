"""How a network is trained, and the course that its training took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

Optimizer = Literal["adamw", "sgd"]
Loss = Literal["cross_entropy", "mse"]
Schedule = Literal["constant", "one_cycle"]
Precision = Literal["float32", "float16", "bfloat16"]


@dataclass(frozen=True)
class Training:
    """How to train.

    Parameters
    ----------
    epochs : most passes over the rows trained on.
    patience : passes without a lower held-out loss after which training stops.
    least_patience : where given, training waits no longer than half of the passes that it took to
        the best epoch, but this at least: for networks that begin at a solution, to which most have
        little to add.
    learning_rate : of the parameters that have no rate of their own.
    weight_decay : of the optimizer.
    random_state : seed of the first weights, dropout, the batches and the held-out rows.
    batch_size : rows of one step.
    held_out : share of the training rows that early stopping looks at; 0 for none. Of no account
        where the rows are given (TrainingSamples.split).
    optimizer : "adamw" (Loshchilov and Hutter, 2019), or "sgd" with Nesterov's momentum .9.
    schedule : "constant" learning rates, or "one_cycle": they rise to the rates given over the
        first 30 % of the steps planned, those of all `epochs`, and fall to nothing in the end
        (Smith and Topin, Super-convergence, 2019).
    precision : on a GPU. "float16" is mixed, with scaled losses; "bfloat16" is mixed where the GPU
        has it, and else float32. A CPU trains in float32.
    separable : whether the loss of a batch is the mean of its rows' losses, so that a batch that a
        GPU's memory does not suffice for may be taken in parts (batch normalisation then sees the
        parts).
    stops_rising : whether half as many passes as `patience` suffice (rounded up) where the held-out
        loss rose in each of them: that of what has been learned by heart rises again and again,
        while one that stays where it is, as it does before a hard thing is learned, goes up and
        down (the criterion UP of Prechelt, Early stopping - but when?, 1998).
    """

    epochs: int
    patience: int
    learning_rate: float
    weight_decay: float
    random_state: int
    batch_size: int = 64
    held_out: float = 0.15
    optimizer: Optimizer = "adamw"
    schedule: Schedule = "constant"
    precision: Precision = "float16"
    separable: bool = True
    least_patience: int | None = None
    stops_rising: bool = False

    def waits(self, best_epoch: int) -> int:
        """Passes without a lower held-out loss that a training waits after its best epoch."""
        if self.least_patience is None:
            return self.patience
        return min(self.patience, max(self.least_patience, -(-best_epoch // 2)))


@dataclass(frozen=True)
class History:
    """Course of a training.

    Parameters
    ----------
    best_epoch : counted from 1, the one whose weights the network has.
    fitted, held_out : mean loss of each epoch on the rows trained on (during the epoch, with
        dropout) and on those held out (after it; none where no rows were held out).
    """

    best_epoch: int
    fitted: tuple[float, ...]
    held_out: tuple[float, ...]

    def facts(self) -> dict[str, Any]:
        """The same as plain data; the epoch is called "kept" there, as in every store so far."""
        return {"kept": self.best_epoch, "fitted": self.fitted, "held_out": self.held_out}


def mean_course(courses: Sequence[History]) -> History:
    """Several trainings as one that lasts as long as the longest.

    Its losses are means, to which a training that has ended adds its last ones; its best epoch is
    the last of theirs, so that it is the last of all where a limit has ended one.
    """
    last = max(len(course.fitted) for course in courses) - 1

    def mean_of(losses: Sequence[Sequence[float]]) -> tuple[float, ...]:
        known = [of_course for of_course in losses if of_course]
        return tuple(
            fmean(of_course[min(epoch, len(of_course) - 1)] for of_course in known)
            for epoch in range(last + 1 if known else 0)
        )

    return History(
        max(course.best_epoch for course in courses),
        mean_of([course.fitted for course in courses]),
        mean_of([course.held_out for course in courses]),
    )
