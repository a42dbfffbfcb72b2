"""Pictures in Parquet files: read row by row, from one file or a folder of them."""

from __future__ import annotations

import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.data.samples import SourceError, reading_order
from pipeline.data.sources import parquet
from pipeline.data.sources.columns import read_columns
from pipeline.data.sources.table import Table
from tests.support.samples import png


@pytest.fixture
def folder(tmp_path):
    """Three files of 5, 0 and 4 rows, in row groups of 2, with a row without picture."""
    parts = tmp_path / "parts"
    parts.mkdir()
    for number, rows in enumerate([range(5), range(0), range(5, 9)]):
        table = pa.table({
            "id": pa.array([f"id{row}" for row in rows], pa.string()),
            "image": pa.array([None if row == 3 else png(row) for row in rows], pa.binary()),
            "words": pa.array([f"words {row}" for row in rows], pa.string()),
            "kind": pa.array(["ab"[row % 2] for row in rows], pa.string()),
        })
        pq.write_table(table, parts / f"part-{number}.parquet", row_group_size=2)
    return tmp_path


def samples_of(folder, **changes):
    columns = {"path": "parts", "image": "image", "text": "words", "label": "kind", "id": "id"}
    return Table(**columns | changes).load(folder)


def test_a_folder_of_files_is_one_table(folder):
    samples = samples_of(folder)
    assert samples.ids == [f"id{row}" for row in range(9)]
    assert samples.texts == [f"words {row}" for row in range(9)]
    shown = [picture and picture.read() for picture in samples.pictures]
    assert shown == [None if row == 3 else png(row) for row in range(9)]
    assert samples.locations[4:6] == ["part-0.parquet row 5", "part-2.parquet row 1"]
    assert samples.pictures[5].name == "part-2.parquet row 1"


def test_rows_that_are_left_out_leave_the_pictures_with_their_rows(folder):
    samples = samples_of(folder, where={"kind": "b"})
    assert samples.ids == ["id1", "id3", "id5", "id7"]
    assert [picture and picture.read() for picture in samples.pictures] == [
        png(1), None, png(5), png(7)
    ]


def test_few_row_groups_are_in_memory_and_each_is_read_once_in_reading_order(folder, monkeypatch):
    pictures = [picture for picture in samples_of(folder).pictures if picture]
    reads, read = [], parquet._read
    monkeypatch.setattr(parquet, "_GROUPS", parquet._RowGroups())
    monkeypatch.setattr(parquet, "_read", lambda *of: reads.append(of) or read(*of))
    shuffled = [pictures[position] for position in np.random.default_rng(0).permutation(8)]
    for position in reading_order(shuffled):
        shuffled[position].digest()
    assert len(reads) == 3 + 2
    assert len(parquet._GROUPS._columns) == parquet.GROUPS


def test_pictures_travel_as_what_they_are_and_not_as_their_bytes(folder):
    pictures = samples_of(folder).pictures[:3]
    travelled = pickle.dumps(pictures)
    assert len(travelled) < 1000
    assert [picture.read() for picture in pickle.loads(travelled)] == [png(0), png(1), png(2)]


def test_a_file_that_changed_meanwhile_is_an_error_that_names_the_row(folder):
    picture = samples_of(folder).pictures[8]
    pq.write_table(pa.table({"image": pa.array([], pa.binary())}),
                   folder / "parts" / "part-2.parquet")
    with pytest.raises(OSError, match=r"part-2.parquet cannot be read|no longer holds"):
        picture.read()


def test_files_that_differ_in_their_columns_are_an_error(folder):
    pq.write_table(pa.table({"id": pa.array(["x"])}), folder / "parts" / "part-3.parquet")
    with pytest.raises(SourceError, match=r"part-3\.parquet has no column 'image'"):
        samples_of(folder)


def test_a_folder_without_parquet_files_is_an_error(tmp_path):
    (tmp_path / "parts").mkdir()
    with pytest.raises(SourceError, match="without Parquet files"):
        samples_of(tmp_path)


def test_files_of_a_folder_that_differ_are_named(tmp_path):
    whole = {"text": ["a"], "class": ["k"]}
    for name, columns in (
        ("a", whole),
        ("b", {**whole, "class": [1]}),
        ("c", {"text": ["a"]}),
        ("d", {**whole, "class": pa.nulls(1)}),  # none of its rows has a value
    ):
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    with pytest.raises(SourceError) as error:
        read_columns(tmp_path, ["text", "class"])
    assert list(error.value.problems) == [
        "b.parquet column 'class' is int64, in a.parquet it is string: write both as one type",
        "c.parquet has no column 'class', a.parquet has one",
    ]
    for name in "bc":
        (tmp_path / f"{name}.parquet").write_bytes(b"cut off")
    with pytest.raises(SourceError, match=r"b\.parquet cannot be read.*\n.*c\.parquet cannot"):
        read_columns(tmp_path, ["text", "class"])
    for name in "bc":
        (tmp_path / f"{name}.parquet").unlink()
    table = read_columns(tmp_path, ["text", "class"])
    assert table.table.to_pydict() == {"text": ["a", "a"], "class": ["k", None]}
