"""Rows of a block in the axes of their principal components: fewer columns, and nearly independent ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy import sparse

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
Matrix: TypeAlias = FloatArray | sparse.csr_matrix
Raw: TypeAlias = tuple[FloatArray, NDArray[np.float64]]

# iterations that finding the principal axes may cost: without them, many more are needed
PRICE = 300
# Where finding all axes does not pay, so many leading ones do, for each weight vector but one
# (whose iterations are cheaper than axes) and at most; and how well.
LEADING_EACH, LEADING, POWERS = 20, 60, 2
# Eigenvalues below this fraction of the largest are rounding errors in float32; so is what is no
# larger than so many times the most negative one, where there should be none.
RANK, NEGATIVE = 2e-7, 3
GRAM_COLUMNS = 1024  # columns that are held in float64 at a time
# Where no axes pay, rows with at least so many columns for each of them are still written with
# fewer.
FEW = 2
# Sparse rows are turned, and so filled, where that leaves at most this many numbers for each stored
# one.
FILLED = 30


@dataclass(frozen=True, eq=False)
class Turned:
    """m rows of one block, rotated to r other columns where that is worth its price.

    Attributes
    ----------
    rows : float32 (m, r) or CSR (m, r)
    raw : weights (c, r) -> coefficients (c, d) of the columns as they were given, and their share
        of the intercepts (c,)
    rotated : whether the columns are principal components
    alike : whether the columns are dense ones as they were given: none is known to matter more than
        another
    held : the matrices that `raw` keeps in memory
    """

    rows: Matrix
    raw: Callable[[FloatArray], Raw]
    rotated: bool
    alike: bool = False
    held: tuple[Matrix, ...] = ()

    @property
    def width(self) -> int:
        """r, the number of columns."""
        return int(self.rows.shape[1])

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return sum(map(_bytes, (self.rows, *self.held)))


@dataclass(frozen=True, eq=False)
class Indexed:
    """A block of n samples that share m turned rows: equal samples have one row.

    Attributes
    ----------
    turned : the rows
    index : int (n,), row of each sample
    """

    turned: Turned
    index: IntArray


Features: TypeAlias = Matrix | Indexed | Sequence[Matrix | Indexed]


def blocks_of(features: Features) -> list[Matrix | Indexed]:
    """The blocks that stand side by side in `features`."""
    return list(features) if isinstance(features, list | tuple) else [features]


def split_columns(values: NDArray[Any], widths: Sequence[int]) -> list[NDArray[Any]]:
    """Cut the last axis of `values` (..., d) into parts of these widths."""
    return np.split(values, np.cumsum(widths)[:-1], axis=-1)


def turn(rows: Matrix, scale: NDArray[Any] | None = None, counts: IntArray | None = None,
         axes: int | None = None) -> Turned:
    """The rows in the axes that suit their number and kind.

    A rotation changes no solution: the penalty is the same in all directions.

    Parameters
    ----------
    rows : float32 (m, d) or CSR (m, d)
    scale : float (d,), factor of each column, or None
    counts : int (m,), how many samples have each row; None for one each
    axes : how many leading axes to find, of dense columns only; None to find all
    """
    m, d = rows.shape
    if not isinstance(rows, np.ndarray):
        filled = m * m <= FILLED * rows.nnz
        return (
            _wide(rows, scale, counts)
            if axes is None and m <= d and filled
            else _scaled(rows, scale)
        )
    if axes is not None:
        if axes:
            return _led(rows, scale, axes)
        return _few(rows, scale) if m * FEW <= d else _centred(rows, scale)
    return _wide(rows, scale, counts) if m < d else _tall(rows, scale, counts)


def turning_pays(m: int, d: int, columns: int) -> bool:
    """Whether the axes of m rows of d columns are worth finding for iterations with so many weight vectors.

    Counts the operations of the Gram matrix, its eigenvectors and the rotation against those of an
    iteration.
    """
    small = min(m, d)
    return (
        m * d * small + 10 * small**3 + 2 * m * small * d * (d <= m) <= PRICE * 4 * m * d * columns
    )


def worthwhile_axes(m: int, d: int, columns: int) -> int | None:
    """How many axes of m rows of d columns to find for that many weight vectors (see `turn`)."""
    return None if turning_pays(m, d, columns) else min(LEADING, LEADING_EACH * (columns - 1))


def _centred(rows: FloatArray, scale: NDArray[Any] | None) -> Turned:
    mean = rows.mean(axis=0)  # any will do: it only keeps the numbers small

    def raw(weights: FloatArray) -> Raw:
        return _as_given(weights, scale, mean.astype(np.float64))

    return Turned(_standardised(rows, mean, scale), raw, rotated=False, alike=True)


def _led(rows: FloatArray, scale: NDArray[Any] | None, axes: int) -> Turned:
    """Dense columns X, centred, scaled and reflected, so that the first of them are the leading principal axes.

    X R with R = H diag(O', 1): H is the block reflector that takes the first unit vectors to the
    axes V times some rotation O (Schreiber & Parlett, Block reflectors, 1988).
    """
    mean = _mean(rows, None)
    X = _standardised(rows, mean, scale)
    V = _main_axes(X, min(axes, *X.shape))
    r = V.shape[1]
    left, sizes, right = np.linalg.svd(V[:r])
    turn_back = -(left @ right).T
    Y = V @ turn_back
    Y[np.diag_indices(r)] -= 1
    middle = (left / (1 + sizes)) @ left.T

    def raw(weights: FloatArray) -> Raw:
        coef = np.concatenate([weights[:, :r] @ turn_back, weights[:, r:]], axis=1)
        coef -= ((coef @ Y) @ middle) @ Y.T
        return _as_given(coef, scale, mean)

    main = X @ V
    X -= (X @ (Y @ middle)) @ Y.T
    X[:, :r] = main
    return Turned(X, raw, rotated=True, held=(turn_back, Y, middle))


def _few(rows: FloatArray, scale: NDArray[Any] | None) -> Turned:
    """Dense columns X (m, d), many more than rows, as L (m, r) of X = L Q' with orthonormal columns of Q, r < m.

    L is the Cholesky factor of XX' with pivots (Higham, Accuracy and Stability of Numerical
    Algorithms, 2002, section 10.3), which costs a tenth of the eigenvectors. The rank is where the
    pivots end. Both XX' and its factor are computed in double precision: in single precision a
    pivot that should be 0 was measured to be up to m / 5 times the rounding unit of the largest,
    which is more than RANK, and no bound between the two would keep real differences of rows.
    """
    mean = _mean(rows, None)
    gram = _exact_gram(rows, mean, scale)
    found, pivots, r, _ = scipy.linalg.lapack.dpstrf(
        gram, tol=RANK * float(gram.diagonal().max()), lower=1
    )
    order = pivots - 1
    L = np.empty((len(rows), r), np.float32)
    L[order] = np.tril(found[:, :r])
    corner, leaders = found[:r, :r].copy(), order[:r]

    def raw(weights: FloatArray) -> Raw:
        parts = scipy.linalg.solve_triangular(
            corner, weights.T, trans="T", lower=True, check_finite=False
        ).T
        coef = parts.astype(np.float32) @ _standardised(rows[leaders], mean, scale)
        return _as_given(coef, scale, mean)

    return Turned(L, raw, rotated=False, held=(corner, rows))


def _main_axes(X: FloatArray, count: int) -> FloatArray:
    """About the first right singular vectors of X (m, d), in descending order, by randomised subspace iteration.

    Halko, Martinsson & Tropp, Finding structure with randomness, 2011, algorithm 4.4. The seed is
    fixed: axes decide the path to a solution, not the solution.
    """
    V = np.random.default_rng(0).standard_normal((X.shape[1], count), np.float32)
    for _ in range(POWERS):
        V = np.linalg.qr(X.T @ (X @ V))[0]
    turned = X @ V
    return np.asarray(V @ _eigen(turned.T @ turned)[1][:, ::-1])


def _tall(rows: FloatArray, scale: NDArray[Any] | None, counts: IntArray | None) -> Turned:
    """Dense columns X (m, d), centred and scaled, as X V with the eigenvectors V (d, d) of X'X."""
    mean = _mean(rows, counts)
    X = _standardised(rows, mean, scale)
    counted: FloatArray = X if counts is None else X * _roots(counts)
    V = _eigen(counted.T @ counted)[1]

    def raw(weights: FloatArray) -> Raw:
        coef = weights @ V.T
        return _as_given(coef, scale, mean)

    return Turned(X @ V, raw, rotated=True, held=(V,))


def _wide(rows: Matrix, scale: NDArray[Any] | None, counts: IntArray | None) -> Turned:
    """Any columns X (m, d) with m <= d as D^-1/2 U S, from the eigenvectors U (m, r) of D^1/2 XX' D^1/2, r < m.

    D holds the counts. The eigenvectors are computed in double precision: the coefficients are found
    from U / S, so that where columns differ much in spread, errors of U that are small beside the
    largest eigenvalue move the weak directions, and with them the objective by its millionth part.
    """
    m = rows.shape[0]
    shares = np.full(m, 1 / m) if counts is None else counts / counts.sum()
    mean = _mean(rows, counts)
    gram = _gram(rows, mean, scale, shares)
    roots = np.ones((len(gram), 1), np.float32) if counts is None else _roots(counts)
    squares, U = (
        values.astype(np.float32) for values in _eigen((roots * gram * roots.T).astype(np.float64))
    )
    kept = squares > max(RANK * squares[-1], NEGATIVE * -squares[0], np.finfo(np.float32).tiny)
    S, U = np.sqrt(squares[kept]), U[:, kept]

    def raw(weights: FloatArray) -> Raw:
        parts = ((weights / S) @ U.T) * roots.T
        # The rows are centred: a constant in their parts changes nothing but the rounding.
        parts -= parts.sum(axis=1, keepdims=True) * shares.astype(np.float32)
        coef = parts @ rows if isinstance(rows, np.ndarray) else (rows.T @ parts.T).T
        if scale is not None:
            coef = coef * np.square(scale, dtype=np.float32)
        return np.asarray(coef), -(coef @ mean)

    return Turned(U * S / roots, raw, rotated=True, held=(rows, U))


def _scaled(rows: sparse.csr_matrix, scale: NDArray[Any] | None) -> Turned:
    """CSR columns, only scaled: centring or rotating them would fill them."""
    factors = None if scale is None else scale.astype(np.float32)

    def raw(weights: FloatArray) -> Raw:
        return weights if factors is None else weights * factors, np.zeros(len(weights))

    return Turned(
        sparse.csr_matrix(rows if factors is None else rows.multiply(factors)), raw, rotated=False
    )


def _bytes(matrix: Any) -> int:
    arrays = (
        [matrix] if isinstance(matrix, np.ndarray) else [matrix.data, matrix.indices, matrix.indptr]
    )
    return sum(array.nbytes for array in arrays)


def _as_given(coef: FloatArray, scale: NDArray[Any] | None, mean: NDArray[np.float64]) -> Raw:
    """Coefficients (c, d) of standardised columns as those of the columns as they were given; see Turned.raw."""
    if scale is not None:
        coef = coef * scale.astype(np.float32)
    return coef, -(coef @ mean)


def _mean(rows: Matrix, counts: IntArray | None) -> NDArray[np.float64]:
    if counts is None:
        return np.asarray(rows.mean(axis=0, dtype=np.float64)).ravel()
    return np.asarray((counts / counts.sum()).astype(np.float32) @ rows, dtype=np.float64).ravel()


def _roots(counts: IntArray) -> FloatArray:
    return np.sqrt(counts, dtype=np.float32)[:, None]


def _eigen(gram: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Eigenvalues, ascending, and eigenvectors; about twice as fast as numpy.linalg.eigh."""
    values, vectors = scipy.linalg.eigh(gram, driver="evd", overwrite_a=True, check_finite=False)
    return values, vectors


def _standardised(rows: FloatArray, mean: NDArray[Any], scale: NDArray[Any] | None) -> FloatArray:
    X = rows - mean.astype(np.float32)
    if scale is not None:
        X *= scale.astype(np.float32)
    return X


def _exact_gram(
    rows: FloatArray, mean: NDArray[np.float64], scale: NDArray[Any] | None
) -> NDArray[np.float64]:
    """Products (m, m) of the centred and scaled rows with each other, in float64."""
    gram = np.zeros((len(rows), len(rows)))
    for start in range(0, rows.shape[1], GRAM_COLUMNS):
        part = slice(start, start + GRAM_COLUMNS)
        X = _standardised(rows[:, part], mean[part], None if scale is None else scale[part])
        wide = X.astype(np.float64)
        gram += wide @ wide.T
    return gram


def _gram(rows: Matrix, mean: NDArray[np.float64], scale: NDArray[Any] | None,
          shares: NDArray[np.float64]) -> FloatArray:
    """Products (m, m) of the centred and scaled rows with each other."""
    if isinstance(rows, np.ndarray):
        X = _standardised(rows, mean, scale)
        return X @ X.T
    scaled = rows if scale is None else rows.multiply(scale.astype(np.float32)).tocsr()
    gram: FloatArray = (scaled @ scaled.T).toarray()
    means = gram @ shares.astype(np.float32)
    gram -= means + (means - shares.astype(np.float32) @ means)[:, None]
    return gram
