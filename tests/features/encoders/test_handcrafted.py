"""Handcrafted features: what each part sees and what it does not."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from features.encoders.handcrafted import Handcrafted
from pipeline.config.parameters import model_of


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def of(*pictures: np.ndarray, **parameters: Any) -> np.ndarray:
    return Handcrafted(**parameters).transform([png(pixels) for pixels in pictures]).array()


def solid(colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((128, 128, 3), colour)


NOISE = np.kron(np.random.default_rng(0).integers(0, 256, (16, 16, 3)), np.ones((8, 8, 1)))


def test_one_colour_is_one_bin_of_each_part_of_the_grid() -> None:
    (row,) = of(
        solid((255, 0, 130)), parts=("colour",), colour_space="rgb", colour_bins=(2, 2, 2), grid=2
    )
    expected = np.zeros((4, 8))
    expected[:, 0b101] = 0.5  # red and blue high, green low; the whole row has norm 1
    np.testing.assert_allclose(row, expected.ravel(), atol=1e-6)


def test_colours_count_by_the_part_they_are_in() -> None:
    halves = solid((255, 255, 255))
    halves[:, :64] = 0
    row, = of(halves, parts=("colour",), colour_space="rgb", colour_bins=(2, 2, 2), grid=2)
    left, right = [0.5] + [0] * 7, [0] * 7 + [0.5]
    np.testing.assert_allclose(row, left + right + left + right, atol=1e-6)


def test_hsv_separates_hues_that_are_equally_grey() -> None:
    rows = of(solid((200, 0, 0)), solid((0, 200, 0)), parts=("colour",), grid=1)
    assert rows[0] @ rows[1] == 0
    assert rows[0] @ rows[0] == pytest.approx(1)


def test_texture_is_blind_to_colour_brightness_and_quarter_turns() -> None:
    rows = of(
        NOISE,
        NOISE * 0.5,
        np.rot90(NOISE),
        NOISE[:, :, ::-1] * [0, 0, 0] + NOISE.mean(axis=2, keepdims=True),
        parts=("texture",),
        grid=1,
    )
    similar = rows @ rows.T
    assert similar[0, 1] > 0.99
    assert similar[0, 2] > 0.99
    (smooth,) = of(
        np.tile(np.linspace(0, 255, 128), (128, 1))[:, :, None] * np.ones(3),
        parts=("texture",),
        grid=1,
    )
    assert rows[0] @ smooth < 0.95


def test_shape_sees_the_direction_of_edges() -> None:
    stripes = np.repeat(np.arange(128)[None] // 8 % 2 * 255, 128, axis=0)[:, :, None] * np.ones(3)
    upright, lying = of(stripes, stripes.transpose(1, 0, 2), parts=("shape",))
    directions = [row.reshape(-1, 9).sum(axis=0).argmax() for row in (upright, lying)]
    assert directions == [0, 4]
    assert upright @ lying < 0.1
    dimmed, = of(stripes * 0.5 + 60, parts=("shape",))
    np.testing.assert_allclose(dimmed, upright, atol=0.01)


def test_the_whole_is_its_parts_side_by_side_with_equal_weight() -> None:
    whole, = of(NOISE)
    parts = [of(NOISE, parts=(part,))[0] for part in ("colour", "texture", "shape")]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    np.testing.assert_allclose([np.linalg.norm(part) for part in parts], 1, rtol=1e-5)


@pytest.mark.parametrize("parameters", [
    {"size": 33, "shape_cells": 16, "grid": 8},
    {"size": 50, "texture_radii": (8,)},
    {"shape_cells": 2},
])
def test_any_sizes_that_the_rules_allow_work(parameters: dict[str, Any]) -> None:
    rows = of(NOISE, solid((0, 0, 0)), **parameters)
    assert rows.shape == (2, Handcrafted(**parameters).width)
    assert np.isfinite(rows).all()


def test_parts_are_named_once() -> None:
    with pytest.raises(ValidationError, match="each once, not"):
        model_of(Handcrafted)(parts=["shape", "shape"])
    with pytest.raises(ValidationError, match="'colour', 'texture' or 'shape'"):
        model_of(Handcrafted)(parts=["color"])
