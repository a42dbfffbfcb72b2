"""Learned components: right, from training rows, and on frozen features computed once."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from sklearn.decomposition import PCA

from features.block import Block
from features.encoders.cnn import CNN
from features.principal_components import PrincipalComponents
from pipeline.store.folder import FolderStore
from tests.support.tiny import GRID, run_grid, without_report, write_grid, write_table


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(0)
    return (
        rng.normal(size=(300, 12)) * np.linspace(3, 0.1, 12) @ rng.normal(size=(12, 12))
    ).astype(np.float32)


@pytest.mark.parametrize("whiten", [False, True])
def test_the_components_are_scikit_learns(values, whiten, monkeypatch):
    # several pieces, the last one smaller
    monkeypatch.setattr("features.principal_components.PIECE", 70)
    mine = PrincipalComponents.learned(Block.of(values[:200]), 4, whiten)(Block.of(values)).array()
    theirs = (
        PCA(4, whiten=whiten, svd_solver="full")
        .fit(values[:200].astype(np.float64))
        .transform(values)
    )
    signs = np.sign((mine * theirs).sum(axis=0))
    np.testing.assert_allclose(mine, theirs * signs, rtol=1e-3, atol=1e-3)
    axes = PrincipalComponents.learned(Block.of(values[:200]), 4, whiten).axes
    assert (axes[np.abs(axes).argmax(axis=0), range(4)] > 0).all()


def test_regions_count_one_by_one_and_masked_ones_not_at_all(values):
    regions, mask = values.reshape(60, 5, 12).copy(), np.ones((60, 5), dtype=bool)
    mask[::3, 4] = False
    regions[~mask] = 1e6
    alone = PrincipalComponents.learned(Block.of(regions[mask]), 3, whiten=False)
    together = PrincipalComponents.learned(Block.of(regions, mask), 3, whiten=False)
    np.testing.assert_allclose(together.axes, alone.axes, atol=1e-4)
    block = together(Block.of(regions, mask))
    assert block.values.shape == (60, 5, 3)
    assert not block.values[~mask].any()
    np.testing.assert_array_equal(block.mask, mask)


def test_more_components_than_can_be_learned_are_refused_with_the_most(values):
    with pytest.raises(
        ValueError, match=r"pca: 9 components .* 5 vectors of 12 coordinates; 4 at most"
    ):
        PrincipalComponents.learned(Block.of(values[:5]), 9, whiten=False)
    with pytest.raises(ValueError, match="12 at most"):
        PrincipalComponents.learned(Block.of(values), 13, whiten=False)


def test_constant_features_whiten_to_zeros_not_to_noise():
    block = Block.of(np.full((20, 3), 7.0, dtype=np.float32))
    assert not PrincipalComponents.learned(block, 2, whiten=True)(block).array().any()


def test_whiten_alone_is_an_error():
    with pytest.raises(ValueError, match="whiten needs the key 'pca'"):
        CNN(weights="random", whiten=True).identity()


def test_the_frozen_network_runs_once_and_the_components_in_every_training_set(
    tmp_path, monkeypatch
):
    from features.networks.inference import encoding

    encoded, passes, fits = encoding.encoded, [], []
    fit = CNN.fit_features
    monkeypatch.setattr(encoding, "encoded", lambda net, pictures, outputs, exact: (
        passes.append(len(pictures)) or encoded(net, pictures, outputs, exact)))
    monkeypatch.setattr(CNN, "fit_features", lambda self, block, targets=None: (
        fits.append(len(block)) or fit(self, block, targets)))
    without_report(monkeypatch)
    write_table(tmp_path)
    encoder = "{cnn: {model: squeezenet1_1, weights: random, size: 32, pca: 3}}"
    grid = re.sub(
        "fusion: .*", "fusion: [image_only]", re.sub("image: .mean.*", f"image: [{encoder}]", GRID)
    )
    write_grid(tmp_path, grid)
    assert run_grid(tmp_path) == 0
    assert passes == [36]
    assert Counter(fits) == {24: 3, 12: 6}, (
        "three outer training sets of 24 rows, two inner ones of 12 in each"
    )
    widths = Counter(
        entry.arrays["values"].shape[1] for entry in entries(tmp_path) if "values" in entry.arrays
    )
    # the network's features and the pictures' sizes are a shard each
    assert widths == {512: 1, 2: 1, 3: 9}
    write_grid(tmp_path, grid.replace("pca: 3", "pca: 2"))
    assert run_grid(tmp_path) == 0
    assert passes == [36], "other components use the same frozen features"


def entries(folder):
    store = FolderStore(folder / "store")
    return [store.read(path.name) for path in store.entries()]
