"""The gallery of single rows: who is right about which, and thumbnails that cannot spoil a page."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from pipeline.testing.records import FUSION, IMAGE, TEXT, small_record
from reports.fold_record import CellRecord, FoldRecord
from reports.page.render import markdown_page, report_parts
from reports.page.thumbnails import TOTAL, Shown, Thumbnails
from reports.record import RunRecord
from reports.sections import gallery


def _says(cell: CellRecord, predicted: list[int], sure: float = 0.9, repeat: int = 0) -> FoldRecord:
    probabilities = np.full((len(predicted), 3), (1 - sure) / 2)
    probabilities[np.arange(len(predicted)), predicted] = sure
    return FoldRecord(
        cell.name,
        repeat,
        0,
        6,
        np.arange(len(predicted)),
        probabilities,
        {},
        {"balanced_accuracy": {FUSION: 0.9, TEXT: 0.8, IMAGE: 0.7}[cell]},
        0.1,
        0.1,
        False,
    )


def _gallery_record(*folds: FoldRecord) -> RunRecord:
    return replace(
        small_record(dict.fromkeys((IMAGE, TEXT, FUSION), (0.5,))),
        folds=folds,
        labels=np.array([0, 0, 1, 1, 2, 2]),
        ids=list("abcdef"),
        texts=["x", None, "", "y", "z", "w"],
    )


def test_the_gallery_tells_apart_who_rescues_and_who_breaks():
    #                   text  pic  both  breaks  all   right
    record = _gallery_record(
        _says(IMAGE, [1, 0, 0, 1, 0, 2]),
        _says(TEXT, [0, 2, 0, 1, 0, 2]),
        _says(FUSION, [0, 0, 1, 2, 0, 2]),
    )
    facts = gallery.facts(record)
    assert facts.compared == (("picture", IMAGE.name), ("text", TEXT.name), ("fusion", FUSION.name))
    assert (facts.rows, facts.repeats) == (6, 1)
    assert {kind.name: [case.id for case in kind.cases] for kind in facts.kinds} == {
        "text-rescues": ["a"],
        "picture-rescues": ["b"],
        "together": ["c"],
        "fusion-breaks": ["d"],
        "label-errors": ["e"],
    }
    votes = facts.kinds[0].cases[0].votes
    assert [(vote.who, vote.predicted, vote.right) for vote in votes] == [
        ("picture", "dog", False),
        ("text", "cat", True),
        ("fusion", "cat", True),
    ]
    assert votes[0].probability == pytest.approx(0.9)
    assert facts.kinds[1].cases[0].text is None


def test_the_gallery_counts_a_row_once_by_its_mean_over_repeats():
    repeats = [
        _says(IMAGE, [1, 0, 1, 1, 2, 2], 0.5),
        _says(IMAGE, [0, 0, 1, 1, 2, 2], 0.9, repeat=1),
    ]
    others = [
        _says(cell, [0, 0, 1, 1, 2, 0], repeat=repeat)
        for cell, repeat in itertools.product((TEXT, FUSION), (0, 1))
    ]
    facts = gallery.facts(_gallery_record(*repeats, *others))
    # row a: .25 and .9 for the cat; row f: only the picture is right
    assert [(kind.name, kind.count) for kind in facts.kinds] == [("fusion-breaks", 1)]
    assert (facts.rows, facts.repeats) == (6, 2)


def test_the_gallery_shows_the_surest_first_and_not_one_class_only():
    labels = np.array([0] * 12 + [1] * 3)
    sure = np.linspace(0.6, 0.95, 15)
    probabilities = np.stack([(1 - sure) / 2, (1 - sure) / 2, sure], axis=1)
    fold = FoldRecord(
        TEXT.name,
        0,
        0,
        15,
        np.arange(15),
        probabilities,
        {},
        {"balanced_accuracy": 0.0},
        0,
        0,
        False,
    )
    record = replace(
        small_record({TEXT: (0.0,)}),
        folds=(fold,),
        labels=labels,
        ids=list(map(str, range(15))),
        texts=["t"] * 15,
    )
    (kind,) = gallery.facts(record).kinds
    assert (kind.name, kind.count) == ("label-errors", 15)
    assert [case.row for case in kind.cases] == [14, 13, 11, 10, 12, *range(9, 2, -1)]


def test_a_gallery_of_perfect_cells_is_empty_but_there():
    record = _gallery_record(*(_says(cell, [0, 0, 1, 1, 2, 2]) for cell in (IMAGE, TEXT, FUSION)))
    assert gallery.facts(record).kinds == ()
    assert "no row on which they disagree" in markdown_page(record, report_parts(record))


def test_thumbnails_are_bounded_and_what_is_wrong_with_them_is_told():
    small = Thumbnails(small_record())
    assert small(0).uri.startswith("data:image/jpeg;base64,")
    assert small(1) == Shown(None, "no picture")
    assert small(2) == Shown(None, "picture unreadable: No such file: 'pictures/2.png'")
    assert Thumbnails(small_record(thumbnail=None))(0) == Shown(None, "no picture")
    assert (
        "left out"
        in Thumbnails(small_record(thumbnail=lambda row: b"<svg onload=alert(1)>"))(0).note
    )
    large = Thumbnails(small_record(thumbnail=lambda row: b"\xff\xd8\xff" + bytes(30_000)))
    shown = [large(row) for row in range(100)]
    assert sum(picture.uri is not None for picture in shown) == TOTAL // 30_003
    assert "left out" in shown[-1].note
