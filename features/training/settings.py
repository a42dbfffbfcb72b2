"""How a network is trained, and the course that its training took."""

from __future__ import annotations

from dataclasses import dataclass
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
    learning_rate : of the parameters that have no rate of their own.
    weight_decay : of the optimizer.
    random_state : seed of the first weights, dropout, the batches and the held-out rows.
    batch_size : rows of one step.
    held_out : share of the training rows that early stopping looks at; 0 for none.
    optimizer : "adamw" (Loshchilov and Hutter, 2019), or "sgd" with Nesterov's momentum .9.
    schedule : "constant" learning rates, or "one_cycle": they rise to the rates given over the
        first 30 % of the steps planned, those of all `epochs`, and fall to nothing in the end
        (Smith and Topin, Super-convergence, 2019).
    precision : on a GPU. "float16" is mixed, with scaled losses; "bfloat16" is mixed where the GPU
        has it, and else float32. A CPU trains in float32.
    separable : whether the loss of a batch is the mean of its rows' losses, so that a batch that a
        GPU's memory does not suffice for may be taken in parts (batch normalisation then sees the
        parts).
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
