"""Recommended items: alike, apart from some, and varied."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.index import main as index_items
from pipeline.recommend import main as recommend_items
from pipeline.use.index.index import Wish
from pipeline.use.index.question import Term
from pipeline.use.index.recommending import Liked, Variety, recommend
from pipeline.use.index.spaces import Space
from pipeline.use.problem import BundleError


def test_items_of_its_kind_come_without_itself(indexed):
    for by in ("picture", "text", "both"):
        hits = recommend(indexed.index, Liked({"id7": 1.0}), Wish(10, by))
        assert {hit.columns["kind"] for hit in hits} == {"cat"}
        assert "id7" not in {hit.id for hit in hits}
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_its_own_group_is_left_out(indexed):
    hits = recommend(indexed.index, Liked({"id7": 1.0}), Wish(30), Variety(apart="kind"))
    assert "cat" not in {hit.columns["kind"] for hit in hits}


def test_several_count_by_their_weights(indexed):
    index = indexed.index
    mostly_dog = Liked({"id7": 0.1, "id25": 1.0})
    assert {hit.columns["kind"] for hit in recommend(index, mostly_dog, Wish(5))} == {"dog"}
    without = recommend(index, Liked({"id7": 1.0, "id25": -1.0}), Wish(60))
    assert without[-1].columns["kind"] == "dog"


def test_new_items_are_given_by_picture_and_text(indexed):
    new = (Term("text", "wheel engine", 1, ""),)
    hits = recommend(indexed.index, Liked({}, new), Wish(5))
    assert {hit.columns["kind"] for hit in hits} == {"car"}
    assert all(set(hit.cosines) == {"text"} for hit in hits)


def test_varied_items_are_less_alike_and_the_best_stays_first(indexed):
    index = indexed.index
    vectors = np.asarray(index.files.vectors[Space("text", shared=False)])

    def mean_similarity(hits) -> float:
        rows = [hit.row for hit in hits]
        return float((vectors[rows] @ vectors[rows].T)[np.triu_indices(len(rows), 1)].mean())

    plain = recommend(index, Liked({"id7": 1.0}), Wish(5, "text"))
    varied = recommend(index, Liked({"id7": 1.0}), Wish(5, "text"), Variety(diversity=0.7))
    assert varied[0] == plain[0]
    assert mean_similarity(varied) < mean_similarity(plain)


def test_an_id_that_is_not_there_is_refused_with_the_nearest(indexed, capsys):
    with pytest.raises(BundleError, match="no item has the id 'idd7'; nearest: id"):
        recommend(indexed.index, Liked({"idd7": 1.0}), Wish())
    assert recommend_items([str(indexed.folder)]) == 2
    assert "like what?" in capsys.readouterr().err


def test_what_is_asked_for_twice_or_without_effect_is_refused(indexed, capsys):
    assert recommend_items([str(indexed.folder), "--item", "id7=5", "--item", "id7"]) == 2
    assert "--item id7 is given twice" in capsys.readouterr().err
    assert recommend_items([str(indexed.folder), "--text", "a dog", "--apart", "kind"]) == 2
    assert "--apart leaves out items that have the value of one that is liked" in (
        capsys.readouterr().err
    )


def test_ids_that_stand_several_times_are_told_and_not_taken_for_one(indexed, tmp_path, capsys):
    lines = indexed.table.read_text().splitlines(keepends=True)
    table = indexed.table.with_name("repeated.csv")
    table.write_text("".join([*lines, lines[1], lines[2]]))
    folder = tmp_path / "index"
    assert index_items([str(indexed.model), str(table), "-o", str(folder)]) == 0
    assert "2 ids stand several times (“id0” and “id1”)" in capsys.readouterr().err
    assert recommend_items([str(folder), "--item", "id0"]) == 2
    assert "several items have the id 'id0'" in capsys.readouterr().err
    assert recommend_items([str(folder), "--item", "id7"]) == 0


def test_the_command_takes_weights_and_new_items(indexed, capsys):
    picture = str(indexed.table.parent / "7.png")
    assert recommend_items(
        [str(indexed.folder), "--item", "id7=0.5", "--item", "id8", "--image", picture, "-k", "3"]
    ) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


@pytest.mark.parametrize("weight", ["nan", "inf", "-inf", "0", "1e308", "1e7"])
def test_weights_that_say_nothing_are_refused(indexed, weight, capsys):
    with pytest.raises(SystemExit):
        recommend_items([str(indexed.folder), "--item", f"id7={weight}"])
    assert "a weight is a number other than 0, of 1,000,000 at most" in capsys.readouterr().err
