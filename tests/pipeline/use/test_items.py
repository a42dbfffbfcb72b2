"""Items of every format have the very texts that the rows of a grid have."""

from __future__ import annotations

import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.data.sources.table import Table
from pipeline.use.items import Columns, read_items

COLUMNS = {
    "id": [4006381333931.0, 2.5],
    "text": [Decimal("3.00"), Decimal("0.10")],
    "label": [True, False],
}


@pytest.mark.parametrize("ending", [".parquet", ".jsonl"])
def test_numbers_and_truth_values_are_written_as_in_tables(ending, tmp_path):
    file = tmp_path / f"items{ending}"
    if ending == ".parquet":
        columns = {**COLUMNS, "text": pa.array(COLUMNS["text"]).dictionary_encode()}
        pq.write_table(pa.table(columns), file)
    else:
        rows = zip(*(map(float, COLUMNS[name]) for name in ("id", "text")), COLUMNS["label"],
                   strict=True)
        file.write_text("".join(json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n"
                                for row in rows))
    items = list(read_items(str(file), Columns(text=("text",), label="label", id="id")))
    learned = Table(path=file.name, text="text", label="label", id="id").load(tmp_path)
    assert [item.name for item in items] == learned.ids == ["4006381333931", "2.5"]
    assert [item.text for item in items] == learned.texts == ["3", "0.1"]
    assert [item.label for item in items] == learned.labels == ["true", "false"]


def test_pictures_of_linked_folders_and_every_ending_are_items(tmp_path):
    for name in ("a.png", "deep/b.JP2"):
        (tmp_path / "elsewhere" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "elsewhere" / name).write_bytes(b"content")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "linked").symlink_to("../elsewhere")
    (tmp_path / "elsewhere" / "deep" / "back").symlink_to("..")
    assert [item.name for item in read_items(str(tmp_path / "set"), Columns())] == [
        "linked/a.png", "linked/deep/b.JP2"
    ]
