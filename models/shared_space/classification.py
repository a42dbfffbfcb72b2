"""Fusion in a space where pictures and texts can stand for each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from features.block import Block, Form, Modality
from models.arrays import Labels, Probabilities
from models.classifier import Array, Classifier, Positive, Whole
from models.classifiers.logistic import Logistic
from models.course import TrainsNetwork
from models.early.pooled import PooledFusion
from models.fusion import Fit
from models.groups import UsesGroups
from models.matching import ComparesAsEncoded, SharesSpace
from models.neural.fusion import NotNegative, Share
from models.preparation.scaling import BlockScaler
from models.shared_space.contrastive import ContrastiveProjection
from models.shared_space.points import Join, Sides, points, sides_of
from models.shared_space.projections import (
    CanonicalCorrelation,
    EncodersSpace,
    Projection,
    TextSpace,
)
from models.unlabelled import LearnsFromUnlabelled
from models.views import Views, stacked

Direction = Literal["both", "image_to_text", "text_to_image", "image_to_image", "text_to_text"]

# What the classifier learns from, and what it is asked about.
SIDES: dict[Direction, tuple[Sides, Sides]] = {
    "both": ("both", "both"),
    "image_to_text": ("image", "text"),
    "text_to_image": ("text", "image"),
    "image_to_image": ("image", "image"),
    "text_to_text": ("text", "text"),
}


class SharedSpace(PooledFusion, SharesSpace):
    """Projects both modalities into one space and classifies the points.

    Since one modality stands for the other in it, a sample that lacks one is classified by its
    other one alone, and the classifier may learn from pictures and be asked about texts, or the
    reverse (cross-modal classification): `direction` says which modality it sees. A sample without
    that modality teaches the classifier nothing, and gets the class frequencies of the training
    rows.
    """

    needs: ClassVar[dict[Modality, Form]] = {"image": "pooled", "text": "pooled"}

    join: Join
    direction: Direction
    projection_: Projection

    def _projection(self) -> Projection:
        """Unfitted projection with this fusion's parameters."""
        raise NotImplementedError

    def space(self) -> Projection:
        """See SharesSpace.space."""
        return self._projection()

    @property
    def _sides(self) -> tuple[Sides, Sides]:
        """The modalities that the classifier learns from, and those it is asked about."""
        return SIDES[self.direction]

    def _prepare(self, fit: Fit) -> Self:
        self._learn_classes(fit.train, fit.y)
        self.projection_ = self._projection().fit(self._pairs(fit))
        taught = fit.train.take(self._taught(fit.train))
        self.scaler_ = BlockScaler().fit(
            Block.of(points(self.projection_, sides_of(taught, self._sides[0]), self.join))
        )
        return self

    def _pairs(self, fit: Fit) -> Views:
        """Samples that the space is learned from."""
        return fit.train

    def _training_array(self, views: Views) -> Array:
        return self._scaled(views, self._sides[0])

    def _array(self, views: Views) -> Array:
        return self._scaled(views, self._sides[1])

    def _widths(self) -> tuple[int, ...]:
        return ()  # all columns are of one space

    def _scaled(self, views: Views, sides: Sides) -> Array:
        return self.scaler_.transform(
            Block.of(points(self.projection_, sides_of(views, sides), self.join))
        )

    def _taught(self, views: Views) -> NDArray[np.bool_]:
        return super()._taught(sides_of(views, self._sides[0]))

    def _completed(self, probabilities: Probabilities, views: Views) -> Probabilities:
        return super()._completed(probabilities, sides_of(views, self._sides[1]))


class LearnedSpace(SharedSpace, LearnsFromUnlabelled):
    """A SharedSpace that is learned, without labels.

    It is learned from samples that have both modalities, those without a label included.
    """

    def fit(self, views: Views, y: Labels, unlabelled: Views | None = None) -> Self:
        """Learn from n training samples with labels (n,).

        How modalities go together is learned from `unlabelled` samples too.
        """
        self._prepare(Fit(views, y, views, unlabelled))
        self._fit_classifier(views, y)
        return self

    def _pairs(self, fit: Fit) -> Views:
        return fit.train if fit.unlabelled is None else stacked(fit.train, fit.unlabelled)


@dataclass(kw_only=True, eq=False, repr=False)
class CCA(LearnedSpace):
    """Classification in the space of canonical correlation analysis.

    See LearnedSpace and CanonicalCorrelation.

    Parameters
    ----------
    classifier : what classifies the points; retrieval does without.
    dimensions, regularisation, reduce, random_state : see CanonicalCorrelation.
    join : the points of both modalities side by side, or their mean.
    direction : what the classifier learns from, and what samples are classified by; the space is
        always learned from both.
    """

    version: ClassVar[int] = 1
    tuned: ClassVar[dict[str, tuple[Any, ...]]] = {"regularisation": (0.1, 0.5, 0.9)}

    classifier: Classifier = field(default_factory=Logistic, kw_only=False)
    dimensions: Annotated[int, Field(ge=1)] = 64
    regularisation: Annotated[float, Field(gt=0, le=1)] = 0.5
    reduce: Annotated[int, Field(ge=1)] = 256
    join: Join = "concat"
    direction: Direction = "both"
    random_state: int = 0

    def _projection(self) -> Projection:
        return CanonicalCorrelation(
            dimensions=self.dimensions,
            regularisation=self.regularisation,
            reduce=self.reduce,
            random_state=self.random_state,
        )


@dataclass(kw_only=True, eq=False, repr=False)
class TextRegression(LearnedSpace):
    """Classification, or retrieval, in the texts' own space, into which pictures are regressed.

    See LearnedSpace and TextSpace.

    Parameters
    ----------
    classifier, join, direction : see CCA.
    regularisation, reduce, random_state : see TextSpace.
    """

    version: ClassVar[int] = 1
    simplest: ClassVar[bool] = True
    tuned: ClassVar[dict[str, tuple[Any, ...]]] = {"regularisation": (0.1, 0.5, 0.9)}

    classifier: Classifier = field(default_factory=Logistic, kw_only=False)
    regularisation: Annotated[float, Field(gt=0, le=1)] = 0.5
    reduce: Annotated[int, Field(ge=1)] = 256
    join: Join = "concat"
    direction: Direction = "both"
    random_state: int = 0

    def _projection(self) -> TextSpace:
        return TextSpace(
            regularisation=self.regularisation,
            reduce=self.reduce,
            random_state=self.random_state,
        )


@dataclass(kw_only=True, eq=False, repr=False)
class Contrastive(LearnedSpace, TrainsNetwork, UsesGroups):
    """Classification in the space of a contrastive projection.

    See LearnedSpace and ContrastiveProjection.

    Parameters
    ----------
    classifier : see CCA.
    dimensions, reduce, batch_size, epochs, patience : see ContrastiveProjection.
    learning_rate, weight_decay, dropout, random_state : see ContrastiveProjection.
    join, direction : see CCA.
    """

    version: ClassVar[int] = 1

    classifier: Classifier = field(default_factory=Logistic, kw_only=False)
    dimensions: Whole = 64
    reduce: Whole = 256
    batch_size: Whole = 256
    epochs: Whole = 60
    patience: Whole = 6
    learning_rate: Positive = 1e-2
    weight_decay: NotNegative = 0.01
    dropout: Share = 0.3
    join: Join = "concat"
    direction: Direction = "both"
    random_state: int = 0

    def course(self) -> dict[str, Any] | None:
        """See TrainsNetwork.course."""
        assert isinstance(self.projection_, ContrastiveProjection)
        history = self.projection_.history_
        return None if history is None else history.facts()

    def _projection(self) -> ContrastiveProjection:
        return ContrastiveProjection(
            dimensions=self.dimensions,
            reduce=self.reduce,
            batch_size=self.batch_size,
            epochs=self.epochs,
            patience=self.patience,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            dropout=self.dropout,
            random_state=self.random_state,
        )


@dataclass(kw_only=True, eq=False, repr=False)
class Shared(SharedSpace, ComparesAsEncoded):
    """Classification, or retrieval, in the space that both encoders share, as those of CLIP do.

    See SharedSpace. The space is there before anything is learned (Radford et al. 2021): retrieval
    has nothing to learn, and a classifier that has learned from texts can be asked about pictures.

    Parameters
    ----------
    classifier, join, direction : see CCA.
    """

    version: ClassVar[int] = 1
    simplest: ClassVar[bool] = True

    classifier: Classifier = field(default_factory=Logistic, kw_only=False)
    join: Join = "concat"
    direction: Direction = "both"

    def _projection(self) -> EncodersSpace:
        return EncodersSpace()
