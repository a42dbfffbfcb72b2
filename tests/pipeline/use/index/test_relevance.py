"""Which pairs are right for each other, and by chance."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.use.index.relevance import Relevance, hit_rate, relevance_of


def test_pairs_of_one_picture_or_text_are_right_and_stay_together():
    items = {"image": [b"a", b"a", b"b", b"c", b"d"], "text": ["x", "y", "y", "z", "w"]}
    relevance = relevance_of(items, np.arange(5))
    assert relevance.of(0).tolist() == [True, True, False, False, False]
    assert relevance.of(1).tolist() == [True, True, True, False, False]
    for count in (2, 3):
        part = relevance.parts(count)
        assert part[0] == part[1] == part[2], "joined by the second pair"
        assert set(part) <= set(range(count))


def test_parts_are_the_same_every_time_and_about_equal():
    relevance = Relevance(np.arange(100), np.arange(100))
    part = relevance.parts(5)
    assert np.bincount(part).tolist() == [20] * 5
    np.testing.assert_array_equal(part, relevance.parts(5))


def test_chance_is_what_random_orders_give():
    relevance = Relevance(np.array([0, 0, 1, 2, 3, 4, 5, 6]), np.arange(8))
    rng = np.random.default_rng(0)
    hits = [hit_rate(rng.random((8, 8)), relevance, 3) for _ in range(2000)]
    assert relevance.chance(3) == pytest.approx(np.mean(hits), abs=0.01)
    assert relevance.chance(100) == 1.0


def test_of_equally_similar_candidates_the_earlier_comes_first():
    relevance = Relevance(np.arange(3), np.arange(3))
    assert hit_rate(np.zeros((3, 3)), relevance, 1) == pytest.approx(1 / 3)
    assert hit_rate(np.eye(3), relevance, 1) == 1.0
