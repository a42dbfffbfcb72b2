"""Many softmax regressions on their way down together: one product with the features serves them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from models.softmax.design import Arena
from models.softmax.hessian import Leading
from models.softmax.lbfgs import Descent
from models.softmax.losses import loss_of
from models.softmax.warm_start import Earlier

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

# Iterations that may renew the preconditioner, and the share of the rows' doubts from which on it
# is worth it. Columns that are alike curve the objective alike, whatever the rows weigh: there,
# nothing but their common scale is outdated.
CHECKED = frozenset({0, 4, 8, 16, 32, 64, 128, 256})
FADED, FADED_ALIKE = 0.7, 0.05
# orders of its exact block: always cheap, and larger than that saves no time
SMALL_BLOCK, BLOCK = 100, 300
BLOCK_ROWS = 2000  # rows that suffice for it, at least
BLOCK_PRICE = 0.5  # operations that it may cost, for each one of an iteration
TOGETHER = 128  # vectors in a product
# fewer leading columns save too little: with many classes the diagonal alone is faster
BLOCK_COLUMNS = 10

# training set and factors: what problems share that differ in their strength
Family = tuple[int, tuple[float, ...]]


class SoftmaxFit:
    """A problem on its way.

    Parameters
    ----------
    C : inverse strength of the penalty
    factors : of the columns of each block
    number : which of the arena's training sets it learns from
    classes : int (k,), the codes among its rows
    own : int (m,), class 0..k-1 of each of its rows

    Attributes
    ----------
    descent : its state, after `begin`
    """

    descent: Descent

    def __init__(
        self,
        C: float,
        factors: Sequence[float],
        number: int,
        arena: Arena,
        classes: IntArray,
        own: IntArray,
    ) -> None:
        self.C, self.factors, self.number, self.set = C, tuple(factors), number, arena.sets[number]
        self.classes, self._own = classes, own
        self._columns, self._width = arena.columns, arena.width
        self._faded = FADED_ALIKE if arena.alike else FADED

    @property
    def family(self) -> Family:
        """What it shares with the problems of other strengths, which follow each other."""
        return self.number, self.factors

    def begin(self, earlier: Earlier | None) -> None:
        """Start from solutions under stronger penalties, or from nothing where there are none."""
        each = np.ones(self._width, np.float32)
        for columns, factor in zip(self._columns, self.factors, strict=True):
            each[columns] = factor
        self.descent = Descent(
            loss_of(self._own, len(self.classes), self.set.weights), 1.0 / self.C, each, earlier
        )

    @property
    def outdated(self) -> bool:
        """Whether its preconditioner is to be renewed."""
        return self.descent.n_iter in CHECKED and self.descent.faded(self._faded)


class _Ladder:
    """Fits of one training set and factors, by rising C: each starts from the solutions of those before it."""

    def __init__(self, fits: Sequence[SoftmaxFit]) -> None:
        self._left = sorted(fits, key=lambda fit: fit.C)
        self.fit: SoftmaxFit | None = None
        self.next()

    def next(self) -> None:
        """Go on to the next fit; `fit` is None where there is none."""
        earlier = None if self.fit is None else self.fit.descent.leave()
        self.fit = self._left.pop(0) if self._left else None
        if self.fit is not None:
            self.fit.begin(earlier)


Product = Callable[[FloatArray, int], FloatArray]


def _from_rows(
    product: Product,
    arena: Arena,
    fits: Sequence[SoftmaxFit],
    values: Sequence[FloatArray],
    heights: Sequence[int],
) -> list[FloatArray]:
    """Sums over the rows of each fit's values (c, m), as the first c of so many rows (height, width)."""
    totals = [np.zeros((height, arena.width), np.float32) for height in heights]
    for number, inside in _bundles(arena, fits, values):
        parts = [values[position][:, fits[position].set.places[number]] for position in inside]
        for position, part in zip(
            inside, _cut(product(_joined(parts), number), parts), strict=True
        ):
            totals[position][:len(part)] += part
    return totals


def _to_rows(
    arena: Arena, fits: Sequence[SoftmaxFit], weights: Sequence[FloatArray]
) -> list[FloatArray]:
    """Products of each fit's weights (c, width) with its rows, as the first c of its r rows of logits (r, m)."""
    results = [np.empty((fit.descent.height, len(fit.set.rows)), np.float32) for fit in fits]
    for number, inside in _bundles(arena, fits, weights):
        parts = [weights[position] for position in inside]
        for position, part in zip(
            inside, _cut(arena.logits(_joined(parts), number), parts), strict=True
        ):
            results[position][:len(part), fits[position].set.places[number]] = part
    return results


def _bundles(arena: Arena, fits: Sequence[SoftmaxFit],
             values: Sequence[FloatArray]) -> Iterator[tuple[int, list[int]]]:
    """Pieces, and fits to multiply with them in one go; larger products than TOGETHER gain nothing but copies."""
    for number, piece in enumerate(arena.pieces):
        inside: list[int] = []
        height = 0
        for position, fit in enumerate(fits):
            if fit.number not in piece.sets:
                continue
            if inside and height + len(values[position]) > TOGETHER:
                yield number, inside
                inside, height = [], 0
            inside.append(position)
            height += len(values[position])
        if inside:
            yield number, inside


def _joined(parts: Sequence[FloatArray]) -> FloatArray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _cut(whole: FloatArray, parts: Sequence[FloatArray]) -> list[FloatArray]:
    """The rows of `whole` that belong to each of the parts that were joined."""
    ends = accumulate(len(part) for part in parts)
    return [whole[end - len(part):end] for part, end in zip(parts, ends, strict=True)]


def descend(arena: Arena, fits: Sequence[SoftmaxFit], tolerance: float, max_iter: int) -> None:
    """Iterate all ladders together; where a fit has arrived, the next one of its ladder takes its place."""
    ladders = _ladders(fits)
    leading: dict[Family, Leading | None] = {}
    while ladders:
        live = [ladder.fit for ladder in ladders if ladder.fit is not None]
        gradients = _from_rows(arena.gradients, arena, live, [fit.descent.residual for fit in live],
                               [fit.descent.height for fit in live])
        for fit, gradient in zip(live, gradients, strict=True):
            fit.descent.arrive(gradient)
        _renew_curvature(arena, [fit for fit in live if fit.outdated], leading)
        for fit in live:
            fit.descent.turn()
        left = [fit for fit in live if not fit.descent.done(tolerance, max_iter)]
        moves = _to_rows(arena, left, [fit.descent.direction for fit in left])
        for fit, move in zip(left, moves, strict=True):
            fit.descent.step(move)
        for ladder in ladders:
            if ladder.fit not in left:
                ladder.next()
        ladders = [ladder for ladder in ladders if ladder.fit is not None]


def _ladders(fits: Sequence[SoftmaxFit]) -> list[_Ladder]:
    groups: dict[Family, list[SoftmaxFit]] = {}
    for fit in fits:
        groups.setdefault(fit.family, []).append(fit)
    return [_Ladder(group) for group in groups.values()]


def _renew_curvature(
    arena: Arena, live: Sequence[SoftmaxFit], leading: dict[Family, Leading | None]
) -> None:
    """Renew the preconditioners; the leading columns are chosen at a ladder's start, and used from then on.

    Only of principal components do few lead: an exact block of other columns was measured to cost
    iterations.
    """
    weights = [fit.descent.curvature() for fit in live]
    squares = _from_rows(arena.squares, arena, live, weights, [len(each) for each in weights])
    for fit, each in zip(live, squares, strict=True):
        fit.descent.complete(each, leading.get(fit.family))
        if arena.rotated and fit.family not in leading:
            leading[fit.family] = _leading(arena, fit, each)


def _leading(arena: Arena, fit: SoftmaxFit, squares: FloatArray) -> Leading | None:
    """The columns for the exact block, as many as pay; None where too few do."""
    directions, m = len(squares), len(fit.set.rows)
    every = max(1, m // BLOCK_ROWS)
    order = int(
        np.clip(np.sqrt(BLOCK_PRICE * 4 * every * arena.width * directions), SMALL_BLOCK, BLOCK)
    )
    if order < BLOCK_COLUMNS * directions:
        return None
    spread = squares.sum(axis=0) * np.square(fit.descent.factors)
    spread[-1] = np.inf  # the intercept always leads
    columns = np.sort(np.argsort(spread)[-(order // directions):])
    return Leading(columns, arena.take(fit.set.rows[::every], columns), every)
