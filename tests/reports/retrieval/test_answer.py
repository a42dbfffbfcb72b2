"""Scores of pairs over all queries, their intervals over pictures, and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest

from reports.analysis.bootstrap import resample_weights
from reports.fold_record import CellRecord, FailureRecord
from reports.record import MetricRecord
from reports.retrieval.answer import answer_of
from reports.retrieval.gallery import facts as gallery
from reports.retrieval.leaderboard import facts as leaderboard
from reports.retrieval.plain import plain
from reports.retrieval.sentences import headline, sentences
from reports.retrieval_record import MatchRecord, QueriesRecord, RetrievalRecord

PICTURES, TEXTS = 40, 3
NAMES = ("good", "worse")
METRICS = (
    MetricRecord("hit_at_1", greater_is_better=True),
    MetricRecord("hit_at_5", greater_is_better=True),
    MetricRecord("hit_at_10", greater_is_better=True),
    MetricRecord("median_rank", greater_is_better=False, unit="rank"),
)


def queries(rows: np.ndarray, first: np.ndarray) -> QueriesRecord:
    values = {f"hit_at_{k}": (first <= k).astype(float) for k in (1, 5, 10)}
    return QueriesRecord(
        rows=rows,
        first=first,
        nearest=np.tile(np.arange(5) * TEXTS, (len(rows), 1)),
        values={**values, "median_rank": first.astype(float)},
        candidates=PICTURES,
        chance={1: 0.025, 5: 0.125, 10: 0.25},
    )


def match(cell: str, highest: int) -> MatchRecord:
    """A cell whose right answers have ranks up to `highest`, at random."""
    draw = np.random.default_rng(len(cell))
    of_texts = queries(
        np.arange(PICTURES * TEXTS), draw.integers(1, highest + 1, PICTURES * TEXTS)
    )
    of_pictures = queries(
        np.arange(PICTURES) * TEXTS, draw.integers(1, highest + 1, PICTURES)
    )
    return MatchRecord(
        cell=cell,
        repeat=0,
        fold=0,
        n_train=900,
        rows=np.arange(PICTURES * TEXTS),
        queries={"text_to_image": of_texts, "image_to_text": of_pictures},
        scores={},
        parameters={"regularisation": 0.5},
        fit_seconds=1.0,
        predict_seconds=0.5,
        reused=False,
    )


def record(*folds: MatchRecord) -> RetrievalRecord:
    rows = PICTURES * TEXTS
    return RetrievalRecord(
        name="pairs",
        created="today",
        command="run",
        grid="",
        metric="hit_at_10",
        metrics=METRICS,
        median=frozenset({"median_rank"}),
        seed=0,
        ids=[f"row {row}" for row in range(rows)],
        texts=[f"text {row}" for row in range(rows)],
        samples={"image": np.arange(rows) // TEXTS, "text": np.arange(rows)},
        cells=tuple(CellRecord(name, "cnn", "sbert", name, None) for name in NAMES),
        folds=folds,
        split="",
        fingerprint="",
        versions={},
        steps=(),
        stages=(),
    )


@pytest.fixture(scope="module")
def made() -> RetrievalRecord:
    return record(match("worse", 30), match("good", 12))


def test_cells_stand_by_the_metric_both_ways(made: RetrievalRecord):
    answer = answer_of(made)
    assert [standing.name for standing in answer.standings] == ["good", "worse"]
    for standing in answer.standings:
        fold = next(fold for fold in made.folds if fold.cell == standing.name)
        for metric in METRICS[:3]:
            ways = [np.mean(of.values[metric.name]) for of in fold.queries.values()]
            both = standing.scores["both", metric.name].estimate
            assert both == pytest.approx(np.mean(ways))
        medians = [np.median(of.first) for of in fold.queries.values()]
        assert standing.scores["both", "median_rank"].estimate == np.mean(medians)
    assert answer.standings[0].behind is None
    assert answer.standings[1].behind.low > 0
    assert "better than the next, “worse”" in " ".join(sentences(answer))


def test_intervals_draw_whole_pictures(made: RetrievalRecord):
    """The same resamples by hand: a drawn picture brings all of its texts."""
    answer = answer_of(made)
    first = made.folds[1].queries["text_to_image"].first.reshape(PICTURES, TEXTS)
    weights = np.concatenate(list(resample_weights(PICTURES, 1000, made.seed)))
    hits = (first <= 10).mean(axis=1)
    replicates = (weights[1:] @ hits) / PICTURES
    interval = answer.standings[0].scores["text_to_image", "hit_at_10"]
    assert answer.units == PICTURES
    assert interval.estimate == pytest.approx(hits.mean())
    low, high = np.quantile(replicates, [0.025, 0.975])
    assert interval.low == pytest.approx(low, abs=0.01)  # which is widened for few pictures
    assert interval.high == pytest.approx(high, abs=0.01)
    assert interval.low <= low
    median = answer.standings[0].scores["text_to_image", "median_rank"]
    assert median.low <= median.estimate <= median.high


def test_no_interval_of_ranks_goes_below_the_first():
    perfect = answer_of(record(match("good", 2))).standings[0]
    assert perfect.scores["both", "median_rank"].low == 1


def test_a_cell_that_failed_on_a_fold_has_no_rank(made: RetrievalRecord):
    more = replace(made.folds[1], fold=1)
    lacking = replace(made, folds=(*made.folds, more))
    assert [standing.name for standing in answer_of(lacking).standings] == ["good"]
    assert leaderboard(lacking).failed == ("worse",)


def test_a_single_cell_that_failed_on_a_fold_has_no_rank_either():
    part = record(match("good", 2))
    assert [standing.name for standing in answer_of(part).standings] == ["good"]
    lost = FailureRecord("good", 0, 1, error="ValueError: no", traceback="")
    assert answer_of(replace(part, failures=(lost,))).standings == ()


def test_what_is_no_better_than_chance_is_an_alarm():
    poor = answer_of(record(match("worse", 400)))
    checks = poor.checks()
    assert [check.severe for check in checks] == [True, True]
    assert "no more than random orders would" in checks[0].sentence


def test_nothing_complete_is_said_and_not_raised():
    empty = record()
    assert headline(answer_of(empty)) == "No space is complete: every cell failed on some fold."
    assert plain(answer_of(empty))["winner"] is None
    assert gallery(empty) is None


def test_the_gallery_marks_what_is_right(made: RetrievalRecord):
    facts = gallery(made)
    assert facts.cell == "good"
    by_text, by_picture = facts.parts
    counts = [kind.count for kind in by_text.kinds]
    assert sum(counts) == PICTURES * TEXTS
    ranks = [case.rank for case in by_text.kinds[2].cases]
    assert ranks == sorted(ranks, reverse=True)
    for part in (by_text, by_picture):
        for case in chain.from_iterable(kind.cases for kind in part.kinds):
            asked = case.row // TEXTS
            right = [answer.row // TEXTS == asked for answer in case.answers]
            assert [answer.right for answer in case.answers] == right
