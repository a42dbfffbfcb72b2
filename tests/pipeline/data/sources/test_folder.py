"""The source `folder`: class folders of pictures, and captions that name them."""

from __future__ import annotations

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
