"""The source `shapes`: neither modality alone can tell an answer, and the pictures show it."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.data.sources.questions.shapes import CELLS, COLOURS, FORMS, Shapes
from tests.support.source_examples import problems_of

HERE = Path()


@pytest.fixture(scope="module")
def scenes():
    return Shapes(scenes=80).load(HERE)


@pytest.mark.parametrize("ask", ["colour", "form", "both"])
@pytest.mark.parametrize("part", ["train", "test"])
def test_a_question_alone_has_each_answer_equally_often(ask, part):
    samples = Shapes(scenes=40, ask=ask).load(HERE)
    rows = [row for row, name in enumerate(samples.split) if name == part]
    counts = Counter((samples.texts[row], samples.labels[row]) for row in rows)
    assert len(counts) == 4 * 4 * (2 if ask == "both" else 1)
    assert set(counts.values()) == {8 if part == "train" else 2}


@pytest.mark.parametrize(("ask", "times"), [("colour", 1), ("form", 1), ("both", 2)])
def test_a_picture_alone_has_each_answer_equally_often(ask, times):
    samples = Shapes(scenes=40, ask=ask).load(HERE)
    by_picture: dict[str, Counter[str]] = {}
    for picture, answer in zip(samples.pictures, samples.labels, strict=True):
        by_picture.setdefault(picture.digest(), Counter())[answer] += 1
    assert len(by_picture) == 40
    assert all(counts == dict.fromkeys("0123", times) for counts in by_picture.values())


def test_a_scene_shows_what_it_is_asked_for(scenes):
    """Each cell's colour is counted from the pixels: the middle of a shape has its shade."""
    names, centres = list(COLOURS), np.array(list(COLOURS.values()))
    for row, (picture, text) in enumerate(zip(scenes.pictures, scenes.texts, strict=True)):
        if scenes.breakdown["kind"][row] != "colour":
            continue
        pixels = np.asarray(Image.open(io.BytesIO(picture.read()))).astype(int)
        side = len(pixels) // CELLS
        middles = pixels[side // 2 :: side, side // 2 - 1 :: side].reshape(-1, 3)
        shown = middles[(middles < 230).any(axis=1)]
        nearest = np.abs(shown[:, None] - centres).sum(axis=2).argmin(axis=1)
        asked = next(name for name in names if name in text)
        assert len(shown) == 6
        assert str(np.sum(nearest == names.index(asked))) == scenes.labels[row]


def test_forms_fill_their_cells_differently(scenes):
    """Six shapes' area is that of their forms: the counts of forms are drawn, not only said."""
    areas, counts = [], []
    for row in range(0, len(scenes), 8):
        pixels = np.asarray(Image.open(io.BytesIO(scenes.pictures[row].read())))
        areas.append(int((pixels != 240).any(axis=2).sum()))
        counts.append([int(answer) for answer in scenes.labels[row + 4 : row + 8]])
    of_form, residual, rank, _ = np.linalg.lstsq(np.array(counts, float), areas, rcond=None)
    assert rank == len(FORMS)
    assert float(residual[0]) == pytest.approx(0, abs=1e-6)
    assert len(set(of_form.round().tolist())) == len(FORMS)


def test_scenes_of_a_foursome_stay_in_one_part_and_a_seed_decides_all(scenes):
    parts = dict(zip(map(int, scenes.groups["scene"]), scenes.split, strict=True))
    assert Counter(parts.values()) == {"train": 64, "test": 16}
    for first in range(0, 80, 4):
        assert len({parts[number] for number in range(first, first + 4)}) == 1
    again, other = (Shapes(scenes=80, scene_seed=seed).load(HERE) for seed in (0, 1))
    digests = [[p.digest() for p in drawn.pictures] for drawn in (scenes, again, other)]
    assert digests[0] == digests[1] != digests[2]


def test_numbers_that_cannot_be_are_told_with_the_nearest():
    assert problems_of(lambda: Shapes(scenes=102, size=33).load(HERE)) == [
        "scenes: 102 is no multiple of 4; the nearest is 104",
        "size: 33 is no multiple of 4; the nearest is 32",
    ]
