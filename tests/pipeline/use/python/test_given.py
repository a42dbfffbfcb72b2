"""Items given in Python: any form of a picture gives the same; what cannot be used is all named."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from features.pictures.decoding import UnreadablePicture, as_png, decode
from pipeline.use.problem import ItemError
from pipeline.use.python.given import picture_file
from tests.support.tiny import read_rows


@pytest.fixture(scope="module")
def bundle(made):
    return made.bundle


@pytest.fixture(scope="module")
def items(made):
    paths = [made.folder / f"{row}.png" for row in (0, 13, 30)]
    rows = read_rows(made.folder)
    return paths, [rows[row][2] for row in (0, 13, 30)]


FORMS = {
    "path": lambda path: path,
    "str": str,
    "bytes": lambda path: path.read_bytes(),
    "picture": Image.open,
    "array": lambda path: np.asarray(Image.open(path)),
    "turned array": lambda path: np.asarray(Image.open(path).transpose(
        Image.Transpose.TRANSPOSE)).swapaxes(0, 1),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_picture_gives_the_same_to_the_bit(bundle, items, form):
    paths, texts = items
    expected = bundle.predict_items({"image": [path.read_bytes() for path in paths], "text": texts})
    given = bundle.predict_proba([FORMS[form](path) for path in paths], texts)
    assert given.dtype == np.float64
    assert np.array_equal(given, expected)
    single = bundle.predict_proba(FORMS[form](paths[1]), texts[1])
    assert single.shape == (3,)
    assert np.array_equal(single, bundle.predict_proba([paths[1]], [texts[1]])[0])


def test_classes_are_named(bundle, items):
    paths, texts = items
    assert bundle.classes == ("car", "cat", "dog")
    assert bundle.predict(paths, texts) == ["cat", "dog", "car"]
    assert bundle.predict(paths[0], texts[0]) == "cat"


def test_a_modality_may_be_missing_here_and_there_or_everywhere(bundle, items):
    paths, texts = items
    contents = [path.read_bytes() for path in paths[:2]]
    expected = bundle.predict_items({"image": contents, "text": [None] * 2})
    assert np.array_equal(bundle.predict_proba(paths[:2]), expected)
    mixed = bundle.predict_proba([paths[0], None, float("nan")], [None, texts[1], texts[2]])
    np.testing.assert_allclose(mixed[:1], bundle.predict_proba(paths[:1]), atol=1e-9)
    np.testing.assert_allclose(mixed[1:], bundle.predict_proba(texts=texts[1:]), atol=1e-9)
    assert bundle.predict(texts=texts[2]) == "car"
    assert bundle.predict_proba([], []).shape == (0, 3)


def test_all_that_cannot_be_used_is_named_with_its_position(bundle, items, tmp_path):
    paths, texts = items
    broken = [paths[0], tmp_path / "nowhere.png", b"no picture", None, np.zeros((2, 3))]
    with pytest.raises(ItemError) as raised:
        bundle.predict_proba(broken, [texts[0], texts[1], texts[2], "  ", "words"])
    assert list(raised.value.problems) == [1, 2, 3, 4]
    said = str(raised.value).splitlines()
    assert said[0] == f"item 1: picture {tmp_path / 'nowhere.png'}: No such file or directory"
    assert "item 2: picture: not a picture in a known format" in said[1]
    assert said[2] == "item 3: has no picture or text"
    assert "item 4: picture: an array of float64 (2, 3) is no picture" in said[3]


def test_pictures_that_turn_out_to_be_unreadable_are_all_named(bundle, items):
    paths, texts = items
    with pytest.raises(ItemError) as raised:
        bundle.predict_proba((picture for picture in (b"none", paths[1], b"neither")), texts)
    assert list(raised.value.problems) == [0, 2]
    with pytest.raises(ItemError, match="item 0: picture: not a picture"):
        bundle.explain(b"none", texts[0])


@pytest.mark.parametrize(("pictures", "texts", "error", "reason"), [
    (None, None, ValueError, "give pictures, texts or both"),
    (["a.png"], ["x", "y"], ValueError, "1 picture and 2 texts"),
    ("a.png", ["x"], ValueError, "a picture and a text, or a list of each"),
    ([3], ["x"], TypeError, "item 0: a picture is a path"),
    (None, [3], TypeError, "item 0: a text is a str, not int"),
    (np.zeros((4, 4)), None, ItemError, "item 0: picture: an array of float64"),
])
def test_what_makes_no_items_is_refused(bundle, pictures, texts, error, reason):
    with pytest.raises(error, match=reason):
        bundle.predict_proba(pictures, texts)


@cache
def shades():
    return np.random.default_rng(0).integers(0, 256, (5, 7, 4), dtype=np.uint8)


MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"]


@pytest.mark.parametrize("mode", MODES)
def test_a_picture_in_memory_keeps_every_pixel_in_any_mode(mode):
    layers = shades()
    if mode in ("I;16", "I", "F"):
        kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        picture = Image.fromarray(layers[..., 0].astype(kind) * 200)
    else:
        picture = Image.fromarray(layers).convert(mode)
    encoded = np.asarray(decode(as_png(picture)))
    if mode in ("RGB", "L"):
        assert np.array_equal(encoded, np.asarray(picture.convert("RGB")))
    if mode not in ("CMYK", "YCbCr", "I", "F"):  # PNG has these modes itself
        file = io.BytesIO()
        picture.save(file, "PNG")
        assert np.array_equal(encoded, np.asarray(decode(file.getvalue())))


def test_a_picture_is_upright_as_its_file_would_be(tmp_path):
    path = tmp_path / "turned.jpg"
    picture = Image.fromarray(shades()[..., :3])
    exif = picture.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    picture.save(path, exif=exif)
    assert decode(picture_file(path)).size == (5, 7)
    assert decode(picture_file(Image.open(path))).size == (5, 7)
    assert np.array_equal(
        np.asarray(decode(picture_file(Image.open(path)))), np.asarray(decode(path.read_bytes()))
    )


def test_a_picture_whose_file_is_cut_off_is_unreadable(tmp_path, made):
    path = tmp_path / "cut.png"
    path.write_bytes(Path(made.folder / "0.png").read_bytes()[:200])
    with Image.open(path) as picture, pytest.raises(UnreadablePicture, match="cannot be read"):
        picture_file(picture)
