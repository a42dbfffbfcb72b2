"""Canonical correlations of kernel features, corrected for hubs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field

from features.block import Block, FloatArray, Modality
from models.classifier import Classifier
from models.classifiers.logistic import Logistic
from models.neural.fusion import Count, NotNegative, Positive
from models.shared_space.classification import Direction, SharedSpace
from models.shared_space.landmarks import LandmarkKernel
from models.shared_space.points import Join
from models.shared_space.projections import CorrelatedProjection
from models.views import Views

NEIGHBOURS = 10  # Conneau et al. 2018
BANK = 10_000  # most training samples of a modality that tell hubs
AT_ONCE = 1024  # samples that are compared with the bank together


@dataclass(kw_only=True, eq=False, repr=False)
class KernelCorrelation(CorrelatedProjection):
    """Regularised kernel canonical correlation analysis (Akaho 2001; Hardoon et al. 2004).

    That of CanonicalCorrelation, on the kernel features of LandmarkKernel instead of principal
    components. Features that are never negative, such as those behind a ReLU, are rooted first
    (Perronnin, Sanchez and Mensink 2010): then a few large ones do not decide the distances.

    In such a space some samples are near to everything: hubs (Dinu, Lazaridou and Baroni 2015).
    With the unit vectors a of a picture and b of a text, and r(a) the mean product of a and its ten
    nearest training texts, r(b) that of b and its ten nearest training pictures, they match by

        a . b - h r(a) - h r(b)

    which for h = 1/2 is half of cross-domain similarity local scaling (Conneau et al. 2018), with
    training samples for neighbours: what a query gets does not depend on the other ones. Points
    hold it as two further columns, (a, -h r(a), 1) and (b, 1, -h r(b)), whose product it is.

    Parameters
    ----------
    dimensions, regularisation, random_state : see CanonicalCorrelation.
    reduce : most principal components of each modality, before the kernel and after it.
    landmarks, sharpness : see LandmarkKernel.
    hubness : h; 0 leaves cosines.

    Attributes
    ----------
    bank_ : float32 (m, k), unit vectors of training samples of each modality.
    """

    dimensions: Count = 300
    regularisation: Annotated[float, Field(gt=0, le=1)] = 0.5
    reduce: Count = 400
    landmarks: Annotated[int, Field(ge=2)] = 1000
    sharpness: Positive = 0.5
    hubness: NotNegative = 0.5
    random_state: int = 0

    def fit(self, views: Views) -> Self:
        """See Projection.fit."""
        pairs = views.complete()
        self.rooted_ = {
            modality: _is_never_negative(block) for modality, block in pairs.blocks().items()
        }
        rooted = {
            modality: self._rooted(modality, block) for modality, block in pairs.blocks().items()
        }
        self.reductions_ = {
            modality: LandmarkKernel(
                components=self.reduce,
                landmarks=self.landmarks,
                sharpness=self.sharpness,
                random_state=self.random_state,
            ).fit(block)
            for modality, block in rooted.items()
        }
        image, text = (
            self.reductions_[modality].transform(block) for modality, block in rooted.items()
        )
        self._correlate(image, text, self.regularisation, self.dimensions)
        self.bank_ = {
            modality: self._unit_vectors(modality, self._banked(block))
            for modality, block in pairs.blocks().items()
        }
        return self

    def project(self, modality: Modality, block: Block) -> FloatArray:
        """Points float32 (n, k + 2), whose products are as above; zeros for missing samples."""
        vectors = self._unit_vectors(modality, block)
        other: Modality = "text" if modality == "image" else "image"
        nearness = -np.float32(self.hubness) * _nearness(vectors, self.bank_[other])
        columns = [nearness, np.ones_like(nearness)]
        if modality == "text":
            columns.reverse()
        points = np.column_stack([vectors, *columns])
        points[~block.present] = 0.0
        return points

    def _unit_vectors(self, modality: Modality, block: Block) -> FloatArray:
        return super().project(modality, self._rooted(modality, block))

    def _rooted(self, modality: Modality, block: Block) -> Block:
        """The block, with the roots of features that are never negative in training."""
        if not self.rooted_[modality]:
            return block
        # Equal samples stay one, so that landmarks are distinct.
        distinct, numbers = np.unique(block.index[block.present], return_inverse=True)
        values = block.at(distinct).array()
        roots = values.maximum(0).sqrt() if block.is_sparse else np.sqrt(np.maximum(values, 0))
        index = np.full(len(block), -1, dtype=np.int64)
        index[block.present] = numbers
        return Block(roots, index)

    def _banked(self, block: Block) -> Block:
        """Distinct training samples, at most BANK of them."""
        rng = np.random.default_rng(self.random_state)
        distinct = np.unique(block.index[block.present])
        return block.at(np.sort(rng.permutation(distinct)[:BANK]))


def _is_never_negative(block: Block) -> bool:
    values = block.take(block.present).array()
    return bool(values.shape[0]) and float(values.min()) >= 0


def _nearness(vectors: FloatArray, bank: FloatArray) -> FloatArray:
    """Mean product (n,) of each unit vector (n, k) and its nearest ones of a bank (m, k)."""
    count = min(NEIGHBOURS, len(bank))
    nearness = np.zeros(len(vectors), dtype=np.float32)
    for start in range(0, len(vectors) if count else 0, AT_ONCE):
        products = vectors[start : start + AT_ONCE] @ bank.T
        nearest = np.partition(products, len(bank) - count, axis=1)[:, len(bank) - count :]
        nearness[start : start + AT_ONCE] = nearest.mean(axis=1)
    return nearness


@dataclass(kw_only=True, eq=False, repr=False)
class KernelCCA(SharedSpace):
    """Classification, or retrieval, in the space of kernel canonical correlation analysis.

    See SharedSpace and KernelCorrelation.

    Parameters
    ----------
    classifier, join, direction : see CCA.
    dimensions, regularisation, reduce, random_state : see KernelCorrelation.
    landmarks, sharpness, hubness : see KernelCorrelation.
    """

    version: ClassVar[int] = 1
    tuned: ClassVar[dict[str, tuple[Any, ...]]] = {"regularisation": (0.3, 0.5, 0.7)}

    classifier: Classifier = field(default_factory=Logistic, kw_only=False)
    dimensions: Count = 300
    regularisation: Annotated[float, Field(gt=0, le=1)] = 0.5
    reduce: Count = 400
    landmarks: Annotated[int, Field(ge=2)] = 1000
    sharpness: Positive = 0.5
    hubness: NotNegative = 0.5
    join: Join = "concat"
    direction: Direction = "both"
    random_state: int = 0

    def _projection(self) -> KernelCorrelation:
        return KernelCorrelation(
            dimensions=self.dimensions,
            regularisation=self.regularisation,
            reduce=self.reduce,
            landmarks=self.landmarks,
            sharpness=self.sharpness,
            hubness=self.hubness,
            random_state=self.random_state,
        )
