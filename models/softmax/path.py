"""Regularisation paths: many problems iterated together, each from the solutions before it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.block import FloatArray, IntArray
from models.softmax.design_matrix.design import DesignMatrix
from models.softmax.design_matrix.products import products_with_rows, sums_over_rows
from models.softmax.hessian import LeadingColumns
from models.softmax.lbfgs import LBFGS
from models.softmax.losses import loss_of
from models.softmax.warm_start import WarmStart

# Iterations that may renew the preconditioner, and the share of the rows' expected errors from
# which on it is worth it. Columns that are alike curve the objective alike, whatever the rows
# weigh: there, nothing but their common scale is outdated. `--ablate renewal` of
# benchmarks.softmax: 1.13 times the time without (20 fits of 8 classes, 1,664 columns); "renewal by
# kind of columns": 1.20 (a fit of 2 classes, 500 columns).
RENEWAL_ITERATIONS = frozenset({0, 4, 8, 16, 32, 64, 128, 256})
RENEWAL_SHARE, RENEWAL_SHARE_AS_GIVEN = 0.7, 0.05
# Orders of its dense block: always cheap, and larger than that saves no time. `--ablate "dense
# block"`: 1.10 (20 fits of 10 classes, 1,664 columns), though .77 for 2 classes of 100 columns.
SMALL_BLOCK, LARGEST_BLOCK = 100, 300
BLOCK_ROWS = 2000  # rows that suffice for it, at least (all of 8,000: 1.29 times the time)
BLOCK_PRICE = 0.5  # operations that it may cost, for each operation of an iteration
# fewer leading columns save too little: with many classes the diagonal alone is faster
BLOCK_COLUMNS = 10

# training set and factors: what the problems of a path share
Family = tuple[int, tuple[float, ...]]


class SoftmaxFit:
    """A problem on its training set.

    Parameters
    ----------
    C : inverse strength of the penalty
    factors : of the columns of each block
    number : which of the design matrix's training sets it learns from
    design : the design matrix
    classes : int (k,), the codes among its rows
    labels : int (m,), class 0..k-1 of each of its rows

    Attributes
    ----------
    optimiser : its state, after `begin`
    """

    optimiser: LBFGS

    def __init__(
        self,
        C: float,
        factors: Sequence[float],
        number: int,
        design: DesignMatrix,
        classes: IntArray,
        labels: IntArray,
    ) -> None:
        self.C, self.factors, self.number = C, tuple(factors), number
        self.set, self.classes, self._labels = design.sets[number], classes, labels
        self._columns, self._width = design.columns, design.width
        self._renewal_share = (
            RENEWAL_SHARE_AS_GIVEN if design.dense_as_given else RENEWAL_SHARE
        )

    @property
    def family(self) -> Family:
        """What it shares with the problems of other strengths."""
        return self.number, self.factors

    def begin(self, start: WarmStart | None) -> None:
        """Start from solutions under stronger penalties, or from zero where there are none."""
        of_columns = np.ones(self._width, np.float32)
        for columns, factor in zip(self._columns, self.factors, strict=True):
            of_columns[columns] = factor
        loss = loss_of(self._labels, len(self.classes), self.set.weights)
        self.optimiser = LBFGS(loss, 1.0 / self.C, of_columns, start)

    @property
    def preconditioner_is_outdated(self) -> bool:
        """Whether its preconditioner is to be renewed."""
        return (
            self.optimiser.n_iter in RENEWAL_ITERATIONS
            and self.optimiser.errors_fell_to(self._renewal_share)
        )


class RegularisationPath:
    """Fits of the same training set and factors, by rising C.

    Each starts from the solutions of those before it (`--ablate "warm start"` of
    benchmarks.softmax: 1.4 to 1.6 times the time without).

    Attributes
    ----------
    fit : the present one; None at the end
    """

    def __init__(self, fits: Sequence[SoftmaxFit]) -> None:
        self._left = sorted(fits, key=lambda fit: fit.C)
        self.fit: SoftmaxFit | None = None
        self.advance()

    def advance(self) -> None:
        """Go on to the next fit."""
        start = None if self.fit is None else self.fit.optimiser.warm_start()
        self.fit = self._left.pop(0) if self._left else None
        if self.fit is not None:
            self.fit.begin(start)


def minimise(
    design: DesignMatrix, fits: Sequence[SoftmaxFit], tolerance: float, max_iter: int
) -> None:
    """Iterate all paths together; where a fit has ended, the next of its path takes over."""
    paths = _paths(fits)
    leading: dict[Family, LeadingColumns | None] = {}
    while paths:
        live = [path.fit for path in paths if path.fit is not None]
        _update_gradients(design, live)
        _renew_preconditioners(
            design, [fit for fit in live if fit.preconditioner_is_outdated], leading
        )
        for fit in live:
            fit.optimiser.compute_direction()
        going = [fit for fit in live if not fit.optimiser.has_ended(tolerance, max_iter)]
        _search_lines(design, going)
        for path in paths:
            if path.fit not in going:
                path.advance()
        paths = [path for path in paths if path.fit is not None]


def _paths(fits: Sequence[SoftmaxFit]) -> list[RegularisationPath]:
    families: dict[Family, list[SoftmaxFit]] = {}
    for fit in fits:
        families.setdefault(fit.family, []).append(fit)
    return [RegularisationPath(family) for family in families.values()]


def _update_gradients(design: DesignMatrix, fits: Sequence[SoftmaxFit]) -> None:
    residuals = [fit.optimiser.residuals for fit in fits]
    shapes = [(fit.optimiser.height, design.width) for fit in fits]
    gradients = sums_over_rows(design.gradients, design.groups, fits, residuals, shapes)
    for fit, gradient in zip(fits, gradients, strict=True):
        fit.optimiser.update(gradient)


def _search_lines(design: DesignMatrix, fits: Sequence[SoftmaxFit]) -> None:
    directions = [fit.optimiser.direction for fit in fits]
    heights = [fit.optimiser.height for fit in fits]
    logits = products_with_rows(design.logits, design.groups, fits, directions, heights)
    for fit, of_direction in zip(fits, logits, strict=True):
        fit.optimiser.line_search(of_direction)


def _renew_preconditioners(
    design: DesignMatrix,
    fits: Sequence[SoftmaxFit],
    leading: dict[Family, LeadingColumns | None],
) -> None:
    """Take the Hessians anew; leading columns are chosen at a path's start and used from then on.

    Only of principal components do few lead: a dense block of other columns was measured to cost
    iterations.
    """
    weights = [fit.optimiser.new_preconditioner() for fit in fits]
    shapes = [(len(of_rows), design.width) for of_rows in weights]
    squares = sums_over_rows(design.squares, design.groups, fits, weights, shapes)
    for fit, of_columns in zip(fits, squares, strict=True):
        fit.optimiser.complete(of_columns, leading.get(fit.family))
        if design.rotated and fit.family not in leading:
            leading[fit.family] = _leading_columns(design, fit, of_columns)


def _leading_columns(
    design: DesignMatrix, fit: SoftmaxFit, squares: FloatArray
) -> LeadingColumns | None:
    """The columns for the dense block, as many as pay; None where too few do."""
    directions, m = len(squares), len(fit.set.rows)
    every = max(1, m // BLOCK_ROWS)
    price = BLOCK_PRICE * 4 * every * design.width * directions
    order = int(np.clip(np.sqrt(price), SMALL_BLOCK, LARGEST_BLOCK))
    if order < BLOCK_COLUMNS * directions:
        return None
    spread = squares.sum(axis=0) * np.square(fit.optimiser.factors)
    spread[-1] = np.inf  # the intercept always leads
    columns = np.sort(np.argsort(spread)[-(order // directions):])
    return LeadingColumns(columns, design.take(fit.set.rows[::every], columns), every)
