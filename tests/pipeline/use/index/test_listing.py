"""Lists as they are made, and the recall that is said of them."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from features.block import unit_rows
from pipeline.use.index import listing
from pipeline.use.index.listing import Vectors, list_count, make_lists
from pipeline.use.index.lists import ListFiles, Lists
from pipeline.use.index.spaces import Space

N, WIDTH = 3000, 16
SPACES = [Space(*pair) for pair in product(("image", "text"), (False, True))]


def vectors(spaces: list[Space], n: int = N) -> Vectors:
    """Without clusters, so that lists miss some; a fifth of the items lack a modality."""
    rng = np.random.default_rng(0)
    common = rng.standard_normal((n, WIDTH))
    present = {space.modality: rng.random(n) < 0.8 for space in spaces}
    of = {
        space: unit_rows(common + rng.standard_normal((n, WIDTH))).astype(np.float32)
        * present[space.modality][:, None]
        for space in spaces
    }
    return Vectors(of, present)


@pytest.mark.parametrize(("m", "lists"), [(1, 1), (100, 2), (10_000, 256), (10**6, 2048)])
def test_lists_grow_with_the_root_of_the_vectors(m, lists):
    assert list_count(m) == lists


def test_all_that_can_be_asked_is_measured(tmp_path: Path):
    agreement = make_lists(tmp_path, vectors(SPACES, 400))
    assert set(agreement.recall) == {
        "image", "text", "image-shared", "text-shared",
        "image + text",  # recommending
        "image + text-shared",  # asked with a picture
        "image-shared + text",  # asked with words
        "image-shared + text-shared",  # asked with both
    }
    of_texts = vectors([Space("text", shared=False)], 400)
    assert list(make_lists(tmp_path, of_texts).recall) == ["text"]


def test_recall_is_that_of_a_comparison_with_all(tmp_path: Path, monkeypatch):
    """Of every second of the items drawn; whoever asks is no answer."""
    monkeypatch.setattr(listing, "QUESTIONS", 30)
    monkeypatch.setattr(listing, "BLOCK", 700)
    monkeypatch.setattr(listing, "LEAST_RECALL", 0.6)
    space = Space("text", shared=False)
    of_space = vectors([space])
    agreement = make_lists(tmp_path, of_space)
    probes = agreement.probes["text"]
    lists = Lists("text", ListFiles.read(tmp_path, "text"), N, probes, 0)
    assert 1 <= probes < len(lists) == agreement.lists["text"]
    points, there = of_space.of[space], np.flatnonzero(of_space.present["text"])
    rows = np.random.default_rng(0).permutation(there)[:60]
    shares = []
    for row in rows[1::2].tolist():
        others = there[there != row]
        exact = others[np.argsort(-(points[others] @ points[row]))[:10]]
        near = lists.candidates(points[row], 100, np.arange(N) != row)
        best = near[np.argsort(-(points[near] @ points[row]))[:10]]
        shares.append(len(set(exact) & set(best)) / 10)
    assert agreement.questions == 30
    assert agreement.recall["text"] == pytest.approx(np.mean(shares))
    assert 0.5 < agreement.recall["text"] < 1, "few lists are looked at, and so some are missed"


def test_probes_are_as_many_as_the_recall_asked_for_needs(tmp_path: Path, monkeypatch):
    space = Space("text", shared=False)
    numbers = []
    for least in (0.1, 0.95, 1.1):
        monkeypatch.setattr(listing, "LEAST_RECALL", least)
        agreement = make_lists(tmp_path, vectors([space]))
        numbers.append(agreement.probes["text"])
    assert numbers[0] == 1
    assert 1 < numbers[1] <= numbers[2] == agreement.lists["text"]
    assert agreement.recall["text"] == pytest.approx(1, abs=0.01), "all lists are looked at"


def test_the_same_vectors_give_the_same_lists(tmp_path: Path):
    contents = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        make_lists(tmp_path / name, vectors(SPACES, 400))
        contents.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert contents[0] == contents[1]


def test_an_item_alone_is_not_measured(tmp_path: Path):
    of_space = {Space("text", shared=False): np.eye(1, 3, dtype=np.float32)}
    agreement = make_lists(tmp_path, Vectors(of_space, {"text": np.ones(1, np.bool_)}))
    assert agreement.recall == {}
    assert "was not measured" in agreement.line(["text"])
