"""Indexes: made, brought up to date, and refused when touched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.index import main as index_items
from pipeline.store.keys import canonical
from pipeline.store.manifest import sealed
from pipeline.use.index import building
from pipeline.use.index import index as index_module
from pipeline.use.index.index import Index, Wish
from pipeline.use.index.spaces import Space
from pipeline.use.problem import BundleError
from tests.pipeline.use.conftest import rows_of, write
from tests.support.samples import png


@pytest.fixture
def copied(indexed, tmp_path: Path) -> Path:
    """A copy of the table, its pictures and the index."""
    shutil.copytree(indexed.table.parent, tmp_path / "copy")
    return tmp_path / "copy"


def brought_up_to_date(copied: Path, model: Path, capsys) -> str:
    capsys.readouterr()
    code = index_items([str(model), str(copied / "items.csv"), "-o", str(copied / "index")])
    streams = capsys.readouterr()
    assert code == 0, streams.err
    return streams.err + streams.out


def test_vectors_are_of_norm_1_and_the_shared_space_brings_both_together(indexed):
    index = indexed.index
    assert len(index) == 60
    for space in index.files.spaces.spaces:
        norms = np.linalg.norm(index.files.vectors[space], axis=1)
        np.testing.assert_allclose(norms, 1, atol=1e-5)
    points = [np.asarray(index.files.vectors[Space(name, shared=True)]) for name in
              ("image", "text")]
    kinds = np.array(index.column("kind"))
    nearest = kinds[(points[1] @ points[0].T).argmax(axis=1)]
    assert (nearest == kinds).mean() > 0.9


def test_it_says_how_well_it_finds_beside_chance(made, indexed, tmp_path, capsys):
    assert index_items([str(made.model), str(indexed.table), "-o", str(tmp_path / "new")]) == 0
    text = capsys.readouterr().err
    measured = indexed.index.files.measured
    assert measured.pairs == 12
    assert measured.chance == pytest.approx(10 / 12)
    assert "60 items indexed, 60 pictures and 60 texts encoded" in text
    assert "of 12 pairs left out, a text's picture is among the first 10" in text


def test_only_what_is_new_is_encoded(indexed, copied, capsys):
    header, *rows = rows_of(copied / "items.csv")
    (copied / "new.png").write_bytes(png(999))
    rows = [*rows[:10], ["new", "new.png", "bark the tail", "dog", "dog"], *rows[12:]]
    rows[3][2] = "purr whiskers"
    write(copied / "items.csv", [header, *rows])
    text = brought_up_to_date(copied, indexed.model, capsys)
    assert "59 items indexed, 1 picture and 2 texts encoded" in text
    before, after = indexed.index.files, Index.load(copied / "index").files
    assert after.column("id")[10] == "new"
    for space in before.spaces.spaces:
        np.testing.assert_array_equal(after.vectors[space][11], before.vectors[space][12])
    assert not list(copied.glob(".index*")), "nothing is left beside it"


def test_an_index_is_brought_up_to_date_from_within(indexed, copied, monkeypatch):
    folder = copied / "index"
    before = len(Index.load(folder).files)
    monkeypatch.chdir(folder)
    assert index_items([str(indexed.model), str(indexed.table), "-o", "."]) == 0
    assert len(Index.load(folder).files) == before


def test_whether_there_are_vectors_is_told_without_reading_them(copied):
    with next((copied / "index").glob("*.f32")).open("r+b") as file:
        file.write(b"\xff" * 4)
    vectors = Index.load(copied / "index").files.vectors
    assert all(space in vectors for space in vectors)
    assert "image" not in vectors


def test_equal_pictures_are_encoded_once(indexed, copied, capsys):
    header, *rows = rows_of(copied / "items.csv")
    (copied / "new.png").write_bytes(png(999))
    more = [[f"new{at}", "new.png", "bark the tail", "dog", "dog"] for at in range(3)]
    write(copied / "items.csv", [header, *rows, *more])
    text = brought_up_to_date(copied, indexed.model, capsys)
    assert "63 items indexed, 1 picture and 1 text encoded" in text


def test_pictures_that_cannot_be_read_are_said_and_their_texts_are_there(indexed, copied, capsys):
    header, *rows = rows_of(copied / "items.csv")
    (copied / "bad.png").write_bytes(b"no picture")
    write(copied / "items.csv", [header, *rows, ["bad", "bad.png", "purr whiskers", "cat", ""]])
    text = brought_up_to_date(copied, indexed.model, capsys)
    assert "1 item with a problem:\n  bad: picture" in text
    files = Index.load(copied / "index").files
    assert not files.present["image"][-1]
    assert files.present["text"][-1]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("index.json", "index.json was changed"),
        ("spaces.safetensors", "spaces.safetensors was changed"),
        ("image.f32", "image.f32 was changed"),
        ("model/bundle.json", "bundle.json was changed"),
    ],
)
def test_an_index_that_was_touched_is_refused(copied, name, reason):
    path = copied / "index" / name
    content = path.read_bytes()
    path.write_bytes(content[:-9] + b"x")
    with pytest.raises(BundleError, match=reason):
        Index.load(copied / "index")


@pytest.mark.parametrize("name", ["text.f32", "text.present", "items.parquet"])
def test_a_bit_that_flipped_in_a_large_file_is_noticed_when_it_is_read(copied, name):
    def asked() -> str:
        try:
            return str(Index.load(copied / "index").search("purr", wish=Wish(60, by="text")))
        except BundleError as error:
            return str(error)

    path, sound = copied / "index" / name, asked()
    content, noticed = bytearray(path.read_bytes()), 0
    for position in range(4, len(content), max(1, len(content) // 40)):
        content[position] ^= 1
        path.write_bytes(content)
        answer = asked()
        assert answer == sound or f"its file {name}" in answer  # what is not read harms nothing
        noticed += answer != sound
        content[position] ^= 1
    assert noticed > 10


def test_an_index_of_before_there_were_checksums_is_read(copied):
    path = copied / "index" / "index.json"
    manifest = json.loads(path.read_text())
    del manifest["sha256"], manifest["checksums"]
    path.write_text(sealed(canonical(manifest)))
    assert len(Index.load(copied / "index").search("whiskers purr")) == 10


def test_a_missing_file_and_a_folder_that_is_none_are_refused(copied, tmp_path):
    (copied / "index" / "text.f32").unlink()
    with pytest.raises(BundleError, match=r"text\.f32 is missing"):
        Index.load(copied / "index")
    with pytest.raises(BundleError, match=r"it has no index\.json"):
        Index.load(tmp_path)


def test_another_model_needs_another_folder(indexed, copied, made, tmp_path, capsys):
    from pipeline.bundle import main as bundle

    other = tmp_path / "other"
    assert bundle([str(made.run), "--cell", "tfidf / text_only / logistic", "-o", str(other)]) == 0
    capsys.readouterr()
    items, folder = str(copied / "items.csv"), str(copied / "index")
    assert index_items([str(other), items, "-o", folder]) == 2
    assert "was made with another model" in capsys.readouterr().err
    assert index_items([str(other), items, "-o", str(tmp_path / "texts")]) == 0
    with pytest.raises(BundleError, match="knows texts only: it cannot be asked with a picture"):
        Index.load(tmp_path / "texts").search("", [copied / "0.png"])


def test_where_it_stops_the_index_before_stays_whole(indexed, copied, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(building.IndexWriter, "add", full)
    items, folder = str(copied / "items.csv"), str(copied / "index")
    assert index_items([str(indexed.model), items, "-o", folder]) == 2
    assert len(Index.load(copied / "index")) == 60
    assert not list(copied.glob(".index*"))


def test_an_update_that_is_killed_between_moves_loses_nothing(indexed, copied, monkeypatch, capsys):
    """Between its two moves there is none, and the next update puts it back first."""
    replace, folder = Path.replace, copied / "index"

    def killed(self: Path, target: Path) -> Path:
        if target == folder:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    assert index_items([str(indexed.model), str(copied / "items.csv"), "-o", str(folder)]) == 130
    assert not folder.exists()
    monkeypatch.undo()
    assert "0 pictures and 0 texts encoded" in brought_up_to_date(copied, indexed.model, capsys)
    assert len(Index.load(folder)) == 60
    assert not list(copied.glob(".index*"))


def test_a_large_table_is_sampled_to_learn_from(indexed, monkeypatch, tmp_path):
    monkeypatch.setattr(building, "LEARNED_FROM", 45)
    monkeypatch.setattr(building, "AT_ONCE", 7)
    folder = tmp_path / "index"
    assert index_items([str(indexed.model), str(indexed.table), "-o", str(folder)]) == 0
    index = Index.load(folder)
    assert len(index) == 60
    assert index.files.measured.pairs == 9
    assert index.files.column("id") == indexed.index.files.column("id")


@pytest.fixture(scope="session")
def listed(indexed, tmp_path_factory) -> Path:
    """An index of the same items, with lists."""
    folder = tmp_path_factory.mktemp("listed") / "index"
    arguments = [str(indexed.model), str(indexed.table), "-o", str(folder)]
    assert index_items([*arguments, "--approximate-above", "50"]) == 0
    return folder


def test_above_a_number_of_items_lists_are_made_and_their_recall_is_said(
    indexed, tmp_path, capsys
):
    arguments = [str(indexed.model), str(indexed.table), "-o", str(tmp_path / "index")]
    assert index_items([*arguments, "--approximate-above", "60"]) == 0
    assert "search is approximate" not in capsys.readouterr().err
    assert not list((tmp_path / "index").glob("*.codes"))
    assert index_items([*arguments, "--approximate-above", "59"]) == 0
    text = capsys.readouterr().err
    assert "60 items indexed, 0 pictures and 0 texts encoded" in text
    assert "Recall@10 against the exact answer, for 30 items of the index:" in text
    assert "\n  pictures and texts: " in text
    assert "\n  pictures in the space for both and texts: " in text
    assert len(list((tmp_path / "index").glob("*.codes"))) == 4
    assert index_items(arguments) == 0, "the number is kept"
    assert "search is approximate" in capsys.readouterr().err
    assert Index.load(tmp_path / "index").files.approximation.above == 59


def test_lists_are_those_of_the_items_that_there_are_now(indexed, listed, tmp_path, capsys):
    """Rows that are gone are not found, and rows that are new are."""
    shutil.copytree(indexed.table.parent, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "index")
    shutil.copytree(listed, tmp_path / "copy" / "index")
    header, *rows = rows_of(tmp_path / "copy" / "items.csv")
    (tmp_path / "copy" / "new.png").write_bytes(png(999))
    new = ["new", "new.png", "purr whiskers purr", "cat", ""]
    write(tmp_path / "copy" / "items.csv", [header, new, *rows[:5], *rows[8:]])
    assert "search is approximate" in brought_up_to_date(tmp_path / "copy", indexed.model, capsys)
    index = Index.load(tmp_path / "copy" / "index")
    hits, exact = (
        index.search("purr", wish=Wish(58, exact=is_exact)) for is_exact in (False, True)
    )
    assert len(index) == 58 == len(hits)
    assert [hit.id for hit in hits] == [hit.id for hit in exact]
    assert "new" in {hit.id for hit in hits}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("text.lists.safetensors", "text.lists.safetensors was changed"),
        ("text.codes", "text.codes was changed"),
        ("image-shared.rows", "image-shared.rows was changed"),
    ],
)
def test_an_index_whose_lists_were_touched_is_refused(listed, tmp_path, name, reason):
    shutil.copytree(listed, tmp_path / "index")
    content = (tmp_path / "index" / name).read_bytes()
    (tmp_path / "index" / name).write_bytes(content[:-9] + b"x")
    with pytest.raises(BundleError, match=reason):
        Index.load(tmp_path / "index")


def test_without_faiss_many_items_are_searched_exactly_and_that_is_said(
    indexed, listed, tmp_path, monkeypatch, capsys
):
    for module in (building, index_module):
        monkeypatch.setattr(module, "has_faiss", lambda: False)
    arguments = [str(indexed.model), str(indexed.table), "-o", str(tmp_path / "index")]
    assert index_items([*arguments, "--approximate-above", "50"]) == 0
    lacks = 'approximate search needs faiss-cpu, which is not installed: pip install "modalgrid['
    assert lacks in capsys.readouterr().err
    assert not list((tmp_path / "index").glob("*.codes"))
    hits = Index.load(listed).search("purr", wish=Wish(5))
    assert hits.note.startswith("exact search")
    assert lacks in hits.note
    assert list(hits) == list(indexed.index.search("purr", wish=Wish(5)))


def test_standard_input_cannot_be_read_twice(made, tmp_path, capsys):
    assert index_items([str(made.model), "-", "-o", str(tmp_path / "index")]) == 2
    assert "items are read twice to index them: name a file" in capsys.readouterr().err
    assert not (tmp_path / "index").exists()
