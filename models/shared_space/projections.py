"""Projections of pictures and texts into one space, in which both can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
import scipy
from numpy.typing import NDArray
from pydantic import Field

from features.block import Block, FloatArray, Modality, unit_rows
from features.estimator import Estimator
from models.preparation.principal_components import BlockReduction
from models.shared_space.landmarks import LandmarkKernel
from models.views import Views

Matrix = NDArray[np.float64]


class Projection(Estimator):
    """Learns where to put each modality in a common space, from samples that have both.

    Labels are not looked at. Both modalities are first reduced to their principal components
    (BlockReduction).

    Attributes
    ----------
    reductions_ : of each modality.
    maps_ : float64 (components, k) of each modality.
    """

    reductions_: dict[Modality, BlockReduction | LandmarkKernel]
    maps_: dict[Modality, Matrix]

    def fit(self, views: Views) -> Self:
        """Learn from n samples; where none has both modalities, everything is put at the origin."""
        raise NotImplementedError

    def project(self, modality: Modality, block: Block) -> FloatArray:
        """Points float32 (n, k) of norm 1: products are cosines. Zeros for missing samples."""
        return unit_rows(self.reductions_[modality].transform(block) @ self.maps_[modality])

    def _reduced(
        self, pairs: Views, components: int, random_state: int
    ) -> tuple[FloatArray, FloatArray]:
        """Reduced pictures (m, p) and texts (m, q) of the m samples that have both."""
        blocks = pairs.by_modality()
        self.reductions_ = {modality: BlockReduction(components, random_state).fit(block)
                            for modality, block in blocks.items()}
        image, text = (
            self.reductions_[modality].transform(block) for modality, block in blocks.items()
        )
        return image, text


class CorrelatedProjection(Projection):
    """Maps of features to their canonical correlations; see CanonicalCorrelation.

    Attributes
    ----------
    correlations_ : (k,) the regularised correlations rho, falling.
    """

    correlations_: Matrix

    def _correlate(
        self, image: FloatArray, text: FloatArray, regularisation: float, dimensions: int
    ) -> None:
        """Learn the maps from the features (m, p) and (m, q) of m pairs."""
        a, b = image.astype(np.float64), text.astype(np.float64)
        count = max(len(a), 1)
        factor_a = _factor(a.T @ a / count, regularisation)
        factor_b = _factor(b.T @ b / count, regularisation)
        half = scipy.linalg.solve_triangular(factor_a, a.T @ b / count, lower=True)
        left, correlations, right = scipy.linalg.svd(
            scipy.linalg.solve_triangular(factor_b, half.T, lower=True).T, full_matrices=False)
        self.correlations_ = correlations[:dimensions]
        width = len(self.correlations_)
        of_image = scipy.linalg.solve_triangular(factor_a.T, left[:, :width])
        of_text = scipy.linalg.solve_triangular(factor_b.T, right[:width].T)
        self.maps_ = {"image": of_image * self.correlations_, "text": of_text * self.correlations_}


@dataclass(kw_only=True, eq=False, repr=False)
class CanonicalCorrelation(CorrelatedProjection):
    """Regularised canonical correlation analysis, in closed form.

    See Hotelling (1936) and Hardoon et al. (2004).

    With the covariances C_a, C_b of both modalities and C_ab between them, over the pairs, the
    directions u, v are those of the greatest correlations rho:

        max u' C_ab v   with   u' R_a u = v' R_b v = 1,   R = (1 - r) C + r (tr C / d) I

    found from the Cholesky factors R = L L' and the singular value decomposition inv(L_a) C_ab
    inv(L_b)' = U diag(rho) V'. r = 0 is plain CCA, r = 1 the covariance's own directions (partial
    least squares). Each direction counts by its correlation (Gong et al. 2014), so that what the
    modalities do not share has no say in a comparison.

    Parameters
    ----------
    dimensions : most directions kept.
    regularisation : r, how far the covariances are drawn to a multiple of the unit matrix.
    reduce : most principal components of each modality.
    random_state : see BlockReduction.

    Attributes
    ----------
    correlations_ : (k,) the regularised correlations rho, falling.
    """

    dimensions: Annotated[int, Field(ge=1)] = 64
    regularisation: Annotated[float, Field(gt=0, le=1)] = 0.5
    reduce: Annotated[int, Field(ge=1)] = 256
    random_state: int = 0

    def fit(self, views: Views) -> Self:
        """See Projection.fit."""
        image, text = self._reduced(views.complete(), self.reduce, self.random_state)
        self._correlate(image, text, self.regularisation, self.dimensions)
        return self


@dataclass(kw_only=True, eq=False, repr=False)
class TextSpace(Projection):
    """The texts' own space; pictures are mapped into it by ridge regression (Socher et al. 2013).

    With the centred pictures x and texts y of the pairs, their covariance C_xy, and R as in
    CanonicalCorrelation:

        W = inv(R_x) C_xy,   x -> x W,   y -> y

    Parameters
    ----------
    regularisation, reduce, random_state : see CanonicalCorrelation.
    """

    regularisation: Annotated[float, Field(gt=0, le=1)] = 0.5
    reduce: Annotated[int, Field(ge=1)] = 256
    random_state: int = 0

    def fit(self, views: Views) -> Self:
        """See Projection.fit."""
        reduced = self._reduced(views.complete(), self.reduce, self.random_state)
        x, y = (part.astype(np.float64) for part in reduced)
        count = max(len(x), 1)
        self.maps_ = {
            "image": scipy.linalg.solve(
                regularised(x.T @ x / count, self.regularisation), x.T @ y / count, assume_a="pos"
            ),
            "text": np.eye(y.shape[1]),
        }
        return self


@dataclass(kw_only=True, eq=False, repr=False)
class EncodersSpace(Projection):
    """The space that both encoders share: nothing is learned, points are their unit vectors."""

    def fit(self, views: Views) -> Self:
        """Nothing is learned: samples are not looked at.

        Raises
        ------
        ValueError
            Where the modalities are not equally wide: they are then in no common space.
        """
        widths = {modality: block.width for modality, block in views.blocks().items()}
        if len(set(widths.values())) > 1:
            raise ValueError(
                "pictures and texts share no space: "
                + " and ".join(f"{width} {modality} features" for modality, width in widths.items())
                + " cannot be compared"
            )
        return self

    def project(self, modality: Modality, block: Block) -> FloatArray:
        """See Projection.project."""
        return unit_rows(block.sequence()[0][:, 0])


def _factor(covariance: Matrix, share: float) -> Matrix:
    """Lower Cholesky factor of the regularised covariance."""
    return np.asarray(scipy.linalg.cholesky(regularised(covariance, share), lower=True))


def regularised(covariance: Matrix, share: float) -> Matrix:
    """(1 - r) C + r (tr C / d) I for the share r; r I instead of its second term if that is 0."""
    mean = float(np.trace(covariance)) / len(covariance)
    return (1 - share) * covariance + share * (mean if mean > 0 else 1.0) * np.eye(len(covariance))
