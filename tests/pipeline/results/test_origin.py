"""origin.json: paths that count from the run's folder, and checksums of what is read later."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.results.origin import as_seen_below, changed, origin_json, with_checksums

FILES = {"grid.lock.yaml": "name: tiny\n", "scores.csv": "cell\né\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = origin_json(tmp_path / "grid.yaml", str(tmp_path / "store"), tmp_path / "out")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "origin.json").write_text(with_checksums(text, FILES))
    for name, content in FILES.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def test_it_names_grid_and_store_and_files_that_are_as_they_were(folder):
    content = json.loads((folder / "origin.json").read_text())
    assert (content["grid"], content["store"]) == ("../grid.yaml", "../store")
    assert content["sha256"].keys() == FILES.keys()
    assert changed(folder) == []


def test_a_file_that_was_changed_is_named(folder):
    (folder / "scores.csv").write_text("cell\ne\n")
    assert changed(folder) == ["scores.csv"]
    (folder / "scores.csv").unlink()  # that it is missing its reader says
    assert changed(folder) == []


def test_one_folder_further_down_paths_are_longer_and_checksums_the_same(folder):
    text = (folder / "origin.json").read_text()
    below = json.loads(as_seen_below(text))
    assert (below["grid"], below["store"]) == ("../../grid.yaml", "../../store")
    assert below["sha256"] == json.loads(text)["sha256"]
    assert json.loads(as_seen_below('{"grid": "../g.yaml", "store": "s3://b"}')) == {
        "grid": "../../g.yaml", "store": "s3://b"
    }


def test_runs_of_before_there_were_checksums_are_read(folder):
    (folder / "origin.json").write_text('{"grid": "../grid.yaml", "store": "../store"}')
    assert changed(folder) == []


@pytest.mark.parametrize("content", ["", "[]", '{"sha256": 3}', "\ud800"])
def test_what_is_no_origin_is_an_error(folder, content):
    (folder / "origin.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(ValueError, match=r"."):
        changed(folder)
