"""Hits of the same class, against a plain sort of each query and trec_eval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from pipeline.metrics import ranks as ranks_module
from pipeline.metrics.same_class import EXTRA_METRICS, OF_RANKS, mean_values, same_class

# The same by the names of trec_eval.
REFERENCES = {
    "hit_at_1": "success_1",
    "hit_at_5": "success_5",
    "hit_at_10": "success_10",
    "precision_at_10": "P_10",
    "average_precision": "map",
}
DEPTHS = {"hit_at_1": 1, "hit_at_5": 5, "hit_at_10": 10}


def by_hand(scores: np.ndarray, relevant: np.ndarray) -> dict[str, float]:
    """Of a query: relevant candidates stand behind all others of the same score."""
    if not relevant.any():
        return dict.fromkeys(OF_RANKS, float("nan"))
    order = np.lexsort((relevant, -scores))
    hits = relevant[order]
    precisions = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return {
        **{name: float(hits[:depth].any()) for name, depth in DEPTHS.items()},
        "precision_at_10": float(hits[:10].sum() / 10),
        "average_precision": float(precisions[hits].mean()),
    }


@settings(max_examples=50)
@given(
    st.integers(0, 2**31), st.integers(1, 8), st.integers(1, 30), st.integers(1, 4), st.booleans()
)
def test_values_are_those_of_a_sort(seed, queries, candidates, classes, is_sparse):
    """Vectors of zeros and ones on an axis: their cosines are exact, and mostly ties."""
    draw = np.random.default_rng(seed)
    points = np.eye(4, 3, dtype=np.float32)[draw.integers(0, 4, queries + candidates)]
    points *= draw.integers(1, 4, len(points))[:, None].astype(np.float32)
    labels = draw.integers(0, classes + 1, queries)
    known = draw.integers(0, classes, candidates)
    asked, answers = points[:queries], points[queries:]
    directions = np.sign(points)
    if is_sparse:
        asked, answers = sparse.csr_matrix(asked), sparse.csr_matrix(answers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks_module, "SCORES_AT_ONCE", 2 * candidates)  # two queries a block
        values = same_class(asked, labels, answers, known)
    scores = directions[:queries] @ directions[queries:].T
    expected = [
        by_hand(of_query, known == label) for of_query, label in zip(scores, labels, strict=True)
    ]
    for name in OF_RANKS:
        np.testing.assert_allclose(values[name], [row[name] for row in expected], rtol=1e-12)


def test_every_metric_has_its_reference():
    assert set(REFERENCES) == set(OF_RANKS)
    assert len(EXTRA_METRICS) == 2 * len(OF_RANKS)


def test_metrics_are_those_of_trec_eval():
    pytrec_eval = pytest.importorskip("pytrec_eval")
    draw = np.random.default_rng(1)
    asked, answers = (draw.normal(size=(n, 5)).astype(np.float32) for n in (30, 200))
    labels, known = draw.integers(0, 6, 30), draw.integers(0, 6, 200)
    scores = (asked / np.linalg.norm(asked, axis=1, keepdims=True)) @ (
        answers / np.linalg.norm(answers, axis=1, keepdims=True)
    ).T
    evaluator = pytrec_eval.RelevanceEvaluator(
        {
            f"q{query}": {f"c{at}": 1 for at in np.flatnonzero(known == label)}
            for query, label in enumerate(labels)
        },
        {"success.1,5,10", "P.10", "map"},
    )
    expected = evaluator.evaluate({
        f"q{query}": {f"c{at}": float(score) for at, score in enumerate(row)}
        for query, row in enumerate(scores)
    })
    values = same_class(asked, labels, answers, known)
    for name, measure in REFERENCES.items():
        of_queries = [expected[f"q{query}"][measure] for query in range(30)]
        assert values[name] == pytest.approx(of_queries, abs=1e-6)


def test_a_space_of_one_point_finds_nothing():
    labels = np.arange(40) % 2
    values = same_class(np.ones((40, 3)), labels, np.ones((40, 3)), labels)
    assert mean_values(values)["hit_at_10"] == 0
    assert mean_values(values)["precision_at_10"] == 0


def test_rows_whose_class_no_training_row_has_do_not_count():
    points = np.eye(3, dtype=np.float32)
    values = same_class(points, np.array([0, 1, 7]), points, np.array([0, 1, 1]))
    np.testing.assert_array_equal(values["hit_at_1"], [1, 1, np.nan])
    assert mean_values(values)["hit_at_1"] == 1
    nobody = same_class(points, np.array([7, 7, 7]), points, np.array([0, 1, 1]))
    assert np.isnan(mean_values(nobody)["average_precision"])


def test_vectors_that_are_no_numbers_are_refused():
    points = np.eye(2, dtype=np.float32)
    with pytest.raises(ValueError, match="finite"):
        same_class(points * np.nan, np.zeros(2, int), points, np.zeros(2, int))
    broken = sparse.csr_matrix(np.full((2, 2), np.inf))
    with pytest.raises(ValueError, match="finite"):
        same_class(points, np.zeros(2, int), broken, np.zeros(2, int))
