"""The source `folder`: class folders of pictures, and captions that name them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pipeline.data.samples import FilePicture
from pipeline.data.sources.folder import Folder
from tests.support.source_examples import problems_of, write_csv


def lay(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"not decoded by the source")


def test_classes_are_folders_and_ids_are_paths(tmp_path):
    lay(
        tmp_path / "set",
        "dog/b.JPG",
        "cat/deep/a.png",
        "cat/.hidden.png",
        ".git/x.png",
        "cat/notes.txt",
        "README.md",
    )
    samples = Folder(path="set").load(tmp_path)
    assert samples.ids == ["cat/deep/a.png", "dog/b.JPG"]
    assert samples.labels == ["cat", "dog"]
    assert samples.pictures[1] == FilePicture(tmp_path / "set" / "dog" / "b.JPG")
    assert samples.texts == [None, None]
    assert samples.split is None


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_captions_are_joined_line_by_line(ending, tmp_path):
    lay(tmp_path / "set", "cat/a.png", "cat/b.png", "dog/c.png")
    write_csv(
        tmp_path / f"captions{ending}",
        [
            ("name", "words"),
            ("cat/a.png", "one, two"),
            ("./dog/c.png", "dog"),
            ("cat/a.png", "three"),
            ("cat/b.png", ""),
        ],
        "," if ending == ".csv" else "\t",
    )
    samples = Folder(path="set", captions=f"captions{ending}", file="name", caption="words").load(
        tmp_path
    )
    assert samples.texts == ["one, two\nthree", None, "dog"]


def test_train_and_test_folders_are_the_official_split(tmp_path):
    lay(tmp_path, "train/cat/a.png", "test/cat/a.png", "train/dog/b.png")
    samples = Folder(path=".", split=True).load(tmp_path)
    assert samples.ids == ["test/cat/a.png", "train/cat/a.png", "train/dog/b.png"]
    assert samples.labels == ["cat", "cat", "dog"]
    assert samples.split == ["test", "train", "train"]


def test_pictures_outside_class_folders_and_captions_of_no_picture_are_reported_together(tmp_path):
    lay(tmp_path / "set", "stray.png", "cat/apple.png", "cat/pear.png")
    write_csv(
        tmp_path / "captions.csv",
        [("file", "caption"), ("cat/aple.png", "x"), ("", "y"), ("cat/pear.png", "z")],
    )
    problems = problems_of(lambda: Folder(path="set", captions="captions.csv").load(tmp_path))
    assert problems == [
        f"{tmp_path / 'set' / 'stray.png'}: pictures must lie in <class>/ below {tmp_path / 'set'}",
        "captions.csv row 1: there is no picture 'cat/aple.png'; did you mean 'cat/apple.png'?",
        "captions.csv row 2: the caption names no file",
    ]


def test_a_split_folder_holds_only_train_and_test(tmp_path):
    lay(tmp_path, "train/cat/a.png", "train/b.png", "dev/cat/c.png")
    problems = problems_of(lambda: Folder(path=".", split=True).load(tmp_path))
    assert [problem.split(":")[0] for problem in problems] == [str(tmp_path / "dev/cat/c.png"),
                                                               str(tmp_path / "train/b.png")]


def test_missing_folder_columns_and_pictures_are_told(tmp_path):
    assert len(problems_of(lambda: Folder(path="no", captions="none.csv").load(tmp_path))) == 2
    (tmp_path / "set").mkdir()
    assert "holds no pictures" in problems_of(lambda: Folder(path="set").load(tmp_path))[0]
    lay(tmp_path / "set", "cat/a.png")
    write_csv(tmp_path / "captions.csv", [("fil", "captoin"), ("a", "b")])
    problems = problems_of(lambda: Folder(path="set", captions="captions.csv").load(tmp_path))
    assert [problem.split(";")[0] for problem in problems] == [
        "file: captions.csv has no column 'file'", "caption: captions.csv has no column 'caption'"]


def test_a_linked_class_folder_is_a_class_and_circles_end(tmp_path):
    lay(tmp_path, "set/cat/a.png", "set/cat/deep/b.png", "elsewhere/c.png", "elsewhere/deep/d.png")
    (tmp_path / "set" / "oak").symlink_to("../elsewhere")
    (tmp_path / "elsewhere" / "deep" / "back").symlink_to("../..")
    (tmp_path / "set" / "cat" / "deep" / "up").symlink_to("..")
    (tmp_path / "set" / "cat" / "more").symlink_to("../../elsewhere/deep")
    samples = Folder(path="set").load(tmp_path)
    assert [name for name in samples.ids if "/back/" not in name] == [
        "cat/a.png", "cat/deep/b.png", "cat/more/d.png", "oak/c.png", "oak/deep/d.png"
    ]
    assert set(samples.labels) == {"cat", "oak"}


def test_no_class_folder_goes_without_a_word(tmp_path):
    lay(tmp_path, "set/cat/a.png", "set/oak/0", "set/oak/1.heic", "set/oak/2.heic", "set/x/.png")
    (tmp_path / "set" / "dog").symlink_to("nowhere")
    (tmp_path / "set" / "all").symlink_to(".")
    problems = problems_of(lambda: Folder(path="set").load(tmp_path))
    said = "\n".join(problems)
    assert len(problems) == 4
    assert "class folder oak holds no pictures: none of its files has an ending" in said
    assert "(2 .heic, 1 without one)" in said
    assert "class folder x holds no pictures: it is empty" in said
    assert f"{tmp_path / 'set' / 'dog'} is a link to nothing" in said
    assert f"{tmp_path / 'set' / 'all'} is a link to a folder above it" in said


def test_files_that_are_taken_for_no_pictures_are_said(tmp_path):
    lay(tmp_path, "cat/a.png", "cat/b.heic", "dog/c.png", "dog/deep/d.txt", "dog/.hidden.txt")
    assert Folder(path=".").load(tmp_path).notes == (
        f"2 files below {tmp_path} are taken for no picture, by the ending: 1 .heic, 1 .txt",
    )


@pytest.mark.parametrize("parts", [("train", "test"), ("Train", "Val", "Test"), ("train", "dev")])
def test_what_looks_like_a_split_is_no_pair_of_classes(parts, tmp_path):
    lay(tmp_path, *(f"{part}/cat/a.png" for part in parts))
    [problem] = problems_of(lambda: Folder(path=".").load(tmp_path))
    assert "say `split: true`" in problem
    assert all(part in problem for part in parts)


def test_parts_may_be_written_in_capitals_and_classes_may_be_called_test(tmp_path):
    lay(tmp_path, "Train/cat/a.png", "TEST/cat/a.png", "Train/dog/b.png")
    samples = Folder(path=".", split=True).load(tmp_path)
    assert list(zip(samples.split, samples.labels, strict=True)) == [
        ("test", "cat"), ("train", "cat"), ("train", "dog")
    ]
    lay(tmp_path / "vehicles", "train/a.png", "car/b.png")
    assert Folder(path="vehicles").load(tmp_path).labels == ["car", "train"]


def test_captions_meet_files_whose_names_look_the_same(tmp_path):
    nfc, nfd = "caf\u00e9", "cafe\u0301"
    lay(tmp_path / "set", f"drink/{nfd}.png", "drink/oak\u00a0leaf.png")
    write_csv(tmp_path / "captions.csv", [
        ("file", "caption"), (f"drink/{nfc}.png", "hot"), ("drink/oak leaf.png", "green"),
    ])
    source = Folder(path="set", captions="captions.csv")
    assert source.load(tmp_path).texts == ["hot", "green"]
    lay(tmp_path / "set", "drink/oak\u2009leaf.png")
    [problem] = problems_of(lambda: source.load(tmp_path))
    assert "may be any that look the same" in problem
    assert "U+0020 in the first, U+00A0 in the second" in problem


def test_folders_that_go_meanwhile_and_those_beyond_all_depth_are_told(tmp_path, monkeypatch):
    lay(tmp_path / "set", "a/0.png", "b/0.png")
    deep = tmp_path / "set" / "a"
    deep.joinpath(*"d" * 120).mkdir(parents=True)
    (tmp_path / "set" / "b" / "gone").mkdir()
    stat = Path.stat

    def gone(path, **options):
        if path.name == "gone":
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", gone)
    assert problems_of(lambda: Folder(path="set").load(tmp_path)) == [
        f"{deep.joinpath(*'d' * 99)} holds folders deeper than 100 levels",
        f"{tmp_path / 'set' / 'b' / 'gone'} cannot be read: No such file or directory",
    ]
