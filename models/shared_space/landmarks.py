"""Kernel features of principal components, by landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
import scipy
from pydantic import Field

from features.block import Block, FloatArray
from features.estimator import Estimator
from models.preparation.principal_components import BlockReduction

RANK = 1e-5  # eigenvalues below this fraction of the largest are rounding errors in float32
PAIRS = 500  # landmarks among which the median distance is taken


@dataclass(kw_only=True, eq=False, repr=False)
class LandmarkKernel(Estimator):
    """Features whose products are those of a Gaussian kernel (Nystroem: Williams and Seeger 2001).

    With the reduced samples x, landmarks z_1 ... z_m among them, and the kernel

        k(x, z) = exp(-w |x - z|^2 / median |z_i - z_j|^2)

    a sample's features are k(x, z) U diag(l)^(-1/2), where U and l are the eigenvectors and
    eigenvalues of the landmarks' kernel matrix, less their mean over the training samples. They are
    turned to their principal components, of which the first are kept, and scaled to a total
    variance of 1. The kernel's own mean distance is what w = 1 stands for.

    Parameters
    ----------
    components : most components kept, before the kernel and after it.
    landmarks : m, drawn without replacement; all distinct samples where there are fewer.
    sharpness : w.
    random_state : seed of the draw.

    Attributes
    ----------
    reduction_ : BlockReduction before the kernel.
    landmarks_ : float32 (m, p).
    scale_ : w divided by the median squared distance.
    basis_ : float32 (m, k); offset_ : float32 (k,).
    """

    components: Annotated[int, Field(ge=1)] = 512
    landmarks: Annotated[int, Field(ge=2)] = 1000
    sharpness: Annotated[float, Field(gt=0)] = 0.5
    random_state: int = 0

    def fit(self, block: Block) -> Self:
        """Learn from the samples of a pooled block that have the modality."""
        self.reduction_ = BlockReduction(self.components, self.random_state).fit(block)
        distinct = np.unique(block.index[block.present])
        rng = np.random.default_rng(self.random_state)
        drawn = np.sort(rng.permutation(distinct)[: self.landmarks])
        self.landmarks_ = self.reduction_.transform(block.at(drawn))
        self.scale_ = self.sharpness / _median_distance(self.landmarks_)
        self._learn_components(self.reduction_.transform(block.take(block.present)))
        return self

    def _learn_components(self, rows: FloatArray) -> None:
        """Turn the features of reduced rows (n, p) to their principal components."""
        if not len(rows):
            self.basis_ = np.zeros((0, 1), dtype=np.float32)
            self.offset_ = np.zeros(1, dtype=np.float32)
            return
        values, vectors = scipy.linalg.eigh(self._kernel(self.landmarks_).astype(np.float64))
        sound = values > RANK * values[-1]
        root = vectors[:, sound] / np.sqrt(values[sound])
        features = self._kernel(rows) @ root
        mean = features.mean(axis=0)
        centred = features - mean
        powers, axes = scipy.linalg.eigh(centred.T @ centred / len(centred))
        axes = axes[:, ::-1][:, : self.components]
        total = float(np.maximum(powers, 0).sum())
        axes = axes / np.sqrt(total) if total > 0 else axes * 0.0
        self.basis_ = np.ascontiguousarray(root @ axes, np.float32)
        self.offset_ = np.asarray(mean @ axes, np.float32)

    def transform(self, block: Block) -> FloatArray:
        """Features float32 (n, k), zeros where the modality is missing."""
        features = self._kernel(self.reduction_.transform(block)) @ self.basis_ - self.offset_
        features[~block.present] = 0.0
        return np.asarray(features, dtype=np.float32)

    def _kernel(self, rows: FloatArray) -> FloatArray:
        """Kernel (n, m) of reduced rows (n, p) and the landmarks."""
        distances = _squared_distances(rows, self.landmarks_)
        return np.asarray(np.exp(-self.scale_ * distances), dtype=np.float32)


def _squared_distances(rows: FloatArray, others: FloatArray) -> FloatArray:
    norms = np.square(rows).sum(axis=1)[:, None] + np.square(others).sum(axis=1)
    return np.asarray(np.maximum(norms - 2 * (rows @ others.T), 0), dtype=np.float32)


def _median_distance(rows: FloatArray) -> float:
    """Median squared distance of two different rows; 1 where all are equal."""
    first = rows[:PAIRS]
    distances = _squared_distances(first, first)[np.triu_indices(len(first), 1)]
    median = float(np.median(distances)) if len(distances) else 0.0
    return median if median > 0 else 1.0
