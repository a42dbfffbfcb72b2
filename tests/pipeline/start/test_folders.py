"""Folders of class folders, with what lies beside them."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.start.draft import NoStart
from pipeline.start.starting import start
from tests.support.samples import COLOURS, png


def _write(root, *classes: str, per_class: int = 6):
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for row in range(per_class):
            picture = png(row + 100 * number, COLOURS[number % 3])
            (root / name / f"{row}.png").write_bytes(picture)
    return root


def test_class_folders_are_classes(tmp_path):
    started = start(_write(tmp_path / "pets", "cat", "dog"))
    grid = started.grid(tmp_path / "grid.yaml")
    assert grid.data.name == "folder"
    assert grid.data.parameters == {"path": "pets"}
    assert [fusion.label for fusion in grid.fusion] == ["majority", "image_only"]
    assert "12 pictures in 2 classes of 6 rows" in started.text(tmp_path / 'grid.yaml')


def test_train_and_test_are_the_official_split(tmp_path):
    root = _write(tmp_path / "pets", "train/cat", "train/dog", "test/cat", "test/dog")
    grid = start(root).grid(tmp_path / "grid.yaml")
    assert grid.split.official
    assert grid.data.parameters["split"] is True


def test_captions_beside_the_folders_are_texts(tmp_path):
    root = _write(tmp_path / "pets", "cat", "dog")
    rows = [f"{name}/{row}.png,an animal that says {name[::-1]} {row}"
            for name, row in product(("cat", "dog"), range(6))]
    (root / "captions.csv").write_text("\n".join(["picture,says", *rows]))
    grid = start(root).grid(tmp_path / "grid.yaml")
    assert grid.data.parameters == {
        "path": "pets", "captions": "pets/captions.csv", "file": "picture", "caption": "says"
    }
    assert grid.text
    assert grid.image


def test_paths_count_from_the_grid(tmp_path):
    _write(tmp_path / "pets", "cat", "dog")
    (tmp_path / "grids").mkdir()
    grid = start(tmp_path / "pets").grid(tmp_path / "grids" / "grid.yaml")
    assert grid.data.parameters == {"path": "../pets"}


def test_a_folder_of_different_tables_asks_which(tmp_path):
    for name in ("a", "b"):
        pq.write_table(pa.table({name: ["x"], "kind": ["y"]}), tmp_path / f"{name}.parquet")
    with pytest.raises(NoStart, match=r"name one of a\.parquet and b\.parquet"):
        start(tmp_path)


def test_a_folder_that_is_no_data_set_says_what_may_be(tmp_path):
    root = _write(tmp_path / "shop", "photos")
    (root / "items.csv").write_text("a,b\n1,2\n")
    with pytest.raises(NoStart, match="two class folders at least") as error:
        start(root)
    assert "is it items.csv that is meant?" in str(error.value)


def test_a_broken_picture_is_named_as_it_lies_in_the_folder(tmp_path, monkeypatch):
    root = _write(tmp_path / "pets", "cat", "dog")
    (root / "dog" / "9.png").write_bytes(b"no picture")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for path in (root, Path("../pets")):
        said = "\n".join(start(path).lines())
        assert "1 row without a usable picture (dog/9.png)" in said
