"""View types, as Polars writes them, are read like any other, wherever they stand."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.data.frame import Frame
from pipeline.data.sources.table import Table
from tests.support.source_examples import png

PICTURES = {
    "paths": pa.array(["p/a.png", None, "b.png"], pa.string_view()),
    "bytes": pa.array([png("red"), None, png("blue")], pa.binary_view()),
    "both": pa.array(
        [{"bytes": png("red"), "path": None}, None, {"bytes": png("blue"), "path": "b.png"}],
        pa.struct([("bytes", pa.binary_view()), ("path", pa.string_view())]),
    ),
}


@pytest.mark.parametrize("given", ["file", "memory"])
@pytest.mark.parametrize("kind", PICTURES)
def test_texts_and_pictures_of_views_are_read_sampled_and_chosen(kind, given, tmp_path):
    kinds = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0]), pa.array(["x", "y"]))
    table = pa.table({
        "image": PICTURES[kind],
        "text": pa.array(["a", "b", None], pa.string_view()),
        "label": kinds,
    })
    if given == "file":
        pq.write_table(table, tmp_path / "items.parquet")
        keys = {"path": "items.parquet", "image": "image", "text": "text", "label": "label"}
        samples = Table(**keys).load(tmp_path)
        assert Table(**keys, where={"label": "x"}).load(tmp_path).texts == ["a", None]
        assert len(Table(**keys, sample=2).load(tmp_path)) == 2
    else:
        viewed = pa.DictionaryArray.from_arrays(
            kinds.indices, kinds.dictionary.cast(pa.string_view())
        )
        table = table.set_column(2, "label", viewed)
        samples = Frame(image="image", text="text", label="label").samples(table)
    assert samples.texts == ["a", "b", None]
    assert samples.labels == ["x", "y", "x"]
    first, none, third = samples.pictures
    assert none is None
    if kind == "paths":
        assert first.name.endswith("p/a.png")
    else:
        assert [first.read(), third.read()] == [png("red"), png("blue")]
