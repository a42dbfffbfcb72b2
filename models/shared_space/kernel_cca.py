"""Canonical correlations of kernel features, corrected for hubs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, NamedTuple, Self

import numpy as np
from pydantic import Field

from features.block import Block, BoolArray, FloatArray, Modality
from models.classifier import Classifier, Positive, Whole
from models.classifiers.logistic import Logistic
from models.neural.fusion import NotNegative
from models.shared_space.classification import Direction, LearnedSpace
from models.shared_space.landmarks import LandmarkKernel
from models.shared_space.points import Join
from models.shared_space.projections import CorrelatedProjection
from models.views import Views

FLAT = 1e-6  # a deviation below this share of the largest is rounding
NEIGHBOURS = 10  # Conneau et al. 2018
BANK = 10_000  # most training samples of a modality that tell hubs
AT_ONCE = 1024  # samples that are compared with the bank together


class ColumnScales(NamedTuple):
    """How columns (d,) of pooled features are rooted and scaled, as training samples have them.

    Parameters
    ----------
    rooted : bool (d,); mean, factor : float32 (d,), of what that gives. Sparse features keep their
        scales, and their zeros.
    """

    rooted: BoolArray
    mean: FloatArray
    factor: FloatArray

    @classmethod
    def of(cls, block: Block) -> ColumnScales:
        """Those of the samples that have the modality."""
        values, width = block.take(block.present).array(), block.width
        if not values.shape[0]:
            nothing = np.zeros(width, dtype=np.float32)
            return cls(np.zeros(width, dtype=bool), nothing, nothing)
        if block.is_sparse:
            rooted = np.asarray(values.min(axis=0).toarray()).ravel() >= 0
            return cls(rooted, np.zeros(width, np.float32), np.ones(width, np.float32))
        rooted = values.min(axis=0) >= 0
        roots = _rooted(values, rooted)
        deviation = roots.std(axis=0, dtype=np.float64)
        varies = deviation > FLAT * max(float(deviation.max()), 1e-30)
        factor = np.where(varies, 1 / np.where(varies, deviation, 1), 0)
        mean = roots.mean(axis=0, dtype=np.float64)
        return cls(rooted, mean.astype(np.float32), factor.astype(np.float32))

    def __call__(self, block: Block) -> Block:
        """The samples with their columns so scaled; equal samples stay one."""
        distinct, numbers = np.unique(block.index[block.present], return_inverse=True)
        values = block.at(distinct).array()
        if block.is_sparse:
            values = values.tocsc()
            values.data = _rooted_data(values, self.rooted)
            values = values.tocsr()
        else:
            values = (_rooted(values, self.rooted) - self.mean) * self.factor
        index = np.full(len(block), -1, dtype=np.int64)
        index[block.present] = numbers
        return Block(values, index)


def _rooted(values: FloatArray, columns: BoolArray) -> FloatArray:
    """Rows (n, d), in some columns the roots; what is negative only in new rows becomes 0."""
    return np.where(columns, np.sqrt(np.maximum(values, 0)), values)


def _rooted_data(values: Any, columns: BoolArray) -> FloatArray:
    """The stored numbers of a CSC matrix, roots in some columns."""
    of_columns = np.repeat(columns, np.diff(values.indptr))
    return _rooted(values.data, of_columns)


@dataclass(kw_only=True, eq=False, repr=False)
class KernelCorrelation(CorrelatedProjection):
    """Regularised kernel canonical correlation analysis (Akaho 2001; Hardoon et al. 2004).

    That of CanonicalCorrelation, on the kernel features of LandmarkKernel instead of principal
    components. Columns that are never negative, such as those behind a ReLU, are rooted first
    (Perronnin, Sanchez and Mensink 2010), and dense columns are then brought to mean 0 and variance
    1: no few large features, and no one part of them, decide the distances.

    In such a space some samples are near to everything: hubs (Dinu, Lazaridou and Baroni 2015).
    With the unit vectors a of a picture and b of a text, and r(a) the mean product of a and its ten
    nearest training texts, r(b) that of b and its ten nearest training pictures, they match by

        a . b - h r(a) - h r(b)

    which for h = 1/2 is half of cross-domain similarity local scaling (Conneau et al. 2018), with
    training samples for neighbours: what a query gets does not depend on the other ones. Points
    hold it as two further columns, (a, -h r(a), 1) and (b, 1, -h r(b)), whose product it is.

    Parameters
    ----------
    dimensions, regularisation, random_state : see
        models.shared_space.projections.CanonicalCorrelation.
    reduce : most principal components of each modality, before the kernel and after it.
    landmarks, sharpness : see LandmarkKernel.
    hubness : h, how far nearness to everything is taken off; 0 leaves cosines.

    Attributes
    ----------
    columns_ : ColumnScales of each modality.
    bank_ : float32 (m, k), unit vectors of training samples of each modality.
    """

    dimensions: Whole = 300
    regularisation: Annotated[float, Field(gt=0, le=1)] = 0.5
    reduce: Whole = 400
    landmarks: Annotated[int, Field(ge=2)] = 1000
    sharpness: Positive = 0.5
    hubness: NotNegative = 0.5
    random_state: int = 0

    def fit(self, views: Views) -> Self:
        """See Projection.fit."""
        blocks = views.complete().by_modality()
        self.columns_ = {modality: ColumnScales.of(block) for modality, block in blocks.items()}
        self.reductions_ = {}
        features: dict[Modality, FloatArray] = {}
        for modality, block in blocks.items():
            scaled = self.columns_[modality](block)
            kernel = LandmarkKernel(
                components=self.reduce,
                landmarks=self.landmarks,
                sharpness=self.sharpness,
                random_state=self.random_state,
            ).fit(scaled)
            self.reductions_[modality] = kernel
            features[modality] = kernel.transform(scaled)
        image, text = features["image"], features["text"]
        self._correlate(image, text, self.regularisation, self.dimensions)
        self.bank_ = {
            modality: self._unit_vectors(modality, self._banked(block))
            for modality, block in blocks.items()
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
        return super().project(modality, self.columns_[modality](block))

    def _banked(self, block: Block) -> Block:
        """Distinct training samples, at most BANK of them."""
        rng = np.random.default_rng(self.random_state)
        distinct = np.unique(block.index[block.present])
        return block.at(np.sort(rng.permutation(distinct)[:BANK]))


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
class KernelCCA(LearnedSpace):
    """Classification, or retrieval, in the space of kernel canonical correlation analysis.

    See LearnedSpace and KernelCorrelation.

    Parameters
    ----------
    classifier, join, direction : see models.shared_space.classification.CCA.
    dimensions, regularisation, reduce, random_state : see KernelCorrelation.
    landmarks, sharpness, hubness : see KernelCorrelation.
    """

    version: ClassVar[int] = 1
    tuned: ClassVar[dict[str, tuple[Any, ...]]] = {"regularisation": (0.3, 0.5, 0.7)}

    classifier: Classifier = field(default_factory=Logistic, kw_only=False)
    dimensions: Whole = 300
    regularisation: Annotated[float, Field(gt=0, le=1)] = 0.5
    reduce: Whole = 400
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
