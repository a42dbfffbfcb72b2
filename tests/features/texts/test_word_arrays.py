"""Word vectors as arrays in npz and safetensors files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from features.texts.word_vectors import from_file

WORDS = ["red", "f\u00fcr", "a\u2028b"]
VECTORS = np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float32)
PACKED = np.frombuffer("\n".join([*WORDS, ""]).encode(), dtype=np.uint8)


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path.with_suffix(".npz"), **arrays)
    return path.with_suffix(".npz")


def safetensors(path: Path, **arrays: Any) -> Path:
    save_file(arrays, path.with_suffix(".safetensors"))
    return path.with_suffix(".safetensors")


@pytest.mark.parametrize("half", [False, True])
def test_words_find_their_vectors(tmp_path: Path, half: bool) -> None:
    vectors = VECTORS.astype(np.float16) if half else VECTORS
    for path in (
        npz(tmp_path / "a", words=np.array(WORDS), vectors=vectors),
        safetensors(tmp_path / "a", words=PACKED, vectors=vectors),
    ):
        lookup = from_file(path)
        assert lookup.rows == {word: row for row, word in enumerate(WORDS)}
        assert lookup.width == 2
        taken = lookup.take(np.array([2, 0]))
        assert taken.dtype == np.float32
        assert taken.tolist() == [[5, 6], [1, 2]]


def test_of_two_equal_words_the_first_counts(tmp_path: Path) -> None:
    path = npz(tmp_path / "a", words=np.array(["b", "a", "b"]), vectors=VECTORS)
    assert from_file(path).rows == {"b": 0, "a": 1}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"vectors": VECTORS}, "words"),
        ({"words": np.array(WORDS)}, "vectors"),
        ({"words": np.array(WORDS, dtype=object), "vectors": VECTORS}, "allow_pickle"),
        ({"words": np.arange(3), "vectors": VECTORS}, "not texts"),
        ({"words": np.array([WORDS]), "vectors": VECTORS}, "not texts"),
        ({"words": np.array(WORDS), "vectors": VECTORS[:2]}, "no row among the 2 vectors"),
        ({"words": np.array(WORDS), "vectors": VECTORS[0]}, r"not numbers \(n, d\)"),
        ({"words": np.array(WORDS), "vectors": np.array([["a"]] * 3)}, r"not numbers \(n, d\)"),
    ],
)
def test_arrays_that_are_no_word_vectors_are_said(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    path = npz(tmp_path / "odd", **arrays)
    with pytest.raises(ValueError, match=rf"odd\.npz.*{message}"):
        from_file(path)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    whole = npz(tmp_path / "a", words=np.array(WORDS), vectors=VECTORS).read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[:-30])
    other = safetensors(tmp_path / "a", words=PACKED, vectors=VECTORS).read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(other[:-3])
    for name in ("cut.npz", "cut.safetensors"):
        with pytest.raises(ValueError, match=rf"{name} does not hold word vectors"):
            from_file(tmp_path / name)
    bad = safetensors(tmp_path / "b", words=PACKED.astype(np.int64), vectors=VECTORS)
    with pytest.raises(ValueError, match=r"b\.safetensors does not hold"):
        from_file(bad)


def test_an_archive_that_becomes_far_larger_is_refused(tmp_path: Path) -> None:
    array = io.BytesIO()
    np.save(array, np.zeros((2**18, 8), dtype=np.float32))
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("vectors.npy", array.getvalue())
    with pytest.raises(ValueError, match=r"bomb\.npz .* would become 8388736"):
        from_file(tmp_path / "bomb.npz")


def test_numbers_that_are_not_finite_name_file_and_word(tmp_path: Path) -> None:
    vectors = VECTORS.copy()
    vectors[1, 0] = np.nan
    text = tmp_path / "nan.txt"
    text.write_text("f\u00fcr nan 1\nred 1 2\n", encoding="utf-8")
    for path in (npz(tmp_path / "nan", words=np.array(WORDS), vectors=vectors), text):
        lookup = from_file(path)
        assert np.isfinite(lookup.take(np.array([lookup.rows["red"]]))).all()
        with pytest.raises(ValueError, match=rf"{path.name}: the vector of the word 'f\u00fcr'"):
            lookup.take(np.array([lookup.rows["red"], lookup.rows["f\u00fcr"]]))
