"""Bootstrap intervals: values against a plain loop, coverage by simulation, groups and repeats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm, t

from pipeline.metrics import METRICS
from pipeline.testing.records import FUSION, MAJORITY, TEXT, small_record
from reports.analysis import bootstrap
from reports.analysis.bootstrap import Pooled, pooled, resample_weights
from reports.analysis.ranking import FEWEST_UNITS
from reports.analysis.weighted_scores import WEIGHTED, redrawn, resampled
from reports.record import MetricRecord
from tests.support.realistic import realistic_record


def predictions(rows: int, classes: int, cells: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    labels = rng.choice(
        classes, rows, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum()
    )
    logits = rng.normal(size=(cells, rows, classes)) + 1.2 * np.eye(classes)[labels]
    odds = np.exp(logits)
    return labels, list(odds / odds.sum(axis=2, keepdims=True)), rng


@pytest.mark.parametrize("name", WEIGHTED)
def test_weighted_scores_are_those_of_rows_drawn_as_often(name):
    labels, cells, rng = predictions(120, 4, 3)
    units = rng.integers(0, 40, 120)  # groups of about three
    weights = np.concatenate(list(resample_weights(40, 25, seed=1)))
    scores = resampled(name, weights, units, labels, cells)
    for row, counts in enumerate(weights.astype(int)):
        drawn = np.repeat(np.arange(120), counts[units])
        plain = [METRICS[name](labels[drawn], cell[drawn]) for cell in cells]
        # ROC AUC is resampled through its projection: exact for the data as they are, close
        # otherwise.
        np.testing.assert_allclose(
            scores[row], plain, atol=0.02 if name == "roc_auc" and row else 1e-6
        )


@pytest.mark.parametrize("name", WEIGHTED)
def test_a_class_that_no_cell_predicts_is_scored_as_the_metric_does(name):
    """The matrix that selects rows has no entry then, and once had no shape."""
    labels, cells, rng = predictions(120, 4, 2)
    for cell in cells:
        cell[:, 0] = 0.0  # true of some rows, predicted for none
        np.divide(cell, cell.sum(axis=1, keepdims=True), out=cell)
    units = rng.integers(0, 40, 120)
    scores = resampled(name, np.ones((1, 40), np.float32), units, labels, cells)
    np.testing.assert_allclose(
        scores[0], [METRICS[name](labels, cell) for cell in cells], atol=1e-5
    )


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_without_a_weighted_form_is_asked_about_rows_drawn_as_often(name):
    labels, cells, rng = predictions(120, 4, 2)
    units = rng.integers(0, 40, 120)
    weights = np.concatenate([*resample_weights(40, 5, seed=1), np.zeros((1, 40), np.float32)])
    scores = redrawn(METRICS[name], weights, units, labels, cells)
    assert np.isnan(scores[-1]).all()
    if name in WEIGHTED and name != "roc_auc":
        weighted = resampled(name, weights[:-1], units, labels, cells)
        np.testing.assert_allclose(scores[:-1], weighted, atol=1e-6)
    np.testing.assert_allclose(scores[0], [METRICS[name](labels, cell) for cell in cells])


def test_intervals_of_a_metric_without_a_weighted_form_come_from_its_function():
    record = small_record()
    renamed = replace(
        record,
        metric="share of hits",
        metrics=(MetricRecord("share of hits", True),),
        folds=tuple(
            replace(fold, scores={"share of hits": fold.scores["accuracy"]})
            for fold in record.folds
        ),
        score=METRICS["accuracy"],
    )
    plain = pooled(replace(record, metric="accuracy"), 50)
    asked = pooled(renamed, 50)
    assert plain is not None
    assert asked is not None
    assert asked.cells == plain.cells
    np.testing.assert_allclose(asked.replicates, plain.replicates, atol=1e-6)


def test_whole_classes_are_resampled_where_they_are_the_units():
    """The interval is as wide as the recalls of independent classes make it, no wider."""
    labels, cells, _ = predictions(6000, 40, 2)
    weights = np.concatenate(list(resample_weights(40, 4000, seed=1)))
    scores = resampled("balanced_accuracy", weights, labels, labels, cells, units_are_classes=True)
    recalls = np.array(
        [
            [(cell.argmax(axis=1) == labels)[labels == code].mean() for code in range(40)]
            for cell in cells
        ]
    )
    np.testing.assert_allclose(scores[0], recalls.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(scores[3], recalls @ weights[3] / 40, atol=1e-6)
    np.testing.assert_allclose(scores[1:].std(axis=0), recalls.std(axis=1) / np.sqrt(40), rtol=0.05)
    for name in ("recall_macro", "f1_macro", "precision_macro", "log_loss", "accuracy"):
        whole = resampled(name, weights[:1], labels, labels, cells, units_are_classes=True)
        np.testing.assert_allclose(
            whole[0], [METRICS[name](labels, cell) for cell in cells], atol=1e-6
        )


def test_a_class_that_is_not_drawn_counts_for_nothing():
    labels, cells, _ = predictions(60, 3, 2)
    weights = np.stack([(labels != 2), (labels == 0)]).astype(np.float32)
    for name in ("balanced_accuracy", "f1_macro", "precision_macro", "recall_macro"):
        scores = resampled(name, weights, np.arange(60), labels, cells)
        for row, drawn in enumerate((labels != 2, labels == 0)):
            np.testing.assert_allclose(
                scores[row],
                [METRICS[name](labels[drawn], cell[drawn]) for cell in cells],
                atol=1e-6,
            )


@pytest.mark.parametrize("name", ["balanced_accuracy", "f1_macro", "log_loss"])
def test_intervals_of_scores_and_differences_cover_the_truth(name):
    """300 data sets of 250 rows from one population, of which a big sample gives the truth."""
    population, cells, _ = predictions(200_000, 3, 2, seed=5)
    truth = np.array([METRICS[name](population, cell) for cell in cells])
    covered = []
    for number in range(300):
        rows = slice(250 * number, 250 * (number + 1))
        weights = np.concatenate(list(resample_weights(250, 300, seed=number)))
        scores = resampled(
            name, weights, np.arange(250), population[rows], [cell[rows] for cell in cells]
        )[1:]
        columns = np.column_stack([scores, scores[:, 0] - scores[:, 1]])
        low, high = np.quantile(columns, [0.025, 0.975], axis=0)
        covered.append(
            (low <= [*truth, truth[0] - truth[1]]) & ([*truth, truth[0] - truth[1]] <= high)
        )
    coverage = np.mean(covered, axis=0)
    assert (coverage > 0.9).all(), coverage
    assert (coverage < 0.99).all(), coverage


def test_drawing_rows_of_groups_would_be_too_narrow_and_drawing_groups_covers():
    """Ten rows of a group are right or wrong together: 50 groups hold no more than 50 rows do."""
    covered = {"rows": [], "groups": []}
    rng = np.random.default_rng(2)
    for number in range(200):
        right = np.repeat(rng.random(50) < 0.7, 10)
        labels = np.tile([0, 1], 250)
        cell = np.where((labels[:, None] == [0, 1]) == right[:, None], 0.9, 0.1)
        for how, units in (("rows", np.arange(500)), ("groups", np.repeat(np.arange(50), 10))):
            weights = np.concatenate(list(resample_weights(units.max() + 1, 200, seed=number)))
            scores = resampled("accuracy", weights, units, labels, [cell])[1:]
            low, high = np.quantile(scores, [0.025, 0.975])
            covered[how].append(low <= 0.7 <= high)
    assert np.mean(covered["groups"]) > 0.89
    assert np.mean(covered["rows"]) < 0.7


def test_pooled_scores_of_a_record_with_repeats():
    record = realistic_record(300, folds=3, encoders=1)
    scores = pooled(record, resamples=200)
    assert (scores.units, scores.grouped) == (300, False)
    assert len(scores.cells) == len({fold.cell for fold in record.folds})
    for cell in scores.cells[:3]:
        folds = [fold for fold in record.folds if fold.cell == cell]
        rows = np.concatenate([fold.rows for fold in folds])
        whole = METRICS["balanced_accuracy"](
            record.labels[rows], np.concatenate([f.probabilities for f in folds])
        )
        interval = scores.score(cell)
        assert interval.estimate == pytest.approx(whole, abs=1e-6)
        assert interval.low < interval.estimate < interval.high
    best, last = scores.cells[0], "majority"
    difference = scores.difference(best, last)
    assert difference.estimate == pytest.approx(
        scores.score(best).estimate - scores.score(last).estimate
    )
    assert difference.low > 0
    assert scores.difference(last, best).high == pytest.approx(-difference.low)
    assert np.array_equal(pooled(record, resamples=200).replicates, scores.replicates)


def test_few_groups_have_no_interval_and_an_incomplete_cell_is_an_error():
    groups = np.repeat(np.arange(FEWEST_UNITS // 2), 3)[:12]
    scores = pooled(small_record(groups=groups))
    assert scores.grouped
    assert scores.score(TEXT.name).low is None
    with pytest.raises(KeyError, match="no complete set"):
        scores.score("partial")
    assert pooled(replace(small_record(), folds=())) is None
    loss = pooled(small_record(metric="log_loss"))
    assert loss.difference(FUSION.name, MAJORITY.name).estimate == pytest.approx(
        loss.score(MAJORITY.name).estimate - loss.score(FUSION.name).estimate
    )


def test_few_units_have_wider_intervals_than_their_percentiles():
    """Each end lies t(G - 1) / z times as far from the estimate as the percentile does."""
    scores = pooled(small_record())
    interval = scores.score(FUSION.name)
    column = scores.replicates[:, scores.cells.index(FUSION.name)]
    low = np.quantile(column, 0.025)
    wider = t.ppf(0.975, scores.units - 1) / norm.ppf(0.975)
    assert interval.estimate - interval.low == pytest.approx(wider * (interval.estimate - low))
    assert wider > 1.1


def test_resamples_are_the_same_in_parts_as_at_once(monkeypatch):
    """Of very many rows, all resamples together do not fit into memory."""
    whole = np.concatenate(list(resample_weights(40, 25, seed=1)))
    record = small_record()
    at_once = pooled(record)
    monkeypatch.setattr(bootstrap, "AT_ONCE", 100)
    parts = list(resample_weights(40, 25, seed=1))
    assert [len(part) for part in parts] == [2] * 13
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    pooled.cache_clear()
    in_parts = pooled(record)
    np.testing.assert_allclose(in_parts.replicates, at_once.replicates, rtol=1e-6)
    pooled.cache_clear()


@pytest.mark.parametrize("shift", [0.0, 0.004, 0.02, 0.2])
def test_p_values_are_those_at_which_an_interval_ends_at_zero(shift: float):
    draw = np.random.default_rng(1)
    replicates = 0.5 + 0.01 * draw.normal(size=(1000, 2)) + [shift, 0]
    metric = MetricRecord("accuracy", greater_is_better=True)
    scores = Pooled(metric, ("a", "b"), np.array([0.5 + shift, 0.5]), replicates, 50, False)
    p_value = scores.p_value("a", "b")
    assert scores.p_value("b", "a") == p_value
    beyond_resamples = p_value < 0.0025  # a thousand tell none below .002
    assert beyond_resamples == (shift == 0.2)
    for level, is_within in ((0.999 - p_value, False), (1.001 - p_value, not beyond_resamples)):
        if 0 < level < 1:
            interval = scores.difference("a", "b", level)
            assert (interval.low <= 0 <= interval.high) == is_within
    few = replace(scores, units=9)
    assert few.p_value("a", "b") is None
    assert replace(scores, replicates=np.full((1000, 2), 0.5), estimates=np.array([0.5, 0.5])
                   ).p_value("a", "b") == 1
