"""The cell that is chosen, fitted on all labelled rows, its settings chosen as a fold does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.block import Block, BlockName, modalities_of, modality_of
from features.encoder import Encoder
from models.classifiers.temperature import fitted_temperature, tempered
from models.combining import CombinesPredictions, InnerPredictions, MemberPredictions
from pipeline.config.cells import Cell
from pipeline.data.rows import Rows
from pipeline.engine.task import Failed
from pipeline.folds.draw import inner_folds
from pipeline.folds.fold import Fold, with_unlabelled
from pipeline.metrics.metric import Probabilities
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import encoded
from pipeline.plan.plan import features_of
from pipeline.tasks.encoding.encode import fitted_encoder
from pipeline.tasks.encoding.requests import FeatureRequests
from pipeline.tasks.encoding.samples import put_samples, samples_at
from pipeline.tasks.inner import choose
from pipeline.tasks.unit import Unit, Units
from pipeline.tasks.views import fit_of, loaded_blocks
from pipeline.use.conformal import LeftOut
from pipeline.use.fitted import FittedCell, FittedModel
from pipeline.use.problem import BundleError


class Refit(NamedTuple):
    """A cell that was fitted on all labelled rows.

    Parameters
    ----------
    features : of these rows, what each of its models learned from, without augmented copies.
    """

    cell: FittedCell
    features: tuple[Mapping[BlockName, Block], ...]


def refitted(cell: Cell, comparison: Comparison) -> Refit:
    """A cell as it learns from all labelled rows of a comparison's data set.

    Raises
    ------
    BundleError
        Where it cannot be fitted.
    """
    whole = whole_fold(comparison)
    all_rows = comparison.of(comparison.cells, [whole], comparison.progress)
    parts = [_Part(part, whole, all_rows) for part in cell.parts or (cell,)]
    classes = comparison.dataset.classes
    labels = comparison.dataset.labels[whole.train]
    features = tuple(part.features for part in parts)
    if not cell.parts:
        (part,) = parts
        calibration = _calibration(part.inner, labels, whole)
        return Refit(FittedCell((part.model,), None, classes=classes, **calibration), features)
    rule = cell.estimator(comparison.seed)
    assert isinstance(rule, CombinesPredictions)
    inner = _inner_predictions(parts, whole, labels)
    frequencies = np.bincount(labels, minlength=len(classes)) / len(labels)
    rule = rule.fit_combination(frequencies, inner if rule.learns_combination else None)
    models = tuple(part.model for part in parts)
    left_out = _combined(rule, inner, len(classes))
    calibration = _calibration(left_out, labels, whole)
    return Refit(FittedCell(models, rule, classes=classes, **calibration), features)


def _combined(rule: CombinesPredictions, inner: InnerPredictions, classes: int) -> Probabilities:
    """Predictions (n, K) of a rule that learned, where it learns, without the row's inner fold."""
    predicted = np.zeros((len(inner.y), classes))
    for fold in np.unique(inner.folds):
        outside = inner.folds == fold
        known = InnerPredictions(
            _rows(inner.members, ~outside), inner.y[~outside], inner.folds[~outside]
        )
        frequencies = np.bincount(known.y, minlength=classes) / len(known.y)
        anew = rule.unfitted().fit_combination(
            frequencies, known if rule.learns_combination else None
        )
        predicted[outside] = anew.combine(_rows(inner.members, outside))
    return predicted


def _rows(members: MemberPredictions, rows: NDArray[np.bool_]) -> MemberPredictions:
    return MemberPredictions(members.probabilities[:, rows], members.present[:, rows])


def _calibration(predicted: Probabilities, labels: Rows, fold: Fold) -> dict[str, Any]:
    """What predictions (n, K) of rows that were left out say of all others."""
    if not len(predicted):
        return {"temperature": None, "left_out": None}
    temperature = fitted_temperature(predicted, labels)
    calibrated = tempered(predicted, temperature)
    scores = 1 - calibrated[np.arange(len(labels)), labels]
    return {"temperature": temperature, "left_out": LeftOut(scores, _numbers(fold))}


def _numbers(fold: Fold) -> Rows:
    """The inner fold that leaves each training row out."""
    folds = np.zeros(len(fold.train), dtype=np.int64)
    for number, (_, left_out) in enumerate(fold.inner):
        folds[np.searchsorted(fold.train, left_out)] = number
    return folds


def whole_fold(comparison: Comparison) -> Fold:
    """All labelled rows to learn from, none to test, and inner folds as an outer fold has them."""
    dataset = comparison.dataset
    rows = np.flatnonzero(dataset.labels >= 0)
    inner = inner_folds(dataset, rows, comparison.grid.split, comparison.seed)
    fold = Fold(0, 0, rows, np.zeros(0, dtype=np.int64), inner)
    return with_unlabelled(fold, np.flatnonzero(dataset.labels < 0), dataset.groups)


class _Part:
    """A cell with a fit of its own, on all rows.

    Attributes
    ----------
    inner : its predictions (n, K) for the rows, each by the inner fold that left it out.
    features : of the rows.
    """

    def __init__(self, cell: Cell, fold: Fold, comparison: Comparison) -> None:
        requests = FeatureRequests(comparison.dataset, comparison.context, comparison.seed)
        unit = Units(comparison.grid, comparison.dataset, requests).unit(cell, fold)
        outcomes = encoded(features_of([unit]).values(), comparison)
        failed = [outcome for outcome in outcomes.values() if isinstance(outcome, Failed)]
        if failed:
            raise BundleError(f"{cell.name} cannot be fitted: {failed[0].error}")
        blocks = loaded_blocks(unit, comparison.context, comparison.store)
        unit.estimator.warm_up()
        chosen, _, self.inner = choose(unit, comparison.context, blocks)
        fit = fit_of(unit, 0, blocks, comparison.context)
        if fit.class_texts is not None and not len(fit.class_texts.candidates(fit.y)):
            fit = fit._replace(class_texts=None)  # all have rows now: these describe them
        self.unit, self.chosen = unit, chosen
        self.model = FittedModel(
            _encoders(unit, comparison), unit.estimator.with_setting(chosen).learn(fit)
        )
        self.features: Mapping[BlockName, Block] = {
            name: of_splits[0].take(fold.train) for name, of_splits in blocks.items()
        }
        self.present = np.any(
            [
                comparison.context.index[modality][fold.train] >= 0
                for modality in modalities_of(unit.features)
            ]
            or [np.ones(len(fold.train), dtype=bool)],
            axis=0,
        )


def _encoders(unit: Unit, comparison: Comparison) -> dict[BlockName, Encoder]:
    """The unit's encoders, fitted on the outer training rows where they learn."""
    encoders: dict[BlockName, Encoder] = {}
    for name, forms in unit.features.items():
        samples = samples_at(
            put_samples(comparison.dataset, modality_of(name), comparison.store), comparison.store
        )
        features = forms[0].with_rows(comparison.context)
        encoders[name] = fitted_encoder(features, samples, comparison.store)
    return encoders


def _inner_predictions(parts: list[_Part], fold: Fold, labels: Rows) -> InnerPredictions:
    members = MemberPredictions(
        np.stack([part.inner for part in parts]), np.stack([part.present for part in parts])
    )
    return InnerPredictions(members, labels, _numbers(fold))
