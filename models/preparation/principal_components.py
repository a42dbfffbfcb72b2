"""Principal components of pooled vectors and of those in sequences, to train on fewer columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Self

import numpy as np
import scipy
from numpy.typing import NDArray
from pydantic import Field

from features.block import Block, BoolArray, FloatArray
from features.estimator import Estimator
from models.classifier import Array
from models.kept import RECENT, Arrays

SAMPLES_AT_ONCE = 32  # 8 MB of regions: with 128, of 32 MB, reducing takes 1.3 times as long
MOST_KEPT = 2**26  # bytes of what is made of one block's sequences
RANK = 1e-6  # singular values below this fraction of the largest are rounding errors in float32


@dataclass(eq=False, repr=False)
class SequenceReduction(Estimator):
    """Projects regions or tokens on their principal components, of unit mean variance.

    Components come from the eigenvectors of the covariance of at most `vectors` vectors of the
    training samples, drawn without replacement. One number scales them all, so that leading
    components stay the larger ones. Samples are read a few at a time: the wide sequences never lie
    in memory together.

    Parameters
    ----------
    components : number of components kept (all, where vectors are no wider).
    vectors : how many vectors the covariance is taken over.
    random_state : seed of the draw.

    Attributes
    ----------
    mean_ : float32 (d,).
    basis_ : float32 (d, components), scaled eigenvectors.
    """

    components: Annotated[int, Field(ge=1)] = 128
    vectors: Annotated[int, Field(ge=1)] = 8000
    random_state: int = 0

    def fit(self, block: Block) -> Self:
        """Learn the components from the training samples of a block."""
        self.mean_, self.basis_ = _of_sequences(
            block,
            ("components", self.components, self.vectors, self.random_state),
            lambda: self._components(self._drawn(block)),
            size=4 * block.width * (self.components + 1),
        )
        return self

    def _components(self, drawn: FloatArray) -> Arrays:
        """Drawn vectors decide the components: those of equal ones need not be found again."""
        return RECENT.arrays(
            ("sequence components", self.components, drawn), lambda: self._learned(drawn)
        )

    def _learned(self, drawn: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and components of vectors (v, d), which are centred in place."""
        mean = drawn.mean(axis=0, dtype=np.float64).astype(np.float32)
        drawn -= mean
        covariance = drawn.T @ drawn / np.float32(max(len(drawn), 1))
        width = len(covariance)
        powers, vectors = scipy.linalg.eigh(
            covariance, subset_by_index=(max(0, width - self.components), width - 1)
        )
        power = float(np.maximum(powers, 0).mean())
        return mean, np.ascontiguousarray(
            vectors[:, ::-1] / (np.sqrt(power) if power > 0 else np.inf), np.float32
        )

    def transform(self, block: Block) -> tuple[FloatArray, BoolArray]:
        """Reduced sequences float32 (n, t, components) and mask bool (n, t); zeros where masked.

        A sequence that several samples have is reduced once.
        """
        distinct, position = _distinct(block)
        reduced, mask = _of_sequences(
            distinct,
            ("reduced", self.mean_, self.basis_),
            lambda: self._reduced(distinct),
            size=4 * len(distinct) * _length(block) * self.basis_.shape[1],
        )
        return _at(reduced, position), _at(mask, position)

    def _reduced(self, block: Block) -> tuple[FloatArray, BoolArray]:
        reduced, masks = [], []
        of_mean = self.mean_ @ self.basis_
        for values, mask in _portions(block):
            projected = values @ self.basis_
            projected -= of_mean
            projected[~mask] = 0.0
            reduced.append(projected)
            masks.append(mask)
        return np.concatenate(reduced), np.concatenate(masks)

    def _drawn(self, block: Block) -> FloatArray:
        """At most `vectors` vectors (v, d), the same number from every sample that has as many."""
        rng = np.random.default_rng(self.random_state)
        present = np.flatnonzero(block.present)
        if not len(present):
            return np.zeros((1, block.width), dtype=np.float32)
        share = max(1, -(-self.vectors // len(present)))
        rows = rng.permutation(present)[: self.vectors]
        drawn = []
        for values, mask in _portions(block.take(rows)):
            for vectors, there in zip(values, mask, strict=True):
                of_sample = vectors[there]
                drawn.append(of_sample[rng.permutation(len(of_sample))[:share]])
        return np.concatenate(drawn)


def mean_vectors(block: Block) -> Block:
    """The pooled block of a sequence block: the mean over each sample's regions or tokens."""
    distinct, position = _distinct(block)
    (means,) = _of_sequences(
        distinct, ("means",), lambda: (_means(distinct),), size=4 * len(distinct) * block.width
    )
    return Block(means, np.where(block.present, position, -1))


def _means(block: Block) -> FloatArray:
    return np.concatenate([
        values.sum(axis=1) / np.maximum(mask.sum(axis=1), 1)[:, None].astype(np.float32)
        for values, mask in _portions(block)
    ])


def _of_sequences(
    block: Block, work: tuple[object, ...], compute: Callable[[], Arrays], size: int
) -> Arrays:
    """What is made of a block's sequences: kept where their content is known and it is small.

    Every text encoder of a grid asks for the same of the same regions. Fits of attention with the
    second to fourth encoder take 1.7 times as long without it: `python -m benchmarks.kept grid.yaml
    --cells attention`.
    """
    if block.digest is None or size > MOST_KEPT:
        return compute()
    return RECENT.arrays(("sequences", *work, block.digest, block.index), compute)


def _distinct(block: Block) -> tuple[Block, NDArray[np.int64]]:
    """The block's distinct samples, none for a missing one too, and which of them each is."""
    distinct, position = np.unique(block.index, return_inverse=True)
    return block.at(distinct), position


def _at(array: NDArray[Any], position: NDArray[np.int64]) -> NDArray[Any]:
    """Rows of an array, to be changed by whoever asks: one that is kept nobody may change."""
    if array.flags.writeable and np.array_equal(position, np.arange(len(array))):
        return array
    return array[position]


def _length(block: Block) -> int:
    return int(block.values.shape[1]) if block.is_sequence else 1


def _portions(block: Block) -> Iterator[tuple[FloatArray, BoolArray]]:
    for start in range(0, max(len(block), 1), SAMPLES_AT_ONCE):
        yield block.take(np.arange(start, min(start + SAMPLES_AT_ONCE, len(block)))).sequence()


@dataclass(eq=False, repr=False)
class BlockReduction(Estimator):
    """Projects a pooled block on its principal components.

    Dense rows are centred before. Sparse ones are not, to keep them sparse (latent semantic
    analysis, Deerwester et al. 1990); their components are centred after. Samples without the
    modality are left out, and become rows of zeros, the mean of the training rows.

    Parameters
    ----------
    components : most components kept; fewer where the training rows vary in fewer directions, but
        one at least.
    random_state : seed of the randomised decomposition, which only wide blocks need.
    products : take the components of sparse rows from the products of all rows, without drawing
        anything, where half as many components are asked for as there are rows: of 1,315 names and
        1,024 components in .26 s in place of .72 (TruncatedSVD beside _of_products).
    """

    components: Annotated[int, Field(ge=1)] = 128
    random_state: int = 0
    products: bool = False

    def fit(self, block: Block) -> Self:
        """Learn the components from the training samples of a block."""
        rows = block.take(block.present).array()
        self.offset_, self.basis_ = RECENT.arrays(
            ("components", self.components, self.random_state, self.products, rows),
            lambda: self._learned(rows),
        )
        return self

    def _learned(self, rows: Array) -> tuple[FloatArray, FloatArray]:
        """Mean (d,) and components (d, k) of rows (n, d), dense or CSR."""
        from sklearn.decomposition import PCA, TruncatedSVD

        width = rows.shape[1]
        if rows.shape[0] < 2:  # nothing varies
            return np.zeros(width, np.float32), np.zeros((width, 1), np.float32)
        if scipy.sparse.issparse(rows):
            offset = np.asarray(rows.mean(axis=0), np.float32).ravel()
            if self.products and rows.shape[0] <= 2 * self.components:
                return offset, _of_products(rows, self.components)
            svd = TruncatedSVD(min(self.components, width), random_state=self.random_state)
            decomposition = _fitted(svd, rows)
        else:
            offset = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
            pca = PCA(min(self.components, *rows.shape), random_state=self.random_state)
            decomposition = _fitted(pca, rows)
        powers = decomposition.singular_values_
        varies = powers > RANK * powers[0]
        basis = decomposition.components_[varies].T if varies.any() else np.zeros((width, 1))
        return offset, np.ascontiguousarray(basis, np.float32)

    def transform(self, block: Block) -> FloatArray:
        """Components float32 (n, k), zeros where the modality is missing."""
        projected: FloatArray = np.asarray(block.array() @ self.basis_) - self.offset_ @ self.basis_
        projected[~block.present] = 0.0
        return projected


def _of_products(rows: scipy.sparse.csr_matrix, components: int) -> FloatArray:
    """At most so many right singular vectors (d, k) of rows (n, d), by their products (n, n)."""
    products = (rows @ rows.T).toarray()
    squares, left = scipy.linalg.eigh(
        products, driver="evd", overwrite_a=True, check_finite=False
    )
    # squares of singular values: half of their digits would be noise below this
    varies = np.flatnonzero(squares > RANK * squares[-1])[::-1][:components]
    if not len(varies):
        return np.zeros((rows.shape[1], 1), np.float32)
    left = left[:, varies] / np.sqrt(squares[varies])
    return np.ascontiguousarray(rows.T @ left, np.float32)


def _fitted(decomposition: Any, rows: Array) -> Any:
    """Of rows that are all alike it divides by their variance, for shares that nobody asks for."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return decomposition.fit(rows)
