"""Rows as a network's inputs, a batch at a time: to train it, and to apply it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from features.block import IntArray
from features.training.torch_state import device

ROWS_AT_ONCE = 256  # where nothing is learned

Batch = tuple[Sequence[Any], Tensor]  # what a network is called with, and which rows these are
Result = TypeVar("Result")


class Batches(Protocol):
    """Gives the inputs of rows."""

    def __call__(self, rows: IntArray, epoch: int | None, /) -> Iterator[Batch]:
        """What the network is called with, and the rows (b,) of each batch.

        They come in the order asked for, or in one that follows from it. `epoch` is counted from 0,
        for inputs that change while the network trains; it is None for rows that are not trained
        on, whose inputs are plain.
        """
        ...


@dataclass(frozen=True, eq=False)
class TrainingSamples:
    """What a network is trained on.

    Parameters
    ----------
    batches : the inputs of the n samples.
    codes : (n,) classes from 0: they stratify the held-out rows and go into the loss.
    groups : (n,) samples of one group are never both trained on and held out.
    split : positions of the samples to train on and of those to stop by; None to draw a share.
    """

    batches: Batches
    codes: IntArray
    groups: NDArray[Any] | None = None
    split: tuple[IntArray, IntArray] | None = None


class Rowwise(Protocol):
    """A tensor (n, ...), or what gives rows of one when they are asked for, to save memory."""

    def __len__(self) -> int:
        """Rows n."""

    def __getitem__(self, rows: Any, /) -> Rowwise:
        """Some of the rows: positions as a tensor, or a slice."""

    def to(self, where: torch.device, /) -> Rowwise:
        """The same on a device; what reads rows on demand may leave that to the network."""


class RowBatches:
    """Batches of some rows of each input, which do not change from epoch to epoch.

    Parameters
    ----------
    inputs : (n, ...) each; the network is called with some rows of all.
    batch_size : rows of one step of training.
    """

    def __init__(self, inputs: Sequence[Rowwise], batch_size: int) -> None:
        self._device = device()
        self._inputs = [rowwise.to(self._device) for rowwise in inputs]
        self._batch_size = batch_size

    def __call__(self, rows: IntArray, epoch: int | None) -> Iterator[Batch]:
        """See Batches."""
        size = ROWS_AT_ONCE if epoch is None else self._batch_size
        for positions in torch.split(torch.from_numpy(rows).to(self._device), size):
            yield self._batch(positions)

    def _batch(self, positions: Tensor) -> Batch:
        """The inputs of the rows at positions (b,)."""
        return [_rows_of(rowwise, positions) for rowwise in self._inputs], positions


def _rows_of(rowwise: Rowwise, rows: Tensor) -> Any:
    """Some rows; from a tensor by index_select, which is faster than indexing on the CPU."""
    return rowwise.index_select(0, rows) if isinstance(rowwise, Tensor) else rowwise[rows]


def applied(network: nn.Module, inputs: Sequence[Rowwise], method: str = "forward") -> Tensor:
    """What a trained network's method gives for all rows: a few at a time, without gradients."""
    where = device()
    function = getattr(network.to(where), method)

    def outputs_of(rows: slice) -> list[Tensor]:
        return [function(*(rowwise[rows].to(where) for rowwise in inputs)).cpu()]

    outputs: list[Tensor] = []
    with torch.no_grad():
        for rows in _portions(len(inputs[0])):
            outputs += in_halves(outputs_of, rows)
    network.cpu()  # where it can be stored from, and read where there is no GPU
    return torch.cat(outputs)


def in_halves(function: Callable[[slice], list[Result]], rows: slice) -> list[Result]:
    """What a function of consecutive rows gives for all, or where memory is short for each half.

    Raises
    ------
    torch.OutOfMemoryError
        Where the GPU's memory does not suffice for a single row.
    """
    try:
        return function(rows)
    except torch.OutOfMemoryError:
        if rows.stop - rows.start <= 1:
            raise
    # behind the handler: what it holds of the failed attempt is freed first
    torch.cuda.empty_cache()
    middle = (rows.start + rows.stop) // 2
    return [
        *in_halves(function, slice(rows.start, middle)),
        *in_halves(function, slice(middle, rows.stop)),
    ]


def _portions(n: int) -> list[slice]:
    """All rows, ROWS_AT_ONCE at a time; an empty portion where there are none."""
    starts = range(0, max(n, 1), ROWS_AT_ONCE)
    return [slice(start, min(start + ROWS_AT_ONCE, n)) for start in starts]
