"""Exact search against what every item's score is by definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.block import unit_rows
from pipeline.use.index import nearest as module
from pipeline.use.index.nearest import Comparison, nearest


def comparison(rng: np.random.Generator, n: int, weight: float, levels: int) -> Comparison:
    """Vectors of few values, so that there are ties; some items lack the modality."""
    vectors = unit_rows(rng.integers(-levels, levels + 1, (n, 3)).astype(np.float32))
    present = (rng.random(n) < 0.8) & vectors.any(axis=1)
    vectors[~present] = 0
    question = unit_rows(rng.integers(-levels, levels + 1, (1, 3)).astype(np.float32))[0]
    return Comparison(vectors, present, question, weight)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 40),
    count=st.integers(1, 12),
    weight=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    block=st.integers(1, 50),
)
def test_the_best_items_come_first_whatever_the_blocks(seed, n, count, weight, block):
    rng = np.random.default_rng(seed)
    parts = {"picture": comparison(rng, n, weight, 1), "text": comparison(rng, n, 1 - weight, 1)}
    allowed = rng.random(n) < 0.7
    with_blocks = module.BLOCK
    module.BLOCK = block
    try:
        ranking = nearest(parts, count, allowed)
    finally:
        module.BLOCK = with_blocks
    total, weights = np.zeros(n), np.zeros(n)
    for part in parts.values():
        total += part.weight * (part.vectors @ part.question)
        weights += part.weight * part.present
    rows = [row for row in range(n) if allowed[row] and weights[row] > 0]
    scores = {row: total[row] / weights[row] for row in rows}
    assert len(ranking.rows) == min(count, len(rows))
    np.testing.assert_allclose(
        ranking.scores, sorted(scores.values(), reverse=True)[:count], atol=1e-6
    )
    for row, score in zip(ranking.rows.tolist(), ranking.scores, strict=True):
        assert abs(scores[row] - score) < 1e-6
    equal = np.diff(ranking.scores) == 0
    assert (np.diff(ranking.rows)[equal] > 0).all()


def test_cosines_of_what_an_item_lacks_are_no_numbers():
    axes = np.array([[1, 0], [0, 1]], np.float32)
    parts = {
        "picture": Comparison(axes, np.array([True, True]), axes[0]),
        "text": Comparison(axes * [[0], [1]], np.array([False, True]), axes[1]),
    }
    ranking = nearest(parts, 2)
    assert ranking.rows.tolist() == [0, 1]
    np.testing.assert_allclose(ranking.scores, [1.0, 0.5])
    np.testing.assert_array_equal(ranking.cosines["text"], [np.nan, 1.0])
