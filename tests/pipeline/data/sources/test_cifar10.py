"""The source `cifar10`, on archives written here in the official files' form."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from pipeline.data.sources import cifar10_archive
from pipeline.data.sources.cifar10 import Cifar10, PixelPicture
from tests.support.installs import uninstall
from tests.support.source_examples import (
    CIFAR_BATCHES,
    CIFAR_ROWS,
    cifar_pixels,
    problems_of,
    write_cifar10,
    write_csv,
    write_pickle,
)

FOLDER = "cifar-10-batches-py"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write_cifar10(tmp_path / FOLDER, monkeypatch)
    write_csv(
        tmp_path / "terms.csv",
        [
            ("term", "label", "gloss", "synset"),
            ("tabby_cat", "cat", "a striped cat", "cat.n.01"),
            ("cruiser", "ship", "a warship", "ship.n.01"),
            ("cruiser", "automobile", "a police car", "car.n.01"),
        ],
    )
    return tmp_path


def test_rows_come_in_the_official_order_with_terms_from_the_file_names(folder):
    samples = Cifar10(path=".").load(folder)
    assert len(samples) == 24
    assert samples.labels == [label for label, _ in CIFAR_ROWS] * 6
    assert samples.texts == ["tabby cat", "cruiser", "cruiser", "mouser"] * 6
    assert samples.split == ["train"] * 20 + ["test"] * 4
    assert samples.locations[-1] == "test_batch row 4"
    assert samples.ids[0] == "tabby_cat_s_000000.png"
    assert samples.group == "term"
    assert set(samples.groups) == {"term"}


def test_pictures_are_the_archives_pixels_without_loss(folder):
    samples = Cifar10(path=".", part="test").load(folder)
    expected = cifar_pixels("test_batch").reshape(4, 3, 32, 32)
    for picture, pixels in zip(samples.pictures, expected, strict=True):
        read = np.asarray(Image.open(io.BytesIO(picture.read())))
        assert np.array_equal(read, pixels.transpose(1, 2, 0))


def test_a_digest_tells_pixels_and_shapes_apart():
    pixels = np.arange(24, dtype=np.uint8).reshape(3, 2, 4)
    same, other = PixelPicture("a", pixels), PixelPicture("b", pixels.copy())
    assert same.digest() == other.digest()
    assert same.digest() != PixelPicture("a", pixels.reshape(3, 4, 2)).digest()
    assert same.digest() != PixelPicture("a", pixels + np.uint8(1)).digest()


def test_glosses_and_synsets_come_from_the_terms_by_term_and_label(folder):
    samples = Cifar10(path=FOLDER, text="gloss", terms="terms.csv", part="test").load(folder)
    assert samples.texts == ["a striped cat", "a warship", "a police car", None]
    assert samples.groups["synset"] == ["cat.n.01", "ship.n.01", "car.n.01", None]
    assert samples.groups["term"][0] == "tabby cat"
    assert samples.group == "synset"
    assert Cifar10(path=".", terms="terms.csv", group="term").load(folder).group == "term"


def test_parts_conditions_and_samples_choose_rows(folder):
    assert len(Cifar10(path=".", part="train").load(folder)) == 20
    chosen = Cifar10(
        path=".", terms="terms.csv", where={"synset": ["ship.n.01", "car.n.01"], "split": "test"}
    )
    assert chosen.load(folder).locations == ["test_batch row 2", "test_batch row 3"]
    samples = Cifar10(path=".", sample=8).load(folder)
    assert sorted(samples.labels) == ["automobile"] * 2 + ["cat"] * 4 + ["ship"] * 2
    pictures = {
        picture.name: picture.digest() for picture in Cifar10(path=".").load(folder).pictures
    }
    assert all(pictures[picture.name] == picture.digest() for picture in samples.pictures)


def test_the_packed_archive_reads_like_its_folder(folder, tmp_path_factory):
    packed = tmp_path_factory.mktemp("packed")
    with tarfile.open(packed / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(folder / FOLDER, arcname=FOLDER)
    unpacked = Cifar10(path=".").load(folder)
    for path in (".", "cifar-10-python.tar.gz"):
        samples = Cifar10(path=path).load(packed)
        assert samples.ids == unpacked.ids
        assert [p.digest() for p in samples.pictures] == [p.digest() for p in unpacked.pictures]


def test_altered_and_missing_files_are_reported_together_before_anything_is_unpickled(folder):
    (folder / FOLDER / "data_batch_2").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    (folder / FOLDER / "data_batch_4").unlink()
    problems = problems_of(lambda: Cifar10(path=".").load(folder))
    assert "no file data_batch_4" in problems[0]
    assert "data_batch_2 is not the published file" in problems[1]
    assert len(Cifar10(path=".", part="test").load(folder)) == 4  # reads none of them


def test_a_batch_can_call_nothing_even_with_the_right_md5(folder, monkeypatch):
    with pytest.raises(Exception, match=r"plain values, not os\.system"):
        cifar10_archive.BatchUnpickler(io.BytesIO(b"cos\nsystem\n(S'exit 1'\ntR.")).load()
    write_pickle(folder / FOLDER / "batches.meta", {"label_names": ["x"] * 10}, monkeypatch)
    assert set(Cifar10(path=".").load(folder).labels) == {"x"}


def test_what_needs_terms_and_unknown_columns_are_reported_together(folder):
    source = Cifar10(
        path="nowhere", text="gloss", group="synset", where={"lable": "cat", "gloss": "x"}
    )
    problems = problems_of(lambda: source.load(folder))
    assert [problem.split(",")[0] for problem in problems[:2]] == ["text: 'gloss' needs terms",
                                                                   "group: 'synset' needs terms"]
    assert (
        problems[2]
        == "where: no column 'lable'; did you mean 'label'? (columns: filename, label, split, term)"
    )
    assert problems[3].startswith("where: 'gloss' needs terms")
    assert problems[4].startswith("path: there is no cifar-10-python.tar.gz")


def test_terms_without_the_columns_are_a_problem(folder):
    write_csv(folder / "terms.csv", [("term", "label", "glos"), ("a", "b", "c")])
    problems = problems_of(lambda: Cifar10(path=".", terms="terms.csv").load(folder))
    assert [problem.split(";")[0].split(" (")[0] for problem in problems] == [
        "terms: terms.csv has no column 'gloss'", "terms: terms.csv has no column 'synset'"]


def test_a_download_that_fails_is_a_problem(folder, monkeypatch):
    torchvision = pytest.importorskip("torchvision.datasets")

    def unreachable(*args, **keys):
        raise OSError("no network")

    monkeypatch.setattr(torchvision.CIFAR10, "download", unreachable)
    [problem] = problems_of(lambda: Cifar10(path="elsewhere", download=True).load(folder))
    assert problem.startswith("download: https://")
    assert problem.endswith("no network")


def test_a_download_names_the_package_that_it_needs(folder, monkeypatch):
    uninstall(monkeypatch, "torchvision")
    assert problems_of(lambda: Cifar10(path="elsewhere", download=True).load(folder)) == [
        "cifar10 with download: true needs torchvision, which is not installed: "
        'pip install "modalgrid[cnn]"'
    ]


def test_a_download_goes_where_the_batches_are_then_found(tmp_path, monkeypatch):
    torchvision = pytest.importorskip("torchvision.datasets")
    monkeypatch.setattr(torchvision.CIFAR10, "download",
                        lambda self: write_cifar10(tmp_path / "new" / FOLDER, monkeypatch))
    (tmp_path / "new").mkdir()
    monkeypatch.setattr(torchvision.CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr(
        torchvision.CIFAR10, "__init__", lambda self, root, download: self.download()
    )
    assert len(Cifar10(path="new", download=True).load(tmp_path)) == 24


def test_the_published_md5_are_torchvisions():
    datasets = pytest.importorskip("torchvision.datasets")
    published = dict([*datasets.CIFAR10.train_list, *datasets.CIFAR10.test_list])
    published[datasets.CIFAR10.meta["filename"]] = datasets.CIFAR10.meta["md5"]
    assert published == cifar10_archive.MD5
    assert list(published)[:6] == CIFAR_BATCHES
