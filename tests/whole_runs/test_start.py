"""A table is run without a grid, by the one that is written beside the results."""

from __future__ import annotations

import pytest

from pipeline import run
from pipeline.start.draft import Line
from tests.support.tables import shop_columns, write_columns, write_pictures
from tests.support.tiny import register, without_report


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A table whose grid compares encoders that take no time."""
    register(monkeypatch)
    without_report(monkeypatch)
    monkeypatch.setattr("pipeline.start.tables.image_encoders",
                        lambda: (Line("image", "mean_colour"),))
    monkeypatch.setattr("pipeline.config.component_lists.BOTH",
                        ("majority", "image_only", "text_only"))
    from pipeline.start import encoders

    monkeypatch.setattr("pipeline.start.tables.text_encoders", lambda texts: (
        (Line("text", "bow"),), encoders.text_encoders(texts)[1]))
    monkeypatch.chdir(tmp_path)
    columns = write_pictures(tmp_path, shop_columns(10))
    columns["photo"][0] = ""
    return write_columns(tmp_path / "items.csv", columns)


def test_a_table_is_run_and_its_grid_lies_beside_the_results(table, tmp_path, capsys):
    assert run.main(["items.csv", "--jobs", "1"]) == 0
    said = capsys.readouterr()
    folder = tmp_path / "runs" / "items"
    assert "report: runs/items/report.html" in said.out
    assert "no grid was given: this one is written to runs/items/grid.yaml, and run" in said.err
    assert "path: ../../items.csv" in (folder / "grid.yaml").read_text()
    first = (folder / "scores.csv").read_text()
    # the lock where it lies, the grid as it may be edited, and the table once more
    for path in ("runs/items/grid.lock.yaml", "runs/items/grid.yaml", "items.csv"):
        assert run.main([path, "--jobs", "1"]) == 0, path
        assert len((folder / "scores.csv").read_text().splitlines()) == len(first.splitlines())
    assert not (folder / "previous").exists()
    assert "this is what runs/items/grid.yaml says: it is run" in capsys.readouterr().err


def test_an_edited_grid_is_not_overwritten(table, tmp_path, capsys):
    file = tmp_path / "runs" / "items" / "grid.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("name: items\n")
    assert run.main(["items.csv", "--jobs", "1"]) == 2
    assert "runs/items/grid.yaml is there already and says something else" in capsys.readouterr(
        ).err
    assert file.read_text() == "name: items\n"


def test_a_plan_writes_nothing(table, tmp_path, capsys):
    assert run.main(["items.csv", "--plan"]) == 0
    said = capsys.readouterr()
    assert "a run would write this one to runs/items/grid.yaml" in said.err
    assert "mean_colour / image_only / logistic" in said.out
    assert not (tmp_path / "runs").exists()


def test_strict_ends_with_3_where_there_are_alarms(table, tmp_path, capsys):
    columns = write_columns(table, {
        "title": [f"the {name} that is here, number {row}" for row, name in enumerate(
            ["cat", "dog"] * 20)],
        "kind": ["cat", "dog"] * 20,
    })
    arguments = [str(columns), "--jobs", "1", "--quiet"]
    assert run.main(arguments) == 0
    said = capsys.readouterr().err
    assert said.startswith("ALARM: ")
    assert all(line.startswith(("ALARM", "failed")) for line in said.splitlines())
    assert run.main([*arguments, "--strict"]) == 3
    assert run.main([*arguments, "--strict", "--plan"]) == 3
