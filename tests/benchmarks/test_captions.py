"""Neither a photo nor a sentence tells whether they belong together."""

from __future__ import annotations

from collections import Counter

from benchmarks.captions import PHOTOS, pairs

SENTENCES = {f"photo {n}": [f"sentence {k} of photo {n}" for k in range(5)] for n in range(15)}


def test_photos_and_sentences_are_own_and_other_equally_often_and_sets_are_whole():
    rows = list(pairs(SENTENCES))
    assert len(rows) == 150
    assert set(Counter((row["name"], row["photo"]) for row in rows).values()) == {5}
    assert set(Counter((row["caption"], row["photo"]) for row in rows).values()) == {1}
    for row in rows:
        assert (row["photo"] == "own") == row["caption"].endswith(f"of {row['name']}")
    sets = {(row["name"], row["set"]) for row in rows}
    assert len(sets) == len(SENTENCES)
    assert set(Counter(label for _, label in sets).values()) == {PHOTOS}
    written_for = {(row["caption"].rpartition(" of ")[2], row["set"]) for row in rows}
    assert written_for == sets


def test_another_seed_draws_other_sets():
    first, second = (list(pairs(SENTENCES, seed)) for seed in (0, 1))
    assert first == list(pairs(SENTENCES))
    assert first != second
