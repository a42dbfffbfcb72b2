"""Fusion in a shared space: pictures and texts are projected to where they can stand for each other."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from features.block import Block, FloatArray, Form, Modality
from models.classifier import Array, Classifier
from models.early.pooled import PooledFusion
from models.fusion import Fit, Labels, Probabilities
from models.neural.fusion import Count, NotNegative, Positive, Share
from models.preparation.scaling import BlockScaler
from models.shared_space.contrastive import ContrastiveProjection
from models.shared_space.projections import CanonicalCorrelation, Projection
from models.views import Views, stacked

Sides = Literal["both", "image", "text"]
Direction = Literal["both", "image_to_text", "text_to_image", "image_to_image", "text_to_text"]
Join = Literal["concat", "mean"]


def sides_of(views: Views, sides: Sides) -> Views:
    """The same samples with the other modality marked missing."""
    if sides == "both":
        return views
    blocks = views.blocks()
    hidden: Modality = "text" if sides == "image" else "image"
    block = blocks[hidden]
    blocks[hidden] = Block(block.values, np.full(len(block), -1, dtype=np.int64), block.mask)
    return Views(blocks["image"], blocks["text"], views.groups)


def points(projection: Projection, views: Views, join: Join) -> FloatArray:
    """Points of n samples: both modalities' side by side (n, 2 k), or their mean (n, k).

    A modality that a sample lacks is replaced by the other: in the shared space one stands for the
    other.
    """
    blocks = views.blocks()
    image, text = (projection.project(modality, block) for modality, block in blocks.items())
    image, text = (
        np.where(block.present[:, None], one, other)
        for block, one, other in zip(blocks.values(), (image, text), (text, image), strict=True)
    )
    return np.hstack([image, text]) if join == "concat" else (image + text) / np.float32(2)


class SharedSpace(PooledFusion):
    """Projects both modalities into one space, learned without labels, and classifies the points there.

    The space is learned from samples that have both modalities, those without a label included.
    Since one modality stands for the other in it, a sample that lacks one is classified by its
    other one alone, and the classifier may learn from pictures and be asked about texts, or the
    reverse (cross-modal classification): `direction` says which modality it sees. A sample without
    that modality teaches the classifier nothing, and gets the class frequencies of the training
    rows.
    """

    needs: ClassVar[dict[Modality, Form]] = {"image": "pooled", "text": "pooled"}
    uses_unlabelled: ClassVar[bool] = True

    join: Join
    direction: Direction

    def _projection(self) -> Projection:
        """Unfitted projection with this fusion's parameters."""
        raise NotImplementedError

    def _side(self, position: Literal[0, -1]) -> Sides:
        """The modalities that the classifier learns from (0) or is asked about (-1)."""
        found: Any = self.direction.split("_to_")[position]
        return found  # type: ignore[no-any-return]

    def fit(self, views: Views, y: Labels, unlabelled: Views | None = None) -> Self:
        """Learn from n training samples with labels (n,), and from `unlabelled` ones how modalities go together."""
        self._prepare(Fit(views, y, views, unlabelled))
        self._fit_classifier(views, y)
        return self

    def _prepare(self, fit: Fit) -> Self:
        self._learn_classes(fit.train, fit.y)
        pairs = fit.train if fit.unlabelled is None else stacked(fit.train, fit.unlabelled)
        self.projection_ = self._projection().fit(pairs)
        taught = fit.train.take(self._taught(fit.train))
        self.scaler_ = BlockScaler().fit(
            Block.of(points(self.projection_, sides_of(taught, self._side(0)), self.join))
        )
        return self

    def _training_array(self, views: Views) -> Array:
        return self._scaled(views, self._side(0))

    def _array(self, views: Views) -> Array:
        return self._scaled(views, self._side(-1))

    def _widths(self) -> tuple[int, ...]:
        return ()  # all columns are of one space

    def _scaled(self, views: Views, sides: Sides) -> Array:
        return self.scaler_.transform(
            Block.of(points(self.projection_, sides_of(views, sides), self.join))
        )

    def _taught(self, views: Views) -> NDArray[np.bool_]:
        return super()._taught(sides_of(views, self._side(0)))

    def _completed(self, probabilities: Probabilities, views: Views) -> Probabilities:
        return super()._completed(probabilities, sides_of(views, self._side(-1)))


class CCA(SharedSpace):
    """Classification in the space of canonical correlation analysis (see CanonicalCorrelation; SharedSpace).

    Parameters
    ----------
    classifier : what classifies the points.
    dimensions, regularisation, reduce, random_state : see CanonicalCorrelation.
    join : the points of both modalities side by side, or their mean.
    direction : what the classifier learns from, and what samples are classified by; the space is
        always learned from both.
    """

    version: ClassVar[int] = 1
    tuned: ClassVar[dict[str, tuple[Any, ...]]] = {"regularisation": (0.1, 0.5, 0.9)}

    def __init__(
        self,
        classifier: Classifier,
        dimensions: Annotated[int, Field(ge=1)] = 64,
        regularisation: Annotated[float, Field(gt=0, le=1)] = 0.5,
        reduce: Annotated[int, Field(ge=1)] = 256,
        join: Join = "concat",
        direction: Direction = "both",
        random_state: int = 0,
    ) -> None:
        self.classifier = classifier
        self.dimensions = dimensions
        self.regularisation = regularisation
        self.reduce = reduce
        self.join = join
        self.direction = direction
        self.random_state = random_state

    def _projection(self) -> Projection:
        return CanonicalCorrelation(
            self.dimensions, self.regularisation, self.reduce, self.random_state
        )


class Contrastive(SharedSpace):
    """Classification in the space of a contrastive projection (see ContrastiveProjection; SharedSpace).

    Parameters
    ----------
    classifier : what classifies the points.
    dimensions, reduce, batch_size, epochs, patience, learning_rate, weight_decay, dropout,
        random_state : see ContrastiveProjection.
    join, direction : see CCA.
    """

    version: ClassVar[int] = 1
    uses_groups: ClassVar[bool] = True
    projection_: ContrastiveProjection

    def __init__(
        self,
        classifier: Classifier,
        dimensions: Count = 64,
        reduce: Count = 256,
        batch_size: Count = 256,
        epochs: Count = 60,
        patience: Count = 6,
        learning_rate: Positive = 1e-2,
        weight_decay: NotNegative = 0.01,
        dropout: Share = 0.3,
        join: Join = "concat",
        direction: Direction = "both",
        random_state: int = 0,
    ) -> None:
        self.classifier = classifier
        self.dimensions = dimensions
        self.reduce = reduce
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.join = join
        self.direction = direction
        self.random_state = random_state

    def course(self) -> dict[str, Any] | None:
        """See Fusion.course."""
        history = self.projection_.history_
        return None if history is None else history.facts()

    def _projection(self) -> ContrastiveProjection:
        return ContrastiveProjection(
            self.dimensions,
            self.reduce,
            self.batch_size,
            self.epochs,
            self.patience,
            self.learning_rate,
            self.weight_decay,
            self.dropout,
            self.random_state,
        )
