"""Principal axes of dense features, learned from training samples read piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.block import Block, FloatArray

PIECE = 2048  # vectors in memory at once
SMALLEST = (
    1e-7  # axes whose variance is below this share of the first one's hold rounding errors only
)


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """Coordinates on principal axes: (x - mean) @ axes.

    Parameters
    ----------
    mean : float32 (d,)
    axes : float32 (d, k), orthogonal columns; of unit length, or (whitened) so long that every
        coordinate of the training samples has variance 1.
    """

    mean: FloatArray
    axes: FloatArray

    @classmethod
    def learned(cls, features: Block, components: int, whiten: bool) -> PrincipalComponents:
        """The first principal axes of all vectors of a block, each region of a picture by itself.

        An axis points where its largest coordinate is positive, so that the result has one sign.

        Raises
        ------
        ValueError
            Where there are fewer vectors or coordinates than components.
        """
        count = sum(len(vectors) for vectors in _vectors(features))
        most = min(count - 1, features.width)
        if components > most:
            raise ValueError(
                f"pca: {components} components cannot be learned from {count} vectors of "
                f"{features.width} coordinates; {most} at most"
            )
        sums = (vectors.sum(axis=0, dtype=np.float64) for vectors in _vectors(features))
        mean = sum(sums, start=np.zeros(features.width)) / count
        scatter = np.zeros((features.width, features.width))
        for vectors in _vectors(features):
            centred = vectors - mean.astype(np.float32)
            scatter += centred.T @ centred
        variances, axes = _first_axes(scatter / (count - 1), components)
        if whiten:
            axes = axes / np.sqrt(
                np.maximum(variances, SMALLEST * max(variances[0], np.finfo(np.float32).tiny))
            )
        return cls(mean.astype(np.float32), axes.astype(np.float32))

    def __call__(self, features: Block) -> Block:
        """The same samples in k coordinates; absent ones and masked positions stay zero."""
        if not features.is_sequence:
            values = (np.asarray(features.array()) - self.mean) @ self.axes
            values[~features.present] = 0.0
            return Block.of(values)
        regions, mask = features.sequence()
        values = (regions - self.mean) @ self.axes
        values[~mask] = 0.0
        return Block.of(values, mask)


def _first_axes(
    covariance: NDArray[np.float64], components: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Variances (k,), largest first, and axes (d, k)."""
    variances, axes = np.linalg.eigh(covariance)
    variances, axes = variances[::-1][:components], axes[:, ::-1][:, :components]
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(components)])
    return variances, axes * signs


def _vectors(features: Block) -> Iterator[FloatArray]:
    """All vectors that are there, float32 (v, d), some samples at a time."""
    for start in range(0, len(features), PIECE):
        piece = features.take(np.arange(start, min(start + PIECE, len(features))))
        vectors, mask = piece.sequence()
        yield vectors[mask]
