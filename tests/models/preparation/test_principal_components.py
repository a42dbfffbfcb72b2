"""Principal components are found once for equal training samples, and for no others."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from features.block import Block
from models.classifiers.logistic import Logistic
from models.early.concat import Concat
from models.fusion import Fit
from models.kept import RECENT
from models.neural.attention import Attention
from models.preparation import principal_components as module
from models.preparation.principal_components import (
    BlockReduction,
    SequenceReduction,
    mean_vectors,
)
from models.shared_space.classification import CCA
from models.views import Views
from pipeline.testing.views import labels, pooled, sequence, without


def block_of(kind, n=60):
    rows = pooled(labels(n), 12)
    if kind == "sequence":
        return Block.of(*sequence(labels(n), 4, 12))
    return Block.of(sparse.csr_matrix(np.maximum(rows, 0)) if kind == "sparse" else rows)


def reduction_of(kind):
    return SequenceReduction(3, vectors=100) if kind == "sequence" else BlockReduction(3)


@pytest.fixture(autouse=True)
def decomposed(monkeypatch):
    """Nothing is kept from other tests; the shapes of all rows that are decomposed."""
    RECENT.clear()
    rows = []
    for cls in (SequenceReduction, BlockReduction):
        monkeypatch.setattr(
            cls,
            "_learned",
            lambda self, given, learned=cls._learned: (
                rows.append(given.shape) or learned(self, given)
            ),
        )
    return rows


every_kind = pytest.mark.parametrize("kind", ["dense", "sparse", "sequence"])


def bits(reduction, block):
    reduced = reduction.transform(block)
    return (reduced[0] if isinstance(reduced, tuple) else reduced).tobytes()


@every_kind
def test_components_of_equal_samples_are_found_once_and_are_the_same_to_the_bit(kind, decomposed):
    block = block_of(kind)
    cold = bits(reduction_of(kind).fit(block), block)
    again = Block(block.values.copy(), block.index, block.mask)
    assert bits(reduction_of(kind).fit(again), block) == cold
    assert len(decomposed) == 1
    RECENT.clear()
    assert bits(reduction_of(kind).fit(block), block) == cold
    assert len(decomposed) == 2


@every_kind
def test_other_samples_or_parameters_have_components_of_their_own(kind, decomposed):
    block = block_of(kind)
    others = [
        block.take(np.arange(59)),
        block.take(np.arange(60)[::-1]),
        without(block, slice(7, 8)),
    ]
    cold = []
    for other in others:
        RECENT.clear()
        cold.append(bits(reduction_of(kind).fit(other), block))
    RECENT.clear()
    decomposed.clear()
    reduction_of(kind).fit(block)
    assert [bits(reduction_of(kind).fit(other), block) for other in others] == cold
    reduction_of(kind).set_params(components=2).fit(block)
    reduction_of(kind).set_params(random_state=1).fit(block)
    assert len(decomposed) == 6


def test_altered_values_are_other_samples(decomposed):
    block = block_of("sequence")
    before = bits(SequenceReduction(3).fit(block), block)
    block.values[0, 0, 0] += 100
    assert bits(SequenceReduction(3).fit(block), block) != before
    assert len(decomposed) == 2


def test_cells_with_the_same_pictures_find_their_components_once(decomposed):
    y = labels()
    image = Block.of(*sequence(y, 4, 12))
    for seed in (1, 2):
        Attention(epochs=1, reduce=3).fit(Views(image, Block.of(*sequence(y, 3, 5, seed))), y)
    assert decomposed == [(240 - 20, 12), (180 - 20, 5), (180 - 20, 5)]


def test_settings_that_components_do_not_depend_on_share_them(decomposed):
    y = labels()
    train = Views(Block.of(pooled(y, 12)), Block.of(pooled(y, 9, 1)))
    fits = [Fit(train.take(rows), y[rows], train) for rows in (np.arange(40), np.arange(20, 60))]
    settings = [{"regularisation": share} for share in (0.1, 0.5, 0.9)]
    CCA(Logistic(), reduce=4).predict_many(fits, settings)
    assert decomposed == [(40, 12), (40, 9)] * 2
    Concat(Logistic(), components=4).fit(fits[0].train, fits[0].y)
    assert decomposed[4:] == []


def reads(block):
    """The block, and how many of its samples were read by then."""
    rows = SimpleNamespace(count=0)

    class Counted(np.ndarray):
        def __getitem__(self, key):
            rows.count += len(key) if isinstance(key, np.ndarray) else 0
            return super().__getitem__(key)

    return replace(block, values=block.values.view(Counted)), rows


def test_sequences_whose_content_is_known_are_read_once_for_all_text_encoders():
    block = replace(block_of("sequence"), digest="regions")
    test = block.take(np.arange(5, 20))
    plain = SequenceReduction(3, vectors=100).fit(replace(block, digest=None))
    expected = plain.transform(replace(test, digest=None))
    watched, rows = reads(block)
    counts = []
    for _ in range(3):
        reduction = SequenceReduction(3, vectors=100).fit(watched)
        reduced = reduction.transform(watched.take(np.arange(5, 20)))
        means = mean_vectors(watched).values
        counts.append(rows.count)
        assert [part.tobytes() for part in reduced] == [part.tobytes() for part in expected]
        assert means.tobytes() == mean_vectors(block_of("sequence")).values.tobytes()
        reduced[0][:] = np.nan  # is the caller's own
    assert counts[0] == counts[1] == counts[2] > 0


@pytest.mark.parametrize(
    "other",
    [
        lambda block: replace(block, digest="others"),
        lambda block: block.take(np.arange(1, 60)),
        lambda block: replace(block, index=np.where(np.arange(60) == 3, -1, block.index)),
    ],
)
def test_other_content_or_other_rows_are_read(other):
    block = replace(block_of("sequence"), digest="regions")
    reduction = SequenceReduction(3, vectors=100).fit(block)
    reduction.transform(block)
    watched, rows = reads(other(block))
    reduction.transform(watched)
    assert rows.count == len(watched)


def test_a_sequence_that_many_samples_have_is_read_and_reduced_once():
    """Such as a picture with many questions, or the test rows under each alteration."""
    block = block_of("sequence")
    reduction = SequenceReduction(3, vectors=100).fit(block)
    index = np.array([7, 3, 3, -1, 7, 59, -1, 3])
    watched, rows = reads(block.at(index))
    reduced, mask = reduction.transform(watched)
    assert rows.count == 4  # three distinct ones, and what stands for a missing one
    plain = [reduction.transform(block.at(index[[at]])) for at in range(len(index))]
    expected, exists = map(np.concatenate, zip(*plain, strict=True))
    np.testing.assert_allclose(reduced, expected, atol=1e-5)
    np.testing.assert_array_equal(mask, exists)
    assert not mask[index < 0].any()
    watched, rows = reads(block.at(index))
    means = mean_vectors(watched)
    assert rows.count == 4
    np.testing.assert_array_equal(means.present, index >= 0)
    expected = mean_vectors(block).array()
    np.testing.assert_allclose(means.array()[index >= 0], expected[index[index >= 0]], atol=1e-6)


def test_large_sequences_are_not_kept(monkeypatch):
    monkeypatch.setattr(module, "MOST_KEPT", 100)
    block = replace(block_of("sequence"), digest="regions")
    reduction = SequenceReduction(3, vectors=100).fit(block)
    before = len(RECENT)
    reduction.transform(block)
    mean_vectors(block)
    assert len(RECENT) == before


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_rows_that_are_all_alike_have_no_components_and_cause_no_warning(form):
    block = Block.of(form(np.ones((3, 4), np.float32)))
    values = BlockReduction(2, random_state=0).fit(block).transform(block)
    np.testing.assert_allclose(values, 0, atol=1e-6)


@pytest.mark.parametrize("components", [30, 50])
def test_from_products_sparse_rows_have_the_components_of_the_decomposition(components):
    rng = np.random.default_rng(0)
    rows = sparse.random(50, 200, 0.2, format="csr", dtype=np.float32, random_state=rng)
    block = Block.of(rows)
    reduction = BlockReduction(components, products=True).fit(block)
    _, sizes, axes = np.linalg.svd(rows.toarray().astype(np.float64), full_matrices=False)
    np.testing.assert_allclose(
        reduction.basis_ @ reduction.basis_.T, axes[:components].T @ axes[:components], atol=1e-4
    )
    spread = np.linalg.norm(rows @ reduction.basis_, axis=0)
    np.testing.assert_allclose(spread, sizes[:components], rtol=1e-4)
    assert reduction.basis_.flags.c_contiguous


def test_many_rows_and_few_components_need_no_products(monkeypatch):
    monkeypatch.delattr(module, "_of_products")
    rows = sparse.random(50, 200, 0.2, format="csr", dtype=np.float32, random_state=0)
    assert BlockReduction(20, products=True).fit(Block.of(rows)).basis_.shape == (200, 20)


def test_from_products_rows_of_zeros_have_no_components():
    empty = sparse.csr_matrix((4, 7), dtype=np.float32)
    reduction = BlockReduction(4, products=True).fit(Block.of(empty))
    np.testing.assert_array_equal(reduction.transform(Block.of(empty)), np.zeros((4, 1)))
