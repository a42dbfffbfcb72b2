"""How near models.softmax.solve is to what the machine can do: operations and bytes, by its parts.

Used by benchmarks.softmax. Two numbers describe the machine, on as many threads as the solver has:
operations a second of a large float32 product, and bytes a second of a triad a = b + s c on arrays
that no cache holds (McCalpin's STREAM). A call of n operations on b bytes takes at least the larger
one of n / peak and b / bandwidth (Williams, Waterman and Patterson, Roofline, Communications of the
ACM 52, 2009). Bytes are those that must be moved: each factor and result once, four bytes a number,
eight for an entry of CSR rows with its column; what is fetched again is not counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from scipy import sparse

from models.softmax import solve as solving
from models.softmax.design_matrix.design import DesignMatrix
from models.softmax.design_matrix.training_sets import RowGroup

EIGENVECTORS = 9  # operations of all eigenvectors, times the cube of the order (LAPACK's guide)
BESIDE = 3  # numbers of the triad that are moved for each result, the one it overwrites included


class Machine(NamedTuple):
    """Float32 operations and bytes a second."""

    peak: float
    bandwidth: float


class Call(NamedTuple):
    """Operations of a call, and the bytes that it must move."""

    operations: float
    bytes: float


@dataclass
class Work:
    """What one part of the solver did.

    Attributes
    ----------
    seconds : of the processor
    least : seconds that the machine needs for its calls at the least
    """

    seconds: float = 0.0
    operations: float = 0.0
    bytes: float = 0.0
    least: float = 0.0

    def add(self, call: Call, seconds: float, machine: Machine) -> None:
        """Count a call."""
        self.seconds += seconds
        self.operations += call.operations
        self.bytes += call.bytes
        self.least += max(call.operations / machine.peak, call.bytes / machine.bandwidth)


@dataclass
class Roofline:
    """The parts of a solution: principal axes, and products with the design matrix.

    Attributes
    ----------
    seconds : of the processor, for everything
    """

    machine: Machine
    axes: Work = field(default_factory=Work)
    products: Work = field(default_factory=Work)
    seconds: float = 0.0

    @property
    def columns(self) -> str:
        """The end of a row of the table; `HEADER` names them."""
        parts = self.axes.seconds / self.seconds, self.products.seconds / self.seconds
        peak = self.products.operations / self.products.seconds / self.machine.peak
        bandwidth = self.products.bytes / self.products.seconds / self.machine.bandwidth
        roof = (self.axes.least + self.products.least) / self.seconds
        return (
            f"{parts[0]:6.0%}{parts[1]:6.0%}{(self.axes.operations) / 1e9:8.1f}"
            f"{self.products.operations / 1e9:9.1f}{self.products.bytes / 1e9:8.1f}"
            f"{peak:6.0%}{bandwidth:8.0%}{roof:7.0%}"
        )


HEADER = (
    f"{'axes':>6}{'prod.':>6}{'axes GF':>8}{'prod. GF':>9}{'GB':>8}{'peak':>6}{'bandw.':>8}"
    f"{'roof':>7}"
)


@cache
def machine() -> Machine:
    """Measured here and now, the best of a few."""
    square = np.random.default_rng(0).normal(size=(2048, 2048)).astype(np.float32)
    other = square.T.copy()
    product = min(_seconds(lambda: np.matmul(square, other)) for _ in range(5))
    size = 2**25
    b, c, a = np.ones(size, np.float32), np.ones(size, np.float32), np.empty(size, np.float32)

    def triad() -> None:
        step = 2**15  # stays in the first caches between the two operations
        for start in range(0, size, step):
            part = slice(start, start + step)
            np.multiply(c[part], np.float32(3), out=a[part])
            np.add(a[part], b[part], out=a[part])

    bandwidth = 4 * BESIDE * size / min(_seconds(triad) for _ in range(5))
    return Machine(2 * len(square) ** 3 / product, bandwidth)


def _seconds(work: Callable[[], Any]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


@contextmanager
def watched() -> Iterator[Roofline]:
    """Count what the solver does meanwhile; it is slower for that by next to nothing."""
    roofline = Roofline(machine())
    begun = time.process_time()
    with ExitStack() as stack:
        for name in ("logits", "gradients", "squares"):
            product = _counted(getattr(DesignMatrix, name), _of_product, roofline.products)
            stack.enter_context(patch.object(DesignMatrix, name, product))
        axes = _counted(solving.transform, _of_axes, roofline.axes)
        stack.enter_context(patch.object(solving, "transform", axes))
        yield roofline
    roofline.seconds = time.process_time() - begun


def _counted(
    function: Callable[..., Any], count: Callable[..., Call], work: Work
) -> Callable[..., Any]:
    """The function, with its calls counted."""

    def counted(*arguments: Any, **options: Any) -> Any:
        begun = time.process_time()
        result = function(*arguments, **options)
        seconds = time.process_time() - begun
        work.add(count(*arguments, **options), seconds, machine())
        return result

    return counted


def _of_product(design: DesignMatrix, vectors: Any, group: int) -> Call:
    """Vectors (c, ...) times the rows of a group."""
    rows: RowGroup = design.groups[group]
    c, m = len(vectors), rows.stop - rows.start
    operations, moved = 0.0, 4.0 * c * (m + design.width)
    for block in design._blocks:
        entries, size = _stored(block, group)
        operations += 2 * c * entries
        moved += size
    return Call(operations, moved)


def _stored(block: Any, group: int) -> tuple[int, int]:
    """Numbers of a block that a product with a group multiplies, and the bytes that hold them."""
    part = block.parts[group] if hasattr(block, "parts") else block.X
    if sparse.issparse(part):
        return part.nnz, 8 * part.nnz
    return part.size, 4 * part.size


def _of_axes(rows: Any, scale: Any = None, counts: Any = None, axes: int | None = None) -> Call:
    """Products of rows with each other, eigenvectors, rotated rows; leading axes alone."""
    m, d = rows.shape
    if sparse.issparse(rows):
        return Call(0, 8 * rows.nnz)
    if axes is not None:  # two products a power, and the reflection of all rows: two more
        return Call(2.0 * m * d * axes * 8, 4.0 * m * d * 8)
    small = min(m, d)  # products with each other are symmetric: one half of them is computed
    rotated = 2.0 * m * d * d if d <= m else 0.0
    return Call(m * d * small + EIGENVECTORS * small**3 + rotated, 8.0 * m * d)
