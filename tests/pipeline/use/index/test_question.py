"""Questions: words and pictures, added and taken away."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.use.index.question import question
from pipeline.use.problem import BundleError
from tests.support.samples import png


def parsed(text: str) -> list[tuple[int, str, str]]:
    return [(term.sign, term.modality, term.label) for term in question(text)]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("a red bird", [(1, "text", "a red bird")]),
        ('"bird"', [(1, "text", "bird")]),
        ("bird - cage", [(1, "text", "bird"), (-1, "text", "cage")]),
        ("bird + blue sky - cage", [
            (1, "text", "bird"), (1, "text", "blue sky"), (-1, "text", "cage")]),
        ("- cage + bird", [(-1, "text", "cage"), (1, "text", "bird")]),
        ("T-shirt", [(1, "text", "T-shirt")]),
        ("a 3 -4 b", [(1, "text", "a 3 -4 b")]),
        ('"salt - pepper" - sugar', [(1, "text", "salt - pepper"), (-1, "text", "sugar")]),
        ('"sky.jpg"', [(1, "text", "sky.jpg")]),
    ],
)
def test_terms_are_what_stands_between_the_signs(text, terms):
    assert parsed(text) == terms


def test_names_of_pictures_are_pictures(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("sky.PNG").write_bytes(png(1))
    Path("cage.png").write_bytes(png(2))
    assert parsed("bird + sky.PNG - cage.png") == [
        (1, "text", "bird"), (1, "image", "sky.PNG"), (-1, "image", "cage.png")]
    (term,) = question("", [Path("sky.PNG")])
    assert (term.modality, term.content) == ("image", png(1))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "nothing is asked"),
        ("- cage", "everything is taken away"),
        ("missing.png", "picture missing.png: No such file"),
        ("bad.png + other.jpg", "picture bad.png: "),
    ],
)
def test_what_cannot_be_asked_is_said(text, reason, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("bad.png").write_bytes(b"no picture")
    with pytest.raises(BundleError, match=reason):
        question(text)


def test_all_pictures_that_cannot_be_read_are_said_at_once(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError) as error:
        question("a.png + b.png")
    assert str(error.value).count("No such file") == 2
