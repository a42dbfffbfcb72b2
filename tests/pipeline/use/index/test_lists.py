"""Inverted lists: their candidates, what is read of them, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from features.block import unit_rows
from pipeline.use.index.listing import Vectors, make_lists
from pipeline.use.index.lists import ListFiles, Lists, arrays_file
from pipeline.use.index.nearest import DEEPEST, Comparison, nearest
from pipeline.use.index.spaces import Space
from pipeline.use.problem import BundleError

N, WIDTH, ABOVE = 400, 12, 50
IMAGE, TEXT = Space("image", shared=False), Space("text", shared=False)


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """Of pictures and texts that go together; some items lack the one or the other."""
    rng = np.random.default_rng(0)
    common = rng.standard_normal((N, WIDTH))
    present = {"image": rng.random(N) < 0.9, "text": rng.random(N) < 0.9}
    of = {}
    for space in (IMAGE, TEXT):
        of[space] = unit_rows(common + 0.5 * rng.standard_normal((N, WIDTH))).astype(np.float32)
        of[space][~present[space.modality]] = 0
    return Vectors(of, present)


@pytest.fixture(scope="module")
def folder(vectors, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("lists")
    make_lists(folder, vectors)
    return folder


def lists_of(folder: Path, space: Space, probes: int = N, above: int = ABOVE) -> Lists:
    return Lists(space.name, ListFiles.read(folder, space.name), N, probes, above)


def comparisons(vectors: Vectors, row: int, lists: dict[Space, Lists]) -> dict[str, Comparison]:
    """Of an item with all items, pictures for a third of the score."""
    return {
        space.name: replace(
            vectors.comparison(space, vectors.of[space][row], lists.get(space)), weight=weight
        )
        for space, weight in ((IMAGE, 1 / 3), (TEXT, 2 / 3))
    }


def both(vectors: Vectors) -> list[int]:
    return np.flatnonzero(vectors.present["image"] & vectors.present["text"]).tolist()


@pytest.mark.parametrize("share", [None, 0.5])
def test_with_all_lists_the_answer_is_the_exact_one(vectors, folder, share):
    rng = np.random.default_rng(1)
    lists = {space: lists_of(folder, space) for space in (IMAGE, TEXT)}
    for row in both(vectors)[:30]:
        allowed = None if share is None else rng.random(N) < share
        exact = nearest(comparisons(vectors, row, {}), 7, allowed)
        by_lists = nearest(comparisons(vectors, row, lists), 7, allowed)
        assert by_lists.by_lists == ("image", "text")
        assert exact.by_lists == ()
        np.testing.assert_array_equal(by_lists.rows, exact.rows)
        np.testing.assert_allclose(by_lists.scores, exact.scores, rtol=1e-6)
        assert allowed is None or allowed[by_lists.rows].all()


@pytest.mark.parametrize(("count", "allowed", "is_exact"), [
    (5, ABOVE, True), (5, ABOVE + 1, False), (DEEPEST, None, False), (DEEPEST + 1, None, True),
])
def test_few_items_and_many_hits_are_searched_exactly(vectors, folder, count, allowed, is_exact):
    rows = np.random.default_rng(2).permutation(np.flatnonzero(vectors.present["text"]))
    may_come = None if allowed is None else np.isin(np.arange(N), rows[:allowed])
    comparison = vectors.comparison(TEXT, vectors.of[TEXT][rows[0]], lists_of(folder, TEXT))
    ranking = nearest({"text": comparison}, count, may_come)
    assert (ranking.by_lists == ()) == is_exact
    assert len(ranking.rows) == count


def test_there_are_as_many_hits_as_there_can_be(vectors, folder):
    """What stands in another list than the one looked at is found all the same."""
    lists = lists_of(folder, TEXT, probes=1, above=0)
    question = vectors.of[TEXT][both(vectors)[0]]
    near = set(lists.candidates(question, N, None).tolist())
    assert 0 < len(near) < N / 2
    far = vectors.present["text"] & ~np.isin(np.arange(N), sorted(near))
    assert len(lists.candidates(question, N, far)) == 0
    ranking = nearest({"text": vectors.comparison(TEXT, question, lists)}, 5, far)
    assert len(ranking.rows) == 5
    assert ranking.by_lists == ()


def test_where_fewer_may_come_more_lists_are_looked_at(vectors, folder):
    question = vectors.of[TEXT][both(vectors)[0]]
    near = lists_of(folder, TEXT, probes=1).candidates(question, N, None)
    allowed = np.arange(N) % 4 == 0
    filtered = lists_of(folder, TEXT, probes=1).candidates(question, N, allowed)
    assert allowed[filtered].all()
    assert set(near[allowed[near]]) < set(filtered)
    assert len(filtered) > len(near) / 2


def test_a_space_without_vectors_keeps_nobody_from_the_lists_of_another(vectors, folder):
    nobody = Comparison(np.zeros((N, 2), np.float32), np.zeros(N, np.bool_), np.ones(2, np.float32))
    question = vectors.of[TEXT][both(vectors)[0]]
    comparison = vectors.comparison(TEXT, question, lists_of(folder, TEXT))
    assert nearest({"picture": nobody, "text": comparison}, 5).by_lists == ("text",)


def test_only_what_is_looked_at_is_read_and_that_is_refused_when_touched(vectors, folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    files = ListFiles.read(folder, "text")
    # Vectors of the last list; the question is a vector of the first.
    sizes = np.diff(files.ends, prepend=0)
    (first, *_), (*_, last) = np.flatnonzero(sizes).tolist(), np.flatnonzero(sizes).tolist()
    codes = bytearray((tmp_path / "text.codes").read_bytes())
    codes[-1] ^= 1
    (tmp_path / "text.codes").write_bytes(bytes(codes))
    row_of_first, row_of_last = (int(files.list_at(at)[1][0]) for at in (first, last))
    lists = lists_of(tmp_path, TEXT, probes=1)
    assert len(lists.candidates(vectors.of[TEXT][row_of_first], 5, None)) == 5
    with pytest.raises(BundleError, match="files of its approximate search were changed"):
        lists.candidates(vectors.of[TEXT][row_of_last], 5, None)


def altered(folder: Path, tmp_path: Path, **arrays: Any) -> Path:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    path = tmp_path / arrays_file("text")
    save_file({**load_file(path), **arrays}, path)
    return tmp_path


@pytest.mark.parametrize("arrays", [
    {"ends": np.array([5, 3], np.int64)},
    {"trained": np.zeros(3, np.float32)},
    {"digests": np.zeros((1, 32), np.uint8)},
    {"centroids": np.zeros((0, WIDTH), np.float32)},
    {"centroids": np.full((10, WIDTH), np.nan, np.float32)},
])
def test_arrays_that_do_not_fit_are_refused(folder, tmp_path, arrays):
    with pytest.raises(ValueError, match=r"text\.lists\.safetensors does not fit the other files"):
        ListFiles.read(altered(folder, tmp_path, **arrays), "text")


def test_rows_of_items_that_there_are_not_are_refused(vectors, folder):
    lists = Lists("text", ListFiles.read(folder, "text"), N // 2, N, 0)
    with pytest.raises(BundleError, match="lists name items that there are not"):
        lists.candidates(vectors.of[TEXT][both(vectors)[0]], 5, None)
