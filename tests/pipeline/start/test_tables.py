"""Which column of a table is taken for what."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.reading import utf8
from pipeline.data.samples import SourceError
from pipeline.start.draft import Draft, Given, NoStart
from pipeline.start.reading import look_at
from pipeline.start.tables import table_draft
from tests.support.samples import png
from tests.support.tables import shop_columns, write_columns, write_pictures


def _data(draft: Draft) -> dict:
    return {line.key: line.value for line in draft.data}


def _seen(draft: Draft, key: str) -> str:
    return " | ".join(str(line.value) for line in draft.seen if line.key == key)


@pytest.fixture
def shop(tmp_path):
    """Columns of a shop with pictures, and where they are to be written."""
    return write_pictures(tmp_path, shop_columns()), tmp_path / "items.csv"


def test_a_shop_is_understood(shop):
    columns, file = shop
    draft = table_draft(write_columns(file, columns, ";"), Given())
    assert _data(draft) == {
        "image": "photo", "text": ["title", "description"], "label": "kind", "id": "sku",
        "group": "brand",
    }
    assert draft.task == "classification"
    assert [line.value for line in draft.text] == [{"tfidf": {"ngrams": [1, 2]}}, "sbert"]
    assert "price" in _seen(draft, "not used")
    assert _seen(draft, "language") == "en"
    assert all(line.why for line in draft.data)


@pytest.mark.parametrize("ending", [".jsonl", ".parquet", ".tsv"])
def test_other_formats_are_read_alike(tmp_path, ending):
    columns, file = shop_columns(), tmp_path / f"items{ending}"
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if ending == ".jsonl":
        file.write_text("".join(json.dumps(row | {"tags": ["a"]}) + "\n" for row in rows))
    elif ending == ".tsv":
        write_columns(file, columns, "\t")
    else:
        pq.write_table(pa.table(columns | {"pixels": [png(row) for row in range(len(rows))]}), file)
    data = _data(table_draft(file, Given()))
    assert data["label"] == "kind"
    assert data.get("image") == ("pixels" if ending == ".parquet" else None)


def test_bytes_that_are_no_pictures_are_not_taken_for_some(tmp_path):
    columns = shop_columns()
    table = pa.table({**columns, "blob": [b"\x80\x04 pickled"] * 60, "tags": [["a"]] * 60})
    pq.write_table(table, tmp_path / "a.parquet")
    draft = table_draft(tmp_path / "a.parquet", Given())
    assert "image" not in _data(draft)
    assert _data(draft)["label"] == "kind"


def test_the_best_label_is_taken_and_others_are_named(tmp_path):
    columns = shop_columns()
    columns["colour"] = ["red", "blue", "red"] * 20
    columns["stars"] = [str(row % 5 + 1) for row in range(60)]
    draft = table_draft(write_columns(tmp_path / "a.csv", columns), Given())
    assert _data(draft)["label"] == "kind"
    assert "colour" in _seen(draft, "or label")
    assert "stars" in _seen(draft, "or label")
    draft = table_draft(tmp_path / "a.csv", Given(label="colour"))
    assert _data(draft)["label"] == "colour"
    assert "kind" in _seen(draft, "or label")


def test_numbers_that_measure_are_no_class(tmp_path):
    columns = shop_columns()
    del columns["kind"], columns["brand"]
    columns["width"] = [str(row % 4) for row in range(60)]
    with pytest.raises(NoStart, match="no column looks like a class"):
        table_draft(write_columns(tmp_path / "a.csv", columns), Given())


def test_a_column_that_names_the_class_is_no_text(tmp_path):
    columns = shop_columns()
    columns["title path"] = [f"all > {kind} > no {row}" for row, kind in enumerate(columns["kind"])]
    draft = table_draft(write_columns(tmp_path / "a.csv", columns), Given())
    assert _data(draft)["text"] == ["title", "description"]
    assert "title path" in _seen(draft, "leak")


def test_a_text_within_another_is_left_out(tmp_path):
    columns = shop_columns()
    columns["text"] = [" ".join(map(str, row)) for row in zip(
        columns["title"], columns["description"], strict=True)]
    draft = table_draft(write_columns(tmp_path / "a.csv", columns), Given())
    assert _data(draft)["text"] == "text"
    assert _seen(draft, "left out") == "title and description"


def test_an_official_split_is_kept_and_other_parts_stay_out(tmp_path):
    columns = shop_columns()
    columns["part"] = ["train", "Test", "train", "val"] * 15
    draft = table_draft(write_columns(tmp_path / "a.csv", columns), Given())
    assert draft.split.value == {"official": True}
    assert _data(draft)["split"] == "part"
    assert sorted(_data(draft)["where"]["part"]) == ["Test", "train"]
    assert "group" not in _data(draft)


def test_a_column_that_all_but_decides_the_class_groups(tmp_path):
    columns = shop_columns()
    del columns["brand"]
    columns["motif"] = [f"{kind} {row % 5}" for row, kind in enumerate(columns["kind"])]
    draft = table_draft(write_columns(tmp_path / "a.csv", columns), Given())
    assert _data(draft)["group"] == "motif"


def test_missing_groups_are_groups_of_their_own_and_counted(tmp_path):
    columns = shop_columns()
    columns["brand"] = [brand if row % 3 else "" for row, brand in enumerate(columns["brand"])]
    draft = table_draft(write_columns(tmp_path / "a.csv", columns), Given())
    line = next(line for line in draft.data if line.key == "missing_group")
    assert line.value == "own"
    assert line.why.startswith("20 rows have none")


def test_pictures_that_are_not_there_are_told_with_where_they_lie(shop):
    columns, file = shop
    columns["photo"] = [str(path).removeprefix("photos/") for path in columns["photo"]]
    draft = table_draft(write_columns(file, columns), Given())
    assert "image" not in _data(draft)
    assert "write photos/ before the names" in draft.doubts[0]


def test_file_names_that_name_the_class_are_told(shop):
    columns, file = shop
    for row, kind in enumerate(columns["kind"]):
        named = file.parent / f"{kind}_{row}.png"
        (file.parent / f"photos/{row}.png").rename(named)
        columns["photo"][row] = named.name
    draft = table_draft(write_columns(file, columns), Given())
    assert _data(draft)["image"] == "photo"
    assert _seen(draft, "leak") == "photo"


def test_pictures_outside_the_folder_are_allowed_and_told(shop):
    columns, file = shop
    (file.parent / "tables").mkdir()
    columns["photo"] = [f"../{path}" for path in columns["photo"]]
    draft = table_draft(write_columns(file.parent / "tables" / "a.csv", columns), Given())
    assert _data(draft)["allow_outside"] is True


def test_pairs_without_a_class_ask_for_retrieval(shop):
    columns, file = shop
    del columns["kind"], columns["brand"]
    draft = table_draft(write_columns(file, columns), Given())
    assert draft.task == "retrieval"
    assert "label" not in _data(draft)


def test_nothing_plausible_lists_what_each_column_seems_to_be(tmp_path):
    columns = {"n": range(30), "price": [row / 7 for row in range(30)], "when": ["2024-01-02"] * 30}
    with pytest.raises(NoStart) as error:
        table_draft(write_columns(tmp_path / "a.csv", columns), Given())
    assert "  n: numbers, 30 distinct values\n" in str(error.value)
    assert "  when: dates\n" in str(error.value)
    assert "--label COLUMN" in str(error.value)


def test_columns_that_are_not_there_are_told_with_the_nearest(tmp_path):
    write_columns(tmp_path / "a.csv", shop_columns())
    with pytest.raises(NoStart, match="did you mean 'kind'") as error:
        table_draft(tmp_path / "a.csv", Given(label="kinds", text=("titel",)))
    assert "did you mean 'title'" in str(error.value)


@pytest.mark.parametrize("content", ["", "a,b\n", "a,b\n1\n"])
def test_what_no_source_reads_is_said_as_it_says(tmp_path, content):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(SourceError):
        table_draft(tmp_path / "a.csv", Given())


def test_quotes_that_are_letters_are_found(tmp_path):
    rows = [f'{number},"{number} inches wide,lamp\n' for number in range(20)]
    rows += [f"{number},a soft seat no {number},sofa\n" for number in range(20, 40)]
    (tmp_path / "a.csv").write_text("n,title,kind\n" + "".join(rows))
    assert _data(table_draft(tmp_path / "a.csv", Given()))["quoting"] == "none"


_NAMES = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]),
                          max_size=8), min_size=1, max_size=5)
_CELLS = st.sampled_from(["", "a", "b", "1", "2.5", "a lamp of brass", "x.png", "train", "test"])


@given(_NAMES, st.data())
@settings(max_examples=40)
def test_any_table_is_understood_or_refused_in_words(tmp_path_factory, names, drawn):
    rows = drawn.draw(st.lists(
        st.lists(_CELLS, min_size=len(names), max_size=len(names)), max_size=30))
    file = tmp_path_factory.mktemp("any") / "a.jsonl"
    file.write_text("".join(
        json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows))
    try:
        draft = table_draft(file, Given())
    except (NoStart, SourceError):
        return
    columns = [value for key, value in _data(draft).items() if key in ("label", "image", "id")]
    assert set(columns) <= set(names)
    assert len(set(columns)) == len(columns)


@pytest.mark.parametrize("option", ["label", "text"])
def test_a_column_that_cannot_be_read_is_refused_where_it_is_named(option, tmp_path):
    file = tmp_path / "items.jsonl"
    rows = [{"kind": "ab"[row % 2], "words": f"row {row}", "deep": [row]} for row in range(30)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = Given(label="deep") if option == "label" else Given(text=("deep",))
    with pytest.raises(NoStart, match=f"--{option}: column 'deep' cannot be used: "):
        table_draft(file, asked)


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl"])
def test_a_table_is_read_once(tmp_path, ending, monkeypatch):
    file = tmp_path / f"items{ending}"
    columns = shop_columns()
    if ending == ".jsonl":
        rows = zip(*columns.values(), strict=True)
        file.write_text("".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n"
                                for row in rows))
    else:
        write_columns(file, columns, "\t" if ending == ".tsv" else ",")
    reads, read = [], utf8.read_regular
    monkeypatch.setattr(utf8, "read_regular", lambda path: reads.append(path) or read(path))
    monkeypatch.setattr(Path, "open", lambda *_, **__: pytest.fail("it was opened beside that"))
    assert look_at(file).rows == len(columns["sku"])
    assert reads == [file]


@pytest.mark.parametrize(("name", "values", "is_id"), [
    ("ticket", range(1, 61), True),
    ("Ticket No.", range(7000, 10000, 50), True),
    ("views", range(100, 6100, 100), False),
    ("price", range(60), False),
    ("position", [*range(59), 58], False),
])
def test_numbers_that_count_the_rows_are_their_ids(tmp_path, name, values, is_id):
    columns = shop_columns()
    del columns["sku"]
    columns[name] = [str(value) for value in values]
    draft = table_draft(write_columns(tmp_path / "items.csv", columns), Given())
    assert draft.value("id") == (name if is_id else None)
