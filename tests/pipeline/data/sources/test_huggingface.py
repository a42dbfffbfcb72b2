"""The source `huggingface`, on data sets written here; nothing is fetched."""

from __future__ import annotations

import pytest

from pipeline.data.sources.huggingface import HuggingFace
from tests.support.installs import uninstall
from tests.support.source_examples import huggingface, png, problems_of


def test_a_missing_library_is_told_with_its_install(tmp_path, monkeypatch):
    uninstall(monkeypatch, "datasets")
    [problem] = problems_of(
        lambda: HuggingFace(path="x", text="text", label="class").load(tmp_path)
    )
    assert 'pip install "modalgrid[huggingface]"' in problem


def test_pictures_or_texts_are_needed(tmp_path):
    assert "image" in problems_of(lambda: HuggingFace(path="x", label="class").load(tmp_path))[0]


@pytest.fixture
def keys(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    keys = huggingface(tmp_path, monkeypatch)
    import datasets

    saved = datasets.load_from_disk(tmp_path / "saved")
    datasets.DatasetDict({"train": saved, "test": saved.select([2, 0])}).save_to_disk(
        tmp_path / "splits"
    )
    (tmp_path / "files").mkdir()
    saved.to_parquet(tmp_path / "files" / "train.parquet")
    return keys


@pytest.mark.parametrize("path", ["saved", "splits", "files"])
def test_class_numbers_become_names_and_pictures_stay_encoded(path, keys, tmp_path):
    samples = HuggingFace(**{**keys, "path": path}).load(tmp_path)
    assert samples.labels == ["cat", "dog", None]
    assert samples.groups == {"kind": ["old", "young", "old"]}
    assert samples.texts == ["a cat", None, "a what?"]
    assert samples.ids == ["7", "8", "9"]
    assert [picture and picture.read() for picture in samples.pictures] == [
        png("red"),
        png("blue"),
        None,
    ]


def test_a_split_chooses_rows_in_its_order(keys, tmp_path):
    assert HuggingFace(**{**keys, "path": "splits", "split": "test"}).load(tmp_path).ids == [
        "9",
        "7",
    ]
    assert HuggingFace(**{**keys, "path": "files", "split": "train[1:]"}).load(tmp_path).ids == [
        "8",
        "9",
    ]


@pytest.mark.parametrize("path", ["splits", "files"])
def test_splits_that_nobody_asked_about_are_said(path, keys, tmp_path):
    saved = tmp_path / "files" / "train.parquet"
    saved.with_name("test.parquet").write_bytes(saved.read_bytes())
    samples = HuggingFace(**{**keys, "path": path}).load(tmp_path)
    assert len(samples) == 3
    assert samples.notes == [
        f"of the data set '{path}' only the split 'train' is taken, and not test: say under data: "
        "which split you mean"
    ]
    assert not HuggingFace(**{**keys, "path": path, "split": "train"}).load(tmp_path).notes


def test_the_only_split_is_taken_whatever_its_name(keys, tmp_path):
    import datasets

    saved = datasets.load_from_disk(tmp_path / "saved")
    datasets.DatasetDict({"test": saved}).save_to_disk(tmp_path / "only")
    samples = HuggingFace(**{**keys, "path": "only"}).load(tmp_path)
    assert samples.ids == ["7", "8", "9"]
    assert not samples.notes
    datasets.DatasetDict({"test": saved, "dev": saved}).save_to_disk(tmp_path / "several")
    [problem] = problems_of(lambda: HuggingFace(**{**keys, "path": "several"}).load(tmp_path))
    assert "no split 'train' was saved" in problem
    assert "dev, test" in problem


@pytest.mark.parametrize("path", ["saved", "splits", "files"])
def test_an_unknown_split_is_told(path, keys, tmp_path):
    source = HuggingFace(**{**keys, "path": path, "split": "tran"})
    [problem] = problems_of(lambda: source.load(tmp_path))
    assert "'tran'" in problem
    assert "train" in problem.replace("'tran'", "")


def test_every_missing_column_is_reported(keys, tmp_path):
    problems = problems_of(
        lambda: HuggingFace(**{**keys, "text": "txt", "label": "clas"}).load(tmp_path)
    )
    assert ["did you mean 'text'" in problems[0], "did you mean 'class'" in problems[1]] == [
        True,
        True,
    ]
