"""A cell that was fitted on all rows: from pictures and texts to probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from features.block import Block, BlockName, Modality, modalities_of, modality_of
from features.encoder import Encoder
from models.classifiers.temperature import tempered
from models.combining import CombinesPredictions, MemberPredictions
from models.fusion import Fusion
from models.views import Views
from pipeline.metrics.metric import Probabilities
from pipeline.tasks.views import aligned, averaged
from pipeline.use.conformal import LeftOut

Items = Mapping[Modality, Sequence[Any]]  # pictures as bytes, texts as str; None for a missing one


@dataclass(frozen=True, eq=False)
class EncodingModel:
    """From pictures and texts to what a model learned from.

    Parameters
    ----------
    encoders : of each block that the fusion needs, fitted.
    """

    encoders: Mapping[BlockName, Encoder]

    def views(self, items: Items) -> Views:
        """Features of n items, of what the fusion needs; of one that needs nothing, empty ones."""
        count = len(next(iter(items.values())))
        blocks = {
            name: encoded(encoder, items[modality_of(name)])
            for name, encoder in self.encoders.items()
        }
        nothing = Block(np.zeros((1, 1), dtype=np.float32), np.zeros(count, dtype=np.int64))
        return Views.of(blocks) if blocks else Views(image=nothing)


@dataclass(frozen=True, eq=False)
class FittedModel(EncodingModel):
    """A cell with a fit of its own.

    Parameters
    ----------
    fusion : fitted; its `classes_` are codes.
    """

    fusion: Fusion

    def of_views(self, views: Views, classes: int) -> MemberPredictions:
        """Probabilities (1, n, K) of n samples, and which of them have what the model asks for."""
        predicted = aligned(
            self.fusion.predict_proba(views.for_prediction()), self.fusion.classes_, classes
        )
        present = np.any([block.present for block in views.blocks().values()], axis=0)
        return MemberPredictions(averaged(predicted, len(views))[None], present[None])


class PredictingCell:
    """What predicts the classes of new items.

    Attributes
    ----------
    models : what encodes items, of each of its models.
    classes : names of the classes, as the columns of probabilities.
    left_out : how it did on rows that inner folds left out, calibrated; None where these could not
        tell.
    """

    models: Sequence[EncodingModel]
    classes: tuple[str, ...]
    left_out: LeftOut | None

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What it looks at of an item."""
        asked = chain.from_iterable(model.encoders for model in self.models)
        return tuple(sorted(modalities_of(asked)))

    def predict_proba(self, items: Items) -> Probabilities:
        """Calibrated probabilities (n, K) of n items, columns as `classes`."""
        return self.of_views([model.views(items) for model in self.models])

    def of_views(self, views: Sequence[Views]) -> Probabilities:
        """The same of n samples, of which every model has its features."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class FittedCell(PredictingCell):
    """A cell that was fitted on all rows.

    Parameters
    ----------
    models : one; or those whose predictions `rule` combines.
    rule : None for a cell with a fit of its own.
    temperature : what calibrates its probabilities; None where inner folds could not tell.
    left_out : how it did on rows that inner folds left out, calibrated; None likewise.
    """

    models: tuple[FittedModel, ...]
    rule: CombinesPredictions | None
    temperature: float | None
    classes: tuple[str, ...]
    left_out: LeftOut | None = None

    def of_views(self, views: Sequence[Views]) -> Probabilities:
        """See PredictingCell."""
        predicted = [
            model.of_views(of_model, len(self.classes))
            for model, of_model in zip(self.models, views, strict=True)
        ]
        if self.rule is None:
            probabilities = predicted[0].probabilities[0]
        else:
            probabilities = self.rule.combine(
                MemberPredictions(
                    np.concatenate([of_model.probabilities for of_model in predicted]),
                    np.concatenate([of_model.present for of_model in predicted]),
                )
            )
        return probabilities if self.temperature is None else tempered(
            probabilities, self.temperature
        )


def encoded(encoder: Encoder, samples: Sequence[Any]) -> Block:
    """Features of n samples, of which those that are None lack the modality.

    Equal samples are encoded once.
    """
    distinct = dict.fromkeys(sample for sample in samples if sample is not None)
    row_of = {sample: row for row, sample in enumerate(distinct)}
    index = np.array([row_of.get(sample, -1) for sample in samples], dtype=np.int64)
    block = encoder.transform(list(distinct))
    return Block(
        block.values, index, block.mask, encoder.augmented, encoder.averaged,
        encoder if encoder.gives_inputs else None,
    )
