"""Ranks of relevant candidates, against a plain sort of each query."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.metrics import ranks as module
from pipeline.metrics.ranks import Relevance, ranks


def relevance_of(relevant: list[list[int]]) -> Relevance:
    queries = np.repeat(np.arange(len(relevant)), [len(row) for row in relevant])
    return Relevance.of_pairs(queries, np.concatenate(relevant), len(relevant))


def by_sorting(scores: np.ndarray, relevant: list[int]) -> list[int]:
    """Each query by itself: relevant candidates behind all others of their score."""
    order = sorted(
        range(len(scores)), key=lambda candidate: (-scores[candidate], candidate in relevant)
    )
    return sorted(order.index(candidate) + 1 for candidate in relevant)


@settings(max_examples=60)
@given(
    st.integers(0, 2**31), st.integers(1, 7), st.integers(1, 9), st.booleans(),
    st.sampled_from([0, 3, 16]),
)
def test_ranks_are_those_of_a_sort(
    seed: int, queries: int, candidates: int, coarse: bool, few: int
):
    draw = np.random.default_rng(seed)
    points = draw.integers(-1, 2, (queries + candidates, 3)).astype(np.float32)
    if not coarse:
        points += draw.normal(size=points.shape).astype(np.float32)
    asked, offered = points[:queries], points[queries:]
    relevant = [
        sorted(draw.choice(candidates, draw.integers(1, candidates + 1), replace=False).tolist())
        for _ in range(queries)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FEW", few)  # more relevant candidates: the scores are sorted
        ranked = ranks(asked, offered, relevance_of(relevant), nearest=candidates)
    scores = asked @ offered.T
    expected = [by_sorting(row, chosen) for row, chosen in zip(scores, relevant, strict=True)]
    assert ranked.ranks.tolist() == list(chain.from_iterable(expected))
    assert ranked.first.tolist() == [row[0] for row in expected]
    best = np.argsort(-scores, axis=1, kind="stable")
    assert ranked.nearest.tolist() == best.tolist()


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch):
    draw = np.random.default_rng(0)
    asked, offered = (draw.normal(size=(n, 4)).astype(np.float32) for n in (23, 17))
    relevance = Relevance.of_pairs(np.arange(23), np.arange(23) % 17, 23)
    whole = ranks(asked, offered, relevance, nearest=5)
    monkeypatch.setattr(module, "SCORES_AT_ONCE", 40)  # two queries a block
    pieces = ranks(asked, offered, relevance, nearest=5)
    assert np.array_equal(whole.ranks, pieces.ranks)
    assert np.array_equal(whole.nearest, pieces.nearest)


def test_no_array_of_all_queries_and_candidates(monkeypatch: pytest.MonkeyPatch):
    seen = []
    of_block = module._ranks_in
    monkeypatch.setattr(
        module, "_ranks_in", lambda scores, of: (seen.append(scores.size), of_block(scores, of))[1]
    )
    monkeypatch.setattr(module, "SCORES_AT_ONCE", 1000)
    points = np.eye(60, dtype=np.float32)
    ranks(points, points, Relevance.of_pairs(np.arange(60), np.arange(60), 60))
    assert max(seen) <= 1000
    assert sum(seen) == 60 * 60


def test_a_space_of_one_point_finds_nothing():
    points = np.ones((50, 3), dtype=np.float32)
    ranked = ranks(points, points, Relevance.of_pairs(np.arange(50), np.arange(50), 50))
    assert ranked.first.tolist() == [50] * 50


def test_pairs_that_stand_twice_count_once():
    relevance = Relevance.of_pairs(np.array([1, 0, 1, 1]), np.array([2, 0, 2, 1]), 2)
    assert relevance.candidates.tolist() == [0, 1, 2]
    assert relevance.sizes.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("asked", "relevance", "reason"),
    [
        (np.eye(3), Relevance.of_pairs(np.array([0, 1]), np.array([0, 1]), 3), "query 2 has no"),
        (np.eye(3), Relevance.of_pairs(np.arange(2), np.arange(2), 2), "of 2 queries"),
        (np.full((2, 3), np.nan), Relevance.of_pairs(np.arange(2), np.arange(2), 2), "finite"),
    ],
)
def test_what_cannot_be_ranked_is_told(asked, relevance, reason):
    with pytest.raises(ValueError, match=reason):
        ranks(asked.astype(np.float32), np.eye(3, dtype=np.float32), relevance)
