"""Rows in memory: the same whatever holds them, and all that is wrong with them at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from features.pictures.decoding import decode
from pipeline.data.frame import Frame
from pipeline.data.samples import SourceError
from tests.support.samples import png

FRAME = Frame(
    label="kind", image="photo", text=["title", "size"], id="sku", group="brand", split="part"
)
ROWS = [
    {"photo": png(0), "title": " red ", "size": 3, "kind": True, "sku": 1, "brand": "a",
     "part": "train"},
    {"photo": png(1), "title": None, "size": 2.0, "kind": False, "sku": 2, "brand": "b",
     "part": "train"},
    {"photo": None, "title": "blue", "size": None, "kind": True, "sku": 10, "brand": None,
     "part": "test"},
]


def pandas_frame(rows):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(rows)


KINDS = {
    "list": list,
    "tuple": tuple,
    "pandas": pandas_frame,
    "arrow": lambda rows: pa.table({
        name: [str(row[name]) if name == "size" and row[name] else row[name] for row in rows]
        for name in rows[0]
    }),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_the_same_whatever_holds_them(kind):
    samples = FRAME.samples(KINDS[kind](ROWS))
    assert samples.texts == ["red\n3", "2" if kind != "arrow" else "2.0", "blue"]
    assert samples.labels == ["true", "false", "true"]
    assert samples.ids == ["1", "2", "10"]
    assert samples.groups == {"brand": ["a", "b", None]}
    assert samples.split == ["train", "train", "test"]
    assert [picture and picture.read() for picture in samples.pictures] == [png(0), png(1), None]
    assert samples.locations == ["data row 1", "data row 2", "data row 3"]


def test_pictures_take_any_form(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(png(0))
    forms = [
        "a.png", tmp_path / "a.png", png(0), bytearray(png(0)), {"bytes": png(0), "path": None},
        {"path": "a.png"}, Image.open("a.png"), np.asarray(Image.open("a.png")), " ", float("nan"),
    ]
    rows = [{"photo": form, "kind": "x"} for form in forms]
    samples = Frame(label="kind", image="photo").samples(rows)
    expected = np.asarray(decode(png(0)))
    for picture in samples.pictures[:8]:
        assert np.array_equal(np.asarray(decode(picture.read())), expected)
    assert samples.pictures[8:] == [None, None]


def test_a_frame_of_pandas_may_hold_missing_values_of_any_kind():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({
        "kind": pandas.Categorical(["a", "b", "a"]),
        "title": pandas.array(["x", pandas.NA, "z"], dtype="string"),
        "sku": pandas.array([1, 2, 3], dtype="Int64"),
    }, index=[7, 7, 9])
    samples = Frame(label="kind", text="title", id="sku").samples(frame)
    assert (samples.labels, samples.texts, samples.ids) == (
        ["a", "b", "a"], ["x", None, "z"], ["1", "2", "3"]
    )


def problems_of(frame, rows):
    with pytest.raises(SourceError) as raised:
        frame.samples(rows)
    return raised.value.problems


def test_columns_that_are_not_there_are_named_with_the_nearest():
    rows = [{"foto": png(0), "titel": "x", "kind": "a"}]
    problems = problems_of(Frame(label="kind", image="photo", text="title"), rows)
    assert len(problems) == 2
    assert problems[0].startswith("image: data has no column 'photo'; did you mean 'foto'?")


def test_values_that_cannot_be_are_all_named():
    rows = [
        {"photo": 3, "title": ["x"], "kind": "a"}, {"photo": np.zeros((2, 2)), "kind": b"b"}
    ]
    problems = problems_of(Frame(label="kind", image="photo", text="title"), rows)
    assert "data row 1: a picture is a path, bytes" in problems[0]
    assert "data row 2: an array of float64 (2, 2) is no picture" in problems[1]


def test_values_of_columns_that_hold_no_plain_values_are_all_named():
    rows = [{"title": ["x"], "kind": "a"}, {"title": "x", "kind": "b"}, {"title": {}, "kind": "c"}]
    assert problems_of(Frame(label="kind", text="title"), rows) == (
        "data row 1: 'title' must be text, a number, a date, true or false, not list",
        "data row 3: 'title' must be text, a number, a date, true or false, not dict",
    )


@pytest.mark.parametrize(("rows", "reason"), [
    ([], "data has no column 'kind'"),
    (pa.table({"kind": pa.array([], pa.string()), "title": pa.array([], pa.string())}),
     "data holds no rows"),
    (3, "data must be a pandas data frame, an Arrow table or a list of mappings, not int"),
    ([1, 2], "not list"),
    (pa.table([["a"], ["b"], ["c"]], names=["kind", "title", "title"]), "more than one column"),
])
def test_what_is_no_table_is_refused(rows, reason):
    assert any(reason in problem for problem in problems_of(Frame(label="kind", text="title"),
                                                            rows))


def test_neither_pictures_nor_texts_are_a_mistake():
    assert "name the pictures' column" in problems_of(Frame(label="kind"), [{"kind": "a"}])[0]
