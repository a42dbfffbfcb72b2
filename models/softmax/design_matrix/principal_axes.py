"""Blocks of the design matrix in the axes of their principal components.

There the columns are fewer and nearly independent. A rotation changes no solution: the penalty is
the same in all directions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from features.block import FloatArray, IntArray
from models.softmax.design_matrix.transformed_block import (
    Coefficients,
    DoubleArray,
    Matrix,
    TransformedBlock,
    column_means,
    standardised,
    unstandardised,
)

# Iterations that finding the principal axes may cost: without them, many more are needed
# (benchmarks.softmax --ablate "principal axes": 1.2 to 2.7 times the time of 20 fits and more).
PRICE = 300
# Where finding all axes does not pay, so many leading ones do, for each weight vector but the first
# (whose iterations are cheaper than axes) and at most; and powers of X'X that bring them out.
LEADING_PER_VECTOR, MOST_LEADING, POWERS = 20, 60, 2
# Eigenvalues below this fraction of the largest are rounding errors of the float32 rows; so is what
# is no larger than so many times the most negative one, where there should be none.
RANK, NEGATIVE = 2e-7, 3
# Sparse rows are rotated, and so filled, where that leaves at most this many numbers for each
# stored one.
FILLED = 30


def transform(rows: Matrix, scale: NDArray[Any] | None = None, counts: IntArray | None = None,
              axes: int | None = None) -> TransformedBlock:
    """The rows in the coordinates that suit their number and kind.

    Parameters
    ----------
    rows : float32 (m, d) or CSR (m, d)
    scale : float (d,), factor of each column, or None
    counts : int (m,), how many samples have each row; None for 1 each
    axes : how many leading axes to find, of dense columns only; None to find all
    """
    m, d = rows.shape
    if not isinstance(rows, np.ndarray):
        rotate = axes is None and m <= d and m * m <= FILLED * rows.nnz
        return _axes_of_gram(rows, scale, counts) if rotate else _scaled(rows, scale)
    if axes is None:
        return (_axes_of_gram if m < d else _axes_of_covariance)(rows, scale, counts)
    if axes:
        return _leading_axes(rows, scale, axes)
    return _centred(rows, scale)


def rotation_pays(m: int, d: int, vectors: int) -> bool:
    """Whether the axes of m rows of d columns are worth finding for so many weight vectors.

    Counts the operations of the Gram matrix, its eigenvectors and the rotation against those of an
    iteration.
    """
    small = min(m, d)
    return (
        m * d * small + 10 * small**3 + 2 * m * small * d * (d <= m) <= PRICE * 4 * m * d * vectors
    )


def axes_to_find(m: int, d: int, vectors: int) -> int | None:
    """How many axes of m rows of d columns to find for that many vectors (see `transform`)."""
    if rotation_pays(m, d, vectors):
        return None
    return min(MOST_LEADING, LEADING_PER_VECTOR * (vectors - 1))


def _centred(rows: FloatArray, scale: NDArray[Any] | None) -> TransformedBlock:
    mean = rows.mean(axis=0)  # any will do: it only keeps the numbers small

    def to_original(weights: FloatArray) -> Coefficients:
        return unstandardised(weights, scale, mean.astype(np.float64))

    X = standardised(rows, mean, scale)
    return TransformedBlock(X, to_original, rotated=False, dense_as_given=True)


def _scaled(rows: scipy.sparse.csr_matrix, scale: NDArray[Any] | None) -> TransformedBlock:
    """CSR columns, only scaled: centring or rotating them would fill them."""
    factors = None if scale is None else scale.astype(np.float32)

    def to_original(weights: FloatArray) -> Coefficients:
        return weights if factors is None else weights * factors, np.zeros(len(weights))

    X = scipy.sparse.csr_matrix(rows if factors is None else rows.multiply(factors))
    return TransformedBlock(X, to_original, rotated=False)


def _leading_axes(rows: FloatArray, scale: NDArray[Any] | None, axes: int) -> TransformedBlock:
    """Dense columns X, standardised and reflected: the first are the leading principal axes.

    X R with R = H diag(O', 1): H = I - Y M Y' is the block reflector that takes the first unit
    vectors to the axes V times some rotation O (Schreiber & Parlett, Block reflectors, 1988).
    """
    mean = column_means(rows, None)
    X = standardised(rows, mean, scale)
    V = _randomised_axes(X, min(axes, *X.shape))
    r = V.shape[1]
    left, sizes, right = np.linalg.svd(V[:r])
    rotation = -(left @ right).T
    Y = V @ rotation
    Y[np.diag_indices(r)] -= 1
    M = (left / (1 + sizes)) @ left.T

    def to_original(weights: FloatArray) -> Coefficients:
        coef = np.concatenate([weights[:, :r] @ rotation, weights[:, r:]], axis=1)
        coef -= ((coef @ Y) @ M) @ Y.T
        return unstandardised(coef, scale, mean)

    components = X @ V
    X -= (X @ (Y @ M)) @ Y.T
    X[:, :r] = components
    return TransformedBlock(X, to_original, rotated=True, referenced=(rotation, Y, M))


def _randomised_axes(X: FloatArray, count: int) -> FloatArray:
    """About the first right singular vectors of X (m, d), descending, by subspace iteration.

    Halko, Martinsson & Tropp, Finding structure with randomness, 2011, algorithm 4.4. The seed is
    fixed: axes decide the path to a solution, not the solution.
    """
    V = np.random.default_rng(0).standard_normal((X.shape[1], count), np.float32)
    for _ in range(POWERS):
        V = np.linalg.qr(X.T @ (X @ V))[0]
    components = X @ V
    return np.asarray(V @ _eigen(components.T @ components)[1][:, ::-1])


def _axes_of_covariance(
    rows: FloatArray, scale: NDArray[Any] | None, counts: IntArray | None
) -> TransformedBlock:
    """Dense columns X (m, d), standardised, as X V with the eigenvectors V (d, d) of X'X."""
    mean = column_means(rows, counts)
    X = standardised(rows, mean, scale)
    counted: FloatArray = X if counts is None else X * _roots(counts)
    V = _eigen(counted.T @ counted)[1]

    def to_original(weights: FloatArray) -> Coefficients:
        coef = weights @ V.T
        return unstandardised(coef, scale, mean)

    return TransformedBlock(X @ V, to_original, rotated=True, referenced=(V,))


def _axes_of_gram(
    rows: Matrix, scale: NDArray[Any] | None, counts: IntArray | None
) -> TransformedBlock:
    """Any columns X (m, d), m <= d, as D^-1/2 U S with the eigenvectors U of D^1/2 XX' D^1/2.

    U is (m, r), r < m; S holds the roots of the eigenvalues, D the counts. The eigenvectors are
    computed in double precision: the coefficients are found from U / S, so that where columns
    differ much in spread, errors of U that are small beside the largest eigenvalue move the weak
    directions, and with them the objective by its millionth part.
    """
    m = rows.shape[0]
    shares = np.full(m, 1 / m) if counts is None else counts / counts.sum()
    mean = column_means(rows, counts)
    gram = _gram(rows, mean, scale, shares)
    roots = np.ones((len(gram), 1), np.float32) if counts is None else _roots(counts)
    squares, U = (
        values.astype(np.float32) for values in _eigen((roots * gram * roots.T).astype(np.float64))
    )
    real = squares > max(RANK * squares[-1], NEGATIVE * -squares[0], np.finfo(np.float32).tiny)
    S, U = np.sqrt(squares[real]), U[:, real]

    def to_original(weights: FloatArray) -> Coefficients:
        parts = ((weights / S) @ U.T) * roots.T
        # The rows are centred: a constant in their parts changes nothing but the rounding.
        parts -= parts.sum(axis=1, keepdims=True) * shares.astype(np.float32)
        coef = parts @ rows if isinstance(rows, np.ndarray) else (rows.T @ parts.T).T
        if scale is not None:
            coef = coef * np.square(scale, dtype=np.float32)
        return np.asarray(coef), -(coef @ mean)

    return TransformedBlock(U * S / roots, to_original, rotated=True, referenced=(rows, U))


def _roots(counts: IntArray) -> FloatArray:
    return np.sqrt(counts, dtype=np.float32)[:, None]


def _eigen(gram: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Eigenvalues, ascending, and eigenvectors; about twice as fast as numpy.linalg.eigh."""
    values, vectors = scipy.linalg.eigh(gram, driver="evd", overwrite_a=True, check_finite=False)
    return values, vectors


def _gram(
    rows: Matrix, mean: DoubleArray, scale: NDArray[Any] | None, shares: DoubleArray
) -> FloatArray:
    """Products (m, m) of the standardised rows with each other."""
    if isinstance(rows, np.ndarray):
        X = standardised(rows, mean, scale)
        return X @ X.T
    scaled = rows if scale is None else rows.multiply(scale.astype(np.float32)).tocsr()
    gram: FloatArray = (scaled @ scaled.T).toarray()
    means = gram @ shares.astype(np.float32)
    gram -= means + (means - shares.astype(np.float32) @ means)[:, None]
    return gram
