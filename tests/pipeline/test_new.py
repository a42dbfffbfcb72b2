"""The command that writes a grid: what it writes, what it says, what it refuses."""

from __future__ import annotations

import json
import sys

import jsonschema
import pytest
from ruamel.yaml import YAML

from pipeline import new
from pipeline.config.parse import read_grid
from pipeline.start import starting
from tests.support.tables import shop_columns, write_columns


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_columns(tmp_path / "my items.csv", shop_columns(), ";")


def test_a_grid_is_written_and_its_reasons_are_said(table, tmp_path, capsys):
    assert new.main([str(table)]) == 0
    grid = read_grid(tmp_path / "grid.yaml")
    assert grid.name == "my-items"
    assert grid.data.parameters["label"] == "kind"
    said = capsys.readouterr().out
    assert "named like a class; 3 classes of 20 rows" in said
    assert said.endswith("grid: grid.yaml; run it: python -m pipeline.run grid.yaml\n")
    assert "named like a class; 3 classes of 20 rows" in (tmp_path / "grid.yaml").read_text()


@pytest.mark.parametrize(("program", "installed", "command"), [
    ("/usr/bin/modalgrid", True, "modalgrid run mine.yaml"),
    ("/x/pipeline/new.py", True, "python -m pipeline.run mine.yaml"),
    ("/x/pipeline/new.py", False, "python -m pipeline.run grids/mine.yaml"),
])
def test_the_grid_says_how_it_is_run(table, tmp_path, monkeypatch, program, installed, command):
    monkeypatch.setattr(sys, "argv", [program])
    monkeypatch.setattr(starting, "is_installed", lambda: installed)
    (tmp_path / "grids").mkdir()
    assert new.main([str(table), "-o", "grids/mine.yaml"]) == 0
    lines = (tmp_path / "grids" / "mine.yaml").read_text().splitlines()
    assert f"#   {command}" in lines


def test_a_file_is_never_replaced_unasked(table, tmp_path, capsys):
    (tmp_path / "grid.yaml").write_text("mine")
    assert new.main([str(table)]) == 2
    assert "grid.yaml is there already" in capsys.readouterr().err
    assert (tmp_path / "grid.yaml").read_text() == "mine"
    assert new.main([str(table), "--force"]) == 0
    assert read_grid(tmp_path / "grid.yaml").name == "my-items"


@pytest.mark.parametrize(("arguments", "said"), [
    (["nowhere.csv"], "nowhere.csv does not exist"),
    (["grid.txt"], "a table ends in .csv, .tsv, .jsonl, .ndjson, .parquet"),
    (["my items.csv", "--label", "kin"], "did you mean 'kind'"),
])
def test_what_cannot_be_is_said(table, tmp_path, arguments, said, capsys):
    (tmp_path / "grid.txt").write_text("x")
    assert new.main(arguments) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "grid.yaml").exists()


def test_columns_that_are_named_are_taken(table, tmp_path):
    assert new.main([str(table), "--label", "brand", "--text", "description"]) == 0
    parameters = read_grid(tmp_path / "grid.yaml").data.parameters
    assert (parameters["label"], parameters["text"]) == ("brand", "description")


def test_a_grid_that_names_its_schema_has_it_beside_it(table, tmp_path, capsys):
    out = tmp_path / "mine.yaml"
    assert new.main([str(table), "-o", str(out), "--schema"]) == 0
    first, *_ = out.read_text().splitlines()
    assert first == "# yaml-language-server: $schema=mine.schema.json"
    made = json.loads((tmp_path / "mine.schema.json").read_text())
    jsonschema.validate(YAML(typ="safe").load(out.read_text()), made)
    read_grid(out)
    out.unlink()
    assert new.main([str(table), "-o", str(out), "--schema"]) == 2
    assert "mine.schema.json is there already" in capsys.readouterr().err
    assert not out.exists()
