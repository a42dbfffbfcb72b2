"""Which pairs belong together, and in which parts they stand."""

from __future__ import annotations

import numpy as np

from pipeline.use.index.relevance import parts, relevance, together

PICTURES, TEXTS = [b"a", b"a", b"b", b"c", b"d"], ["x", "y", "y", "z", "w"]


def test_pairs_of_one_picture_or_text_are_right_and_stay_together():
    pairs = together(PICTURES, TEXTS)
    right = relevance(pairs)
    of_query = np.split(right.candidates, right.ends[:-1])
    assert of_query[0].tolist() == [0, 1]
    assert of_query[1].tolist() == [0, 1, 2]
    assert of_query[3].tolist() == [3]
    for count in (2, 3):
        part = parts(pairs, count)
        assert part[0] == part[1] == part[2], "joined by the second pair"
        assert set(part) <= set(range(count))


def test_some_of_the_pairs_are_right_for_each_other_as_among_all():
    rows = np.array([2, 1, 4])
    right = relevance(together(PICTURES, TEXTS)[rows][:, rows])
    of_query = np.split(right.candidates, right.ends[:-1])
    assert [candidates.tolist() for candidates in of_query] == [[0, 1], [0, 1], [2]]


def test_parts_are_the_same_every_time_and_about_equal():
    pairs = together(list(range(100)), list(range(100)))
    part = parts(pairs, 5)
    assert np.bincount(part).tolist() == [20] * 5
    np.testing.assert_array_equal(part, parts(pairs, 5))
