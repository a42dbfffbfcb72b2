"""Canonical correlations against the generalised eigenproblem, and one modality for the other."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg, sparse

from features.block import Block
from models.classifiers.logistic import Logistic
from models.early.concat import Concat
from models.fusion import Fit
from models.preparation.principal_components import BlockReduction
from models.shared_space.classification import CCA
from models.shared_space.projections import CanonicalCorrelation
from models.unlabelled import LearnsFromUnlabelled
from models.views import Views, stacked
from pipeline.testing.views import labels, pooled, views, without


def paired(n: int = 200, seed: int = 0) -> Views:
    """Two modalities that share two of their five and four directions."""
    rng = np.random.default_rng(seed)
    common, mixing = rng.normal(size=(n, 2)), np.random.default_rng(9)
    image = common @ mixing.normal(size=(2, 5)) + rng.normal(size=(n, 5))
    text = common @ mixing.normal(size=(2, 4)) + rng.normal(size=(n, 4))
    return Views(*(Block.of(part.astype(np.float32)) for part in (image, text)))


@pytest.mark.parametrize("shrinkage", [1e-9, 0.2, 0.7])
def test_correlations_are_those_of_the_generalised_eigenproblem(shrinkage):
    train = paired()
    a, b = (np.asarray(block.array(), dtype=np.float64) for block in train.blocks().values())
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)

    def shrunk(part):
        covariance = part.T @ part / len(part)
        ridge = np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        return (1 - shrinkage) * covariance + shrinkage * ridge

    cross = a.T @ b / len(a)
    left = np.block([[np.zeros((5, 5)), cross], [cross.T, np.zeros((4, 4))]])
    expected = np.sort(
        linalg.eigh(left, linalg.block_diag(shrunk(a), shrunk(b)), eigvals_only=True)
    )[::-1][:4]
    np.testing.assert_allclose(
        CanonicalCorrelation(regularisation=shrinkage).fit(train).correlations_, expected, atol=1e-5
    )


def test_projected_pairs_correlate_as_strongly_as_the_fit_says():
    train = paired()
    fitted = CanonicalCorrelation(regularisation=1e-9).fit(train)
    parts = [
        fitted.reductions_[modality].transform(block)
        @ fitted.maps_[modality]
        / fitted.correlations_
        for modality, block in train.blocks().items()
    ]
    both = np.corrcoef(*(part.T for part in parts))
    np.testing.assert_allclose(np.diag(both[:4, 4:]), fitted.correlations_, atol=1e-4)
    np.testing.assert_allclose(both[:4, :4], np.eye(4), atol=1e-4)
    assert fitted.correlations_[1] > 0.5 > fitted.correlations_[2]


def test_the_two_of_a_pair_lie_nearest_to_each_other():
    y = labels(300)
    fitted = CanonicalCorrelation().fit(Views(Block.of(pooled(y, 6, 1)), Block.of(pooled(y, 5, 2))))
    new = Views(Block.of(pooled(y, 6, 3)), Block.of(pooled(y, 5, 4)))
    image, text = (fitted.project(modality, block) for modality, block in new.blocks().items())
    np.testing.assert_allclose(np.linalg.norm(image, axis=1), 1, atol=1e-5)
    nearest = (image @ text.T).argmax(axis=1)
    assert np.mean(y[nearest] == y) > 0.9


def test_without_a_pair_everything_lies_at_the_origin():
    train = paired()
    fitted = CanonicalCorrelation().fit(Views(train.image, without(train.text, slice(None))))
    assert not fitted.project("image", train.image).any()


@pytest.mark.parametrize("join", ["concat", "mean"])
@pytest.mark.parametrize("direction", ["image_to_text", "text_to_image", "image_to_image"])
def test_what_is_learned_from_one_modality_holds_for_the_other(join, direction):
    train, y = views(n=150)
    new, other = views(n=90, seed=7)
    fitted = CCA(Logistic(), join=join, direction=direction).fit(train, y)
    assert np.mean(fitted.predict(new) == other) > 0.85
    hidden = "text" if direction.endswith("image") else "image"
    blocks = new.blocks()
    shuffled = Views(
        **{**blocks, hidden: blocks[hidden].take(np.random.default_rng(0).permutation(90))}
    )
    np.testing.assert_array_equal(fitted.predict_proba(shuffled), fitted.predict_proba(new))


def test_the_classifier_learns_from_the_modality_it_is_told_alone():
    train, y = views()
    gone = Views(without(train.image, slice(0, 30)), train.text)
    fitted = CCA(Logistic(), direction="image_to_image")
    # Labels of samples without a picture make no difference where the classifier learns from
    # pictures.
    flipped = y.copy()
    flipped[:30] = np.roll(y, 1)[:30]
    np.testing.assert_allclose(
        fitted.fit(gone, y).predict_proba(train), fitted.fit(gone, flipped).predict_proba(train)
    )


def test_one_projection_suffices_where_the_other_modality_is_missing():
    train, y = views(n=150)
    new, other = views(n=90, seed=7)
    fitted = CCA(Logistic()).fit(train, y)
    for holes in (
        Views(without(new.image, slice(None)), new.text),
        Views(new.image, without(new.text, slice(None))),
    ):
        assert np.mean(fitted.predict(holes) == other) > 0.85
    nothing = Views(without(new.image, slice(None)), without(new.text, slice(None)))
    np.testing.assert_allclose(fitted.predict_proba(nothing), 1 / 3)


def test_pairs_without_a_label_make_the_space_better():
    def noisy(n, seed):
        y = labels(n)
        return Views(*(Block.of(pooled(y, 20, seed + side, noise=1.5)) for side in (0, 50))), y

    (train, y), (new, other), (pairs, _) = noisy(9, 0), noisy(300, 1), noisy(600, 2)
    few = CCA(Logistic()).fit(train, y)
    more = CCA(Logistic()).learn(Fit(train, y, new, pairs))
    correct = [np.mean(fitted.predict(new) == other) for fitted in (few, more)]
    assert correct[1] > correct[0] + 0.05
    assert not issubclass(Concat, LearnsFromUnlabelled)


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_reduction_keeps_the_directions_of_most_variance(kind):
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(80, 3)) @ rng.normal(size=(3, 40))).astype(np.float32)
    block = Block.of(sparse.csr_matrix(rows) if kind == "sparse" else rows)
    reduced = (
        BlockReduction(8).fit(without(block, slice(0, 5))).transform(without(block, slice(0, 5)))
    )
    assert reduced.shape == (80, 3)
    assert not reduced[:5].any()
    centred = rows[5:] - rows[5:].mean(axis=0)
    np.testing.assert_allclose(reduced[5:] @ reduced[5:].T, centred @ centred.T, atol=1e-2)


@pytest.mark.parametrize("same", [True, False])
def test_stacked_views_are_the_one_and_then_the_other(same):
    first, second = paired(10), paired(6, seed=1)
    if same:
        second = first.take(np.array([3, 1]))
    holes = Views(without(first.image, slice(0, 2)), first.text)
    both = stacked(holes, second)
    for modality, block in both.blocks().items():
        expected = np.vstack([part.blocks()[modality].array() for part in (holes, second)])
        np.testing.assert_array_equal(block.array(), expected)
        assert (block.values is first.blocks()[modality].values) == same
