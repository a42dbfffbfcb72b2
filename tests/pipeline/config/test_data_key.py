"""Files and columns that a grid names and that are not there: told with the grid's line."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config.__main__ import main as check
from pipeline.config.grid import GridError
from pipeline.config.parse import read_grid
from pipeline.run import main as run
from tests.support.source_examples import write_csv

COLUMNS = ["id", "title", "photo", "kind"]
ROWS = [[str(row), f"words {row}", f"{row}.png", "ab"[row % 2]] for row in range(9)]
GRID = """\
text: [bow]
data:
  where: {prce: 3}
  label: kidn
  text:
    - title
    - titel
  path: TABLE
  source: table
fusion: [text_onli, text_only]
"""


def csv(folder):
    write_csv(folder / "items.csv", [COLUMNS, *ROWS], ";")
    return "items.csv"


def json_lines(folder):
    rows = [json.dumps(dict(zip(COLUMNS, row, strict=True))) for row in ROWS]
    (folder / "items.jsonl").write_text("\n".join(rows), "utf-8")
    return "items.jsonl"


def parquet(folder, name="items.parquet"):
    columns = zip(COLUMNS, zip(*ROWS, strict=True), strict=True)
    pq.write_table(pa.table({column: list(values) for column, values in columns}), folder / name)
    return name


def folder_of_parquet(folder):
    (folder / "parts").mkdir()
    for number in range(2):
        parquet(folder / "parts", f"{number}.parquet")
    return "parts"


@pytest.mark.parametrize("written", [csv, json_lines, parquet, folder_of_parquet])
def test_columns_that_a_table_lacks_are_mistakes_in_the_order_of_the_grid(
    tmp_path, capsys, written
):
    path = tmp_path / "grid.yaml"
    table = written(tmp_path)
    path.write_text(GRID.replace("TABLE", table))
    columns = "(columns: id, kind, photo, title)"
    expected = [
        f"grid.yaml:3: data.where.prce: {table} has no column 'prce' {columns}",
        f"grid.yaml:4: data.label: {table} has no column 'kidn'; did you mean 'kind'? {columns}",
        f"grid.yaml:7: data.text[1]: {table} has no column 'titel'; did you mean 'title'? "
        f"{columns}",
        "grid.yaml:10: fusion[0]: unknown fusion 'text_onli'; did you mean 'text_only'?",
    ]
    for command, arguments in ((check, []), (run, []), (run, ["--plan"])):
        assert command([*arguments, str(path)]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert [line.partition(" (known")[0] for line in lines] == expected


def test_an_editor_is_told_where_and_what_would_be_right(tmp_path, capsys):
    path = tmp_path / "grid.yaml"
    path.write_text(GRID.replace("TABLE", csv(tmp_path)))
    assert check([str(path), "--json"]) == 2
    mistakes = json.loads(capsys.readouterr().out)
    assert [[mistake[name] for name in ("line", "column", "key", "nearest")]
            for mistake in mistakes] == [
        [3, 11, "data.where.prce", None],
        [4, 3, "data.label", "kind"],
        [7, 7, "data.text[1]", "title"],
        [10, 10, "fusion[0]", "text_only"],
    ]


def mistakes(folder, data, **keys):
    """What is said of a grid with these keys under `data`."""
    grid = {"data": data, "text": ["bow"], **keys}
    (folder / "grid.yaml").write_text(json.dumps(grid, indent=1))
    try:
        read_grid(folder / "grid.yaml", look=True)
    except GridError as error:
        return [mistake.key + ": " + mistake.message for mistake in error.mistakes]
    return []


def table(folder, **keys):
    return {"source": "table", "path": csv(folder), "text": "title", "label": "kind", **keys}


def test_what_is_there_is_no_mistake(tmp_path):
    assert mistakes(tmp_path, table(tmp_path)) == []
    assert mistakes(tmp_path, table(tmp_path, group=["text", "photo"], id="id")) == []
    write_csv(tmp_path / "more.csv", [["id", "shop"], ["1", "x"]])
    join = {"path": "more.csv", "on": "id"}
    assert mistakes(tmp_path, table(tmp_path, join=join, group="shop")) == []


def test_files_that_are_not_there_or_no_tables_are_mistakes(tmp_path):
    (tmp_path / "more.csv").write_text("")
    of_both = table(tmp_path, path="item.csv", join={"path": "more.csv", "on": "id"})
    path, join = mistakes(tmp_path, of_both)
    assert path.startswith("data.path: 'item.csv' does not exist")
    assert "did you mean 'items.csv'?" in path
    assert join == f"data.join.path: {tmp_path / 'more.csv'} is empty; its first line must name " \
        "the columns"
    (mistake,) = mistakes(tmp_path, table(tmp_path, path="grid.yaml"))
    assert "a table's ending says its kind, and '.yaml' is none" in mistake
    (mistake,) = mistakes(tmp_path, {"source": "table", "path": "items.csv", "label": "kind"})
    assert mistake.startswith("data: name the pictures' column (image)")


def test_columns_of_a_join_are_looked_for_in_both_tables(tmp_path):
    write_csv(tmp_path / "more.csv", [["id", "title", "shop"], ["1", "x", "y"]])
    keys = table(tmp_path, join={"path": "more.csv", "on": ["id"]}, group="shpo")
    assert [line.partition("; did")[0] for line in mistakes(tmp_path, keys)] == [
        "data.text: column 'title' stands in items.csv and in more.csv; rename one",
        "data.group: items.csv has no column 'shpo'",
    ]
    keys = table(tmp_path, join={"path": "more.csv", "on": ["id", "kind"]})
    assert mistakes(tmp_path, keys) == [
        "data.join.on[1]: more.csv has no column 'kind'; did you mean 'id'? (columns: id, shop, "
        "title)"
    ]


def test_a_column_that_stands_twice_is_a_mistake_where_it_is_named(tmp_path):
    write_csv(tmp_path / "items.csv", [["title", "kind", "title"], ["a", "b", "c"]])
    keys = {"source": "table", "path": "items.csv", "text": ["title"], "label": "kind"}
    assert mistakes(tmp_path, keys) == [
        "data.text[0]: items.csv has more than one column 'title'; rename one"
    ]


def test_captions_and_texts_of_classes_are_tables_too(tmp_path):
    (tmp_path / "pictures").mkdir()
    keys = {"source": "folder", "path": "picture", "captions": csv(tmp_path)}
    file, caption, folder = mistakes(tmp_path, keys)
    assert file.startswith("data.file: items.csv has no column 'file'")
    assert caption.startswith("data.caption: items.csv has no column 'caption'")
    assert folder.startswith("data.path: 'picture' does not exist")
    texts = {"class_texts": "items.csv"}
    split = {"unseen_classes": 0.5}
    keys = table(tmp_path, image="photo", **texts)
    fusion = [{"zero_shot": {"recognised_by": "image", "space": "text"}}]
    lines = mistakes(tmp_path, keys, split=split, fusion=fusion, image=["handcrafted"])
    name, text = (line for line in lines if "has no column" in line)
    assert name.startswith("data.class_texts: items.csv has no column 'class'")
    assert text.startswith("data.class_texts: items.csv has no column 'text'")


def test_a_grid_whose_rows_lie_elsewhere_can_be_read_without_looking(tmp_path):
    (tmp_path / "grid.yaml").write_text(
        "data: {source: table, path: none.csv, text: a, label: b}\ntext: [bow]\n"
    )
    assert read_grid(tmp_path / "grid.yaml").data.parameters["path"] == "none.csv"


def test_rows_are_grouped_by_columns_that_the_source_names(tmp_path):
    keys = table(tmp_path, group=["photo"])
    for group in ("photo", "text", "image", "none"):
        assert mistakes(tmp_path, keys, split={"group": group}) == []
    (mistake,) = mistakes(tmp_path, keys, split={"group": "phot"})
    assert mistake.startswith(
        "split.group: there is no group column 'phot'; did you mean 'photo'? "
    )
    assert "The source's key `group` names the columns" in mistake
