"""Every metric of retrieval against trec_eval's, and by hand where trec_eval has none."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.metrics.ranks import Ranks, Relevance, ranks
from pipeline.metrics.retrieval import RETRIEVAL_METRICS, chance_of_hit

# The same by the names of trec_eval; None for what it does not have.
REFERENCES = {
    "hit_at_1": "success_1",
    "hit_at_5": "success_5",
    "hit_at_10": "success_10",
    "recall_at_1": "recall_1",
    "recall_at_5": "recall_5",
    "recall_at_10": "recall_10",
    "median_rank": None,
    "reciprocal_rank": "recip_rank",
    "average_precision": "map",
    "ndcg_at_10": "ndcg_cut_10",
}
QUERIES, CANDIDATES = 40, 60


@pytest.fixture(scope="module")
def case() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Queries, candidates, and which are relevant (q, m): one to fifteen of each query."""
    draw = np.random.default_rng(3)
    asked = draw.normal(size=(QUERIES, 8)).astype(np.float32)
    offered = draw.normal(size=(CANDIDATES, 8)).astype(np.float32)
    chance = draw.uniform(0, 0.25, (QUERIES, 1))
    relevant = draw.uniform(size=(QUERIES, CANDIDATES)) < chance
    relevant[np.arange(QUERIES), draw.integers(0, CANDIDATES, QUERIES)] = True
    return asked, offered, relevant


def ranked(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Ranks:
    asked, offered, relevant = case
    return ranks(asked, offered, Relevance.of_pairs(*np.nonzero(relevant), QUERIES))


def test_every_metric_has_its_reference():
    assert set(REFERENCES) == set(RETRIEVAL_METRICS)


@pytest.mark.parametrize("name", [name for name, reference in REFERENCES.items() if reference])
def test_metrics_are_those_of_trec_eval(name: str, case):
    pytrec_eval = pytest.importorskip("pytrec_eval")
    asked, offered, relevant = case
    scores = asked @ offered.T
    measure = str(REFERENCES[name])
    evaluator = pytrec_eval.RelevanceEvaluator(
        {
            f"q{query}": {f"c{candidate}": 1 for candidate in np.flatnonzero(row)}
            for query, row in enumerate(relevant)
        },
        {".".join(measure.rsplit("_", 1)) if measure[-1].isdigit() else measure},
    )
    expected = evaluator.evaluate(
        {
            f"q{query}": {f"c{number}": float(score) for number, score in enumerate(row)}
            for query, row in enumerate(scores)
        }
    )
    values = RETRIEVAL_METRICS[name].function(ranked(case))
    assert values == pytest.approx(
        [expected[f"q{query}"][measure] for query in range(QUERIES)], abs=1e-6
    )


def test_median_rank_is_the_median_of_the_best_ranks(case):
    asked, offered, relevant = case
    order = np.argsort(-(asked @ offered.T), axis=1)
    first = [
        1 + int(np.argmax(row[columns])) for row, columns in zip(relevant, order, strict=True)
    ]
    assert RETRIEVAL_METRICS["median_rank"](ranked(case)) == np.median(first)
    assert not RETRIEVAL_METRICS["median_rank"].greater_is_better


def test_a_perfect_space_gets_the_best_of_everything():
    points = np.repeat(np.eye(12, dtype=np.float32), 5, axis=0)
    captions = Relevance.of_pairs(np.repeat(np.arange(12), 5), np.arange(60), 12)
    perfect = ranks(np.eye(12, dtype=np.float32), points, captions)
    scores = {name: metric(perfect) for name, metric in RETRIEVAL_METRICS.items()}
    # Five captions each: the first place finds one of them.
    assert scores.pop("recall_at_1") == pytest.approx(0.2)
    assert list(scores.values()) == pytest.approx([1.0] * len(scores))


def test_chance_is_what_random_orders_find():
    draw = np.random.default_rng(0)
    relevance = Relevance.of_pairs(np.repeat(np.arange(3), [1, 2, 5]), np.arange(8), 3)
    of_queries = ranks(
        draw.normal(size=(3, 2)).astype(np.float32),
        draw.normal(size=(20, 2)).astype(np.float32),
        relevance,
    )
    orders = np.argsort(draw.uniform(size=(20_000, 20)), axis=1)
    # Place of each candidate; the first one, two or five are the relevant ones.
    hit = [(orders[:, :size] < 4).any(axis=1).mean() for size in (1, 2, 5)]
    assert chance_of_hit(of_queries, 4) == pytest.approx(np.mean(hit), abs=0.01)
    assert chance_of_hit(of_queries, 50) == 1.0
