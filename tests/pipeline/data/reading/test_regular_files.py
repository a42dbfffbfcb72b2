"""Pipes, devices and folders are no pictures and no tables, and nothing waits for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.data.picture_check import check_pictures
from pipeline.data.reading.regular_files import check_regular, is_outside, read_regular
from pipeline.data.row_check import RowRules, check_rows
from pipeline.data.samples import FilePicture
from pipeline.data.sources.folder import Folder
from pipeline.data.sources.table import Table
from pipeline.use.items.columns import Columns
from pipeline.use.items.reading import read_items
from pipeline.use.problem import BundleError
from pipeline.use.python.given import picture_file
from tests.support.samples import png, small_samples
from tests.support.source_examples import problems_of, write_csv

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes and devices have names")
KINDS = ("pipe", "device", "link to a device", "folder")


def lay(kind: str, path: Path) -> Path:
    """Something that is no file, under the name of one."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if kind == "device" else "/dev/stdin")
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_neither_read_nor_waited_for(kind, tmp_path):
    path = lay(kind, tmp_path / "a.png")
    digest = lambda path: FilePicture(path).digest()  # noqa: E731
    for read in (read_regular, check_regular, picture_file, digest):
        with pytest.raises(OSError, match="is not a regular file") as caught:
            read(path)
        assert caught.value.strerror == "is not a regular file"


def test_files_are_read_through_links_too(tmp_path):
    (tmp_path / "a.png").write_bytes(b"content")
    (tmp_path / "b.png").symlink_to("a.png")
    assert read_regular(tmp_path / "b.png") == b"content"
    check_regular(tmp_path / "b.png")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_table_or_items_that_are_no_file_are_told(kind, ending, tmp_path):
    path = lay(kind, tmp_path / f"items{ending}")
    [problem] = problems_of(lambda: Table(path=path.name, text="t", label="c").load(tmp_path))
    if (kind, ending) == ("folder", ".parquet"):
        assert "folder without Parquet files" in problem
        return
    assert problem == f"{path} cannot be read: is not a regular file"
    if kind != "folder":
        with pytest.raises(BundleError, match="is not a regular file"):
            list(read_items(str(path), Columns(text=("t",))))


def test_captions_and_parts_of_a_table_that_are_no_file_are_told(tmp_path):
    (tmp_path / "set" / "cat").mkdir(parents=True)
    (tmp_path / "set" / "cat" / "a.png").write_bytes(png(1))
    lay("pipe", tmp_path / "captions.csv")
    [problem] = problems_of(lambda: Folder(path="set", captions="captions.csv").load(tmp_path))
    assert "is not a regular file" in problem
    (tmp_path / "parts").mkdir()
    lay("pipe", tmp_path / "parts" / "1.parquet")
    [problem] = problems_of(lambda: Table(path="parts", text="t", label="c").load(tmp_path))
    assert "is not a regular file" in problem


@pytest.mark.parametrize(("name", "reason"), [
    ("pipe.png", "is not a regular file"),
    ("a\0b.png", "no file has a zero character in its name"),
    ("x" * 300, "File name too long"),
])
def test_a_row_whose_picture_is_no_file_is_a_bad_row(name, reason, tmp_path, store):
    lay("pipe", tmp_path / "pipe.png")
    samples = small_samples(pictures=[FilePicture(tmp_path / name)] * 36)
    findings = check_rows(samples, list(map(str, range(36))), ["image"], RowRules(), store)
    assert len(findings.missing["image"]) == 36
    assert findings.lines()[0].endswith(reason)
    assert "\0" not in str(problems_as_told(findings.lines()))


def problems_as_told(lines):
    from pipeline.data.dataset import DatasetError

    return DatasetError(lines, "")


def test_a_picture_that_became_a_pipe_is_told(tmp_path, store):
    path = tmp_path / "a.png"
    path.write_bytes(png(1))
    picture = FilePicture(path)
    digest = picture.digest()
    path.unlink()
    os.mkfifo(path)
    assert check_pictures({digest: picture}, store) == ({}, {digest: "is not a regular file"})


OUTSIDE = ("/etc/hostname", "../a.png", "p/../../a.png", "./../set2/a.png")
INSIDE = ("a.png", "./p/a.png", "p/../a.png", "p//a.png", "..a.png", "p/..a/b.png")


def test_paths_are_outside_by_their_names(tmp_path):
    assert [is_outside(path, tmp_path) for path in OUTSIDE] == [True] * len(OUTSIDE)
    assert [is_outside(path, tmp_path) for path in INSIDE] == [False] * len(INSIDE)
    assert not is_outside(str(tmp_path / "a.png"), tmp_path)
    assert not is_outside("a.png", Path())
    assert is_outside("../a.png", Path())


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_table_names_files_outside_its_folder_only_where_that_is_allowed(path, tmp_path):
    rows = [(path if row == 2 else "a.png", "xy"[row % 2]) for row in range(4)]
    write_csv(tmp_path / "items.csv", [("image", "label"), *rows])
    keys = {"path": "items.csv", "image": "image", "label": "label"}
    [problem] = problems_of(lambda: Table(**keys).load(tmp_path))
    assert "items.csv column 'image': 1 picture outside" in problem
    assert f"the first in items.csv row 3 ({path})" in problem
    assert "`allow_outside: true`" in problem
    samples = Table(**keys, allow_outside=True).load(tmp_path)
    assert samples.pictures[2] == FilePicture(tmp_path / path)


def test_items_name_files_outside_their_folder_only_where_that_is_allowed(tmp_path):
    (tmp_path / "a.png").write_bytes(png(1))
    write_csv(tmp_path / "set" / "items.csv", [("image",), ("../a.png",)])
    file = str(tmp_path / "set" / "items.csv")
    [item] = read_items(file, Columns(image="image"))
    assert item.picture is None
    assert "--allow-outside" in item.problem
    [item] = read_items(file, Columns(image="image", allow_outside=True))
    assert (item.picture, item.problem) == (png(1), "")
