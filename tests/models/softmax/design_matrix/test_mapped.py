"""Rows in a file give the solutions that rows in memory give, and are read in tiles."""

from __future__ import annotations

import mmap

import numpy as np
import psutil
import pytest

from features.block import Block
from models.classifiers.logistic import Logistic
from models.early.baselines import ImageOnly
from models.early.concat import Concat
from models.fusion import Fit
from models.kept import RECENT
from models.preparation import scaling
from models.softmax.design_matrix import mapped
from models.views import Views

N, D, K = 600, 12, 3


@pytest.fixture
def views():
    rng = np.random.default_rng(0)
    y = np.arange(N) % K
    values = rng.normal(size=(K, D))[y] * 0.5 + rng.normal(size=(N, D))
    text = rng.normal(size=(N, 5)) + y[:, None] * 0.3
    return Views(Block.of(values.astype(np.float32)), Block.of(text.astype(np.float32))), y


@pytest.fixture
def small_memory(monkeypatch):
    """As if hardly anything fitted into memory."""
    for module in (mapped, scaling):
        monkeypatch.setattr(module, "LARGE", 100)
        monkeypatch.setattr(module, "TILE", 1000)


class Watched:
    """Values that tell how many rows of theirs are taken at most at once."""

    def __init__(self, values):
        self.values, self.shape, self.dtype, self.most = values, values.shape, values.dtype, 0

    def __len__(self):
        return len(self.values)

    def reading_order(self, rows):
        return np.argsort(rows % 7, kind="stable")

    def __getitem__(self, rows):
        taken = self.values[rows]
        self.most = max(self.most, len(taken))
        return taken


def fits_of(views, y, folds=3):
    fold = np.arange(len(y)) // 7 % folds
    return [
        Fit(views.take(np.flatnonzero(fold != number)), y[fold != number],
            views.take(np.flatnonzero(fold == number)))
        for number in range(folds)
    ]


def rows_of(answers):
    """Predictions of all folds under all settings, one under the other."""
    return np.concatenate([np.concatenate(by_setting, axis=1) for by_setting in answers])


@pytest.mark.parametrize("weight", ["none", "balanced"])
@pytest.mark.parametrize("fusion", [ImageOnly, Concat])
def test_predictions_are_those_of_rows_in_memory(views, fusion, weight, monkeypatch):
    views, y = views
    y = np.where(np.arange(N) % 5 == 0, 0, y)  # classes of different size
    settings = [{"classifier__C": C} for C in (0.1, 10.0)]
    classifier = Logistic(class_weight=weight)
    RECENT.clear()
    in_memory = fusion(classifier).predict_many(fits_of(views, y), settings)
    fitted = fusion(classifier).fit(views, y).predict_proba(views)
    RECENT.clear()
    for module in (mapped, scaling):
        monkeypatch.setattr(module, "LARGE", 100)
        monkeypatch.setattr(module, "TILE", 1000)
    in_file = fusion(classifier).predict_many(fits_of(views, y), settings)
    np.testing.assert_allclose(rows_of(in_file), rows_of(in_memory), atol=2e-4)
    again = fusion(classifier).fit(views, y).predict_proba(views)
    np.testing.assert_allclose(again, fitted, atol=2e-4)
    RECENT.clear()


def test_no_more_than_a_tile_is_taken_at_once(views, small_memory):
    views, y = views
    values = Watched(views.image.values)
    watched = Views(Block(values, views.image.index, digest="watched"))
    RECENT.clear()
    settings = [{"classifier__C": 1.0}]
    in_other_order = ImageOnly(Logistic()).predict_many(fits_of(watched, y), settings)
    assert 0 < values.most <= 1000 // (4 * D)
    RECENT.clear()
    in_order = ImageOnly(Logistic()).predict_many(fits_of(Views(views.image), y), settings)
    np.testing.assert_allclose(rows_of(in_other_order), rows_of(in_order), atol=2e-4)
    RECENT.clear()


def test_repeated_rows_and_few_axes(views, small_memory, monkeypatch):
    """One picture of several texts, and columns that are only centred."""
    views, y = views
    repeated = Views(Block(views.image.values, np.arange(N) // 4 * 4))
    y = y[np.arange(N) // 4 * 4]
    RECENT.clear()
    in_file = ImageOnly(Logistic()).predict_many(fits_of(repeated, y), [{"classifier__C": 1.0}])
    block = mapped.transform_mapped(views.image.values, np.arange(N), None, axes=0)
    assert not block.rotated
    coef, shares = block.to_original(np.eye(D, dtype=np.float32))
    np.testing.assert_allclose(
        block.rows @ np.eye(D), views.image.values @ coef.T + shares, atol=1e-4
    )
    RECENT.clear()
    for module in (mapped, scaling):
        monkeypatch.setattr(module, "LARGE", 2**28)
    in_memory = ImageOnly(Logistic()).predict_many(fits_of(repeated, y), [{"classifier__C": 1.0}])
    np.testing.assert_allclose(rows_of(in_file), rows_of(in_memory), atol=2e-4)


def test_moments_by_tiles_are_the_moments(views, small_memory):
    block = views[0].image
    mean, power = scaling._moments(block)
    values = block.values.astype(np.float64)
    np.testing.assert_allclose(mean, values.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(
        power, np.square(values - values.mean(axis=0)).sum(axis=1).mean(), rtol=1e-5
    )


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="the system keeps the pages")
def test_pages_that_were_read_or_written_leave_memory_and_the_values_stay():
    process, n, d = psutil.Process(), 4 * mapped.TILE // 256, 64
    rows = mapped.empty_mapped((n, d))
    for tile in mapped.tiles(n, d):
        rows[tile] = np.arange(tile.start, tile.stop, dtype=np.float32)[:, None]
    written = process.memory_info().shared
    mapped.let_go(rows)
    without = process.memory_info().shared
    assert written - without > 3 * mapped.TILE
    for tile, of_tile in mapped.mapped_tiles(rows[10:]):
        assert (of_tile[:, 3] == np.arange(tile.start + 10, tile.stop + 10)).all()
        assert process.memory_info().shared - without < 1.5 * mapped.TILE
    assert process.memory_info().shared - without < mapped.TILE / 2
