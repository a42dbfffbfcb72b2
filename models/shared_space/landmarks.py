"""Kernel features of principal components, by landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
import scipy
from pydantic import Field

from features.block import Block, FloatArray
from features.estimator import Estimator
from models.kept import RECENT
from models.preparation.principal_components import BlockReduction

RANK = 1e-5  # eigenvalues below this fraction of the largest are rounding errors in float32
PAIRS = 500  # landmarks among which the median distance is taken


@dataclass(kw_only=True, eq=False, repr=False)
class LandmarkKernel(Estimator):
    """Features whose products are those of a Gaussian kernel (Nystroem: Williams and Seeger 2001).

    With the reduced samples x, landmarks z_1 ... z_m among them, and the kernel

        k(x, z) = exp(-w |x - z|^2 / median |z_i - z_j|^2)

    a sample's features are k(x, z) U diag(l)^(-1/2), where U and l are the eigenvectors and
    eigenvalues of the landmarks' kernel matrix, less their mean over the distinct training samples.
    They are turned to their principal components, of which the first are kept, and scaled to a
    total variance of 1.

    Parameters
    ----------
    components : most components kept, before the kernel and after it.
    landmarks : m, drawn without replacement; all distinct samples where there are fewer.
    sharpness : w, how fast samples cease to be alike as they are apart.
    random_state : seed of the draw.

    Attributes
    ----------
    reduction_ : BlockReduction before the kernel.
    landmarks_ : float32 (m, p).
    scale_ : float32 (1,), w divided by the median squared distance.
    basis_ : float32 (m, k); offset_ : float32 (k,).
    """

    components: Annotated[int, Field(ge=1)] = 512
    landmarks: Annotated[int, Field(ge=2)] = 1000
    sharpness: Annotated[float, Field(gt=0)] = 0.5
    random_state: int = 0

    def fit(self, block: Block) -> Self:
        """Learn from the distinct samples of a pooled block that have the modality."""
        distinct = block.at(np.unique(block.index[block.present]))
        self.reduction_ = BlockReduction(self.components, self.random_state).fit(distinct)
        rows = self.reduction_.transform(distinct)
        # Settings that differ in what comes after share it.
        self.landmarks_, self.scale_, self.basis_, self.offset_ = RECENT.arrays(
            ("landmark kernel", *self.get_params().items(), rows), lambda: self._learned(rows)
        )
        return self

    def _learned(self, rows: FloatArray) -> tuple[FloatArray, ...]:
        """Landmarks, scale, basis and offset from reduced rows (n, p)."""
        rng = np.random.default_rng(self.random_state)
        landmarks = rows[np.sort(rng.permutation(len(rows))[: self.landmarks])]
        scale = np.array([self.sharpness / _median_distance(landmarks)], dtype=np.float32)
        if not len(rows):
            return landmarks, scale, np.zeros((0, 1), np.float32), np.zeros(1, np.float32)
        gram = _kernel(landmarks, landmarks, scale).astype(np.float64)
        values, vectors = scipy.linalg.eigh(gram)
        sound = values > RANK * values[-1]
        root = vectors[:, sound] / np.sqrt(values[sound])
        features = _kernel(rows, landmarks, scale) @ root
        mean = features.mean(axis=0)
        centred = features - mean
        powers, axes = scipy.linalg.eigh(centred.T @ centred / len(centred))
        axes = axes[:, ::-1][:, : self.components]
        total = float(np.maximum(powers, 0).sum())
        axes = axes / np.sqrt(total) if total > 0 else axes * 0.0
        basis = np.ascontiguousarray(root @ axes, np.float32)
        return landmarks, scale, basis, np.asarray(mean @ axes, np.float32)

    def transform(self, block: Block) -> FloatArray:
        """Features float32 (n, k), zeros where the modality is missing."""
        distinct, numbers = np.unique(block.index[block.present], return_inverse=True)
        rows = self.reduction_.transform(block.at(distinct))
        of_distinct = _kernel(rows, self.landmarks_, self.scale_) @ self.basis_ - self.offset_
        features = np.zeros((len(block), of_distinct.shape[1]), dtype=np.float32)
        features[block.present] = of_distinct[numbers]
        return features


def _kernel(rows: FloatArray, landmarks: FloatArray, scale: FloatArray) -> FloatArray:
    """Kernel (n, m) of reduced rows (n, p) and landmarks (m, p)."""
    distances = _squared_distances(rows, landmarks)
    return np.asarray(np.exp(-scale * distances), dtype=np.float32)


def _squared_distances(rows: FloatArray, others: FloatArray) -> FloatArray:
    norms = np.square(rows).sum(axis=1)[:, None] + np.square(others).sum(axis=1)
    return np.asarray(np.maximum(norms - 2 * (rows @ others.T), 0), dtype=np.float32)


def _median_distance(rows: FloatArray) -> float:
    """Median squared distance of two different rows; 1 where all are equal."""
    first = rows[:PAIRS]
    distances = _squared_distances(first, first)[np.triu_indices(len(first), 1)]
    median = float(np.median(distances)) if len(distances) else 0.0
    return median if median > 0 else 1.0
