"""Softmax regressions over scaled blocks: the same as over arrays, prepared once."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from features.block import Block
from models.classifiers.logistic import Logistic
from models.early.baselines import ImageOnly, TextOnly
from models.early.concat import Concat
from models.early.pooled import PooledFusion
from models.fusion import Fit
from models.kept import RECENT
from models.softmax import blocks
from models.views import Views

SETTINGS = [
    {"weight": weight, "classifier__C": C}
    for weight, C in itertools.product((0.25, 0.75), (1.0, 30.0))
]


@pytest.fixture(autouse=True)
def transformed(monkeypatch):
    """Nothing is kept from other tests; the shapes of the blocks that are transformed, in order."""
    RECENT.clear()
    shapes, transform = [], blocks.transform
    monkeypatch.setattr(
        blocks,
        "transform",
        lambda rows, **more: shapes.append(rows.shape) or transform(rows, **more),
    )
    return shapes


def views(kind="dense", n=90, seed=0):
    """Pictures of 20 columns, and texts of 12 or 30 columns of which many are equal."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    image = (rng.normal(size=(n, 20)) + 0.5 * rng.normal(size=(3, 20))[y] + 2).astype(np.float32)
    text = rng.poisson(0.5 + rng.gamma(0.5, size=(3, 30))[y]).astype(np.float32)
    index = np.arange(n)
    if kind == "repeated":
        index = np.arange(n) % 15
    values = sparse.csr_matrix(text) if kind == "sparse" else text[:, :12]
    return Views(Block.of(image), Block(values, index)), np.array(["a", "b", "c"])[y]


def inner(all_views, y, parts=3):
    fold = np.arange(len(y)) // 3 % parts
    return [Fit(all_views.take(np.flatnonzero(fold != number)), y[fold != number],
                all_views.take(np.flatnonzero(fold == number))) for number in range(parts)]


@pytest.mark.parametrize("kind", ["dense", "repeated", "sparse"])
def test_blocks_give_what_arrays_give(kind, monkeypatch):
    fits = inner(*views(kind))
    jointly = Concat(Logistic()).predict_many(fits, SETTINGS)
    monkeypatch.setattr(PooledFusion, "_blocks", lambda *_: None)
    apart = Concat(Logistic()).predict_many(fits, SETTINGS)
    for predictions, others in zip(jointly, apart, strict=True):
        for predicted, other in zip(predictions, others, strict=True):
            np.testing.assert_allclose(predicted, other, atol=2e-3)


@pytest.mark.parametrize("kind", ["dense", "repeated", "sparse"])
def test_a_fitted_model_predicts_what_many_at_once_predict(kind):
    fits = inner(*views(kind))
    for fit, predictions in zip(fits, Concat(Logistic()).predict_many(fits, SETTINGS), strict=True):
        for setting, predicted in zip(SETTINGS, predictions, strict=True):
            alone = (
                Concat(Logistic())
                .with_setting(setting)
                .fit(fit.train, fit.y)
                .predict_proba(fit.test)
            )
            np.testing.assert_allclose(predicted, alone, atol=2e-3)


def test_a_block_is_transformed_once_for_inner_folds_weights_strengths_and_the_outer_fit(
    transformed,
):
    all_views, y = views("repeated")
    Concat(Logistic()).predict_many(inner(all_views, y), SETTINGS)
    assert transformed == [(90, 20), (15, 12)]
    Concat(Logistic()).fit(all_views, y)
    ImageOnly(Logistic()).predict_many(
        inner(all_views, y), [{"classifier__C": 1.0}, {"classifier__C": 3.0}]
    )
    assert transformed == [(90, 20), (15, 12)]
    # other rows have axes of their own
    Concat(Logistic()).fit(all_views.take(np.arange(80)), y[:80])
    assert transformed[2:] == [(80, 20), (15, 12)]


def test_blocks_learned_per_fold_share_the_others(transformed):
    """As with TF-IDF: each inner fold has texts of its own, while the pictures are the same."""
    all_views, y = views()
    fits = []
    for number, fit in enumerate(inner(all_views, y)):
        text = Block.of(all_views.text.values[:, number:number + 9].copy())
        learned = Views(all_views.image, text)
        fold = np.arange(len(y)) // 3 % 3
        fits.append(Fit(learned.take(np.flatnonzero(fold != number)), fit.y,
                        learned.take(np.flatnonzero(fold == number))))
    jointly = Concat(Logistic()).predict_many(fits, SETTINGS)
    assert sorted(transformed) == [(60, 9)] * 3 + [(90, 20)]
    for fit, predictions in zip(fits, jointly, strict=True):
        alone = (
            Concat(Logistic())
            .with_setting(SETTINGS[0])
            .fit(fit.train, fit.y)
            .predict_proba(fit.test)
        )
        np.testing.assert_allclose(predictions[0], alone, atol=2e-3)


def test_rows_to_predict_have_no_part_in_the_solution():
    all_views, y = views()
    train, test = np.arange(60), np.arange(60, 90)
    altered = all_views.image.values.copy()
    altered[60:] = 3e38
    predictions = []
    for image in (all_views.image, Block.of(altered)):
        some = Views(image, all_views.text)
        fitted = Concat(Logistic()).fit(some.take(train), y[train])
        predictions.append(fitted.predict_proba(all_views.take(test)))
    assert predictions[0].tobytes() == predictions[1].tobytes()


def test_classes_an_inner_fold_lacks_are_left_out():
    all_views, y = views()
    rows = np.flatnonzero(y != "b")
    predictions = Concat(Logistic()).predict_many(
        [Fit(all_views.take(rows), y[rows], all_views), *inner(all_views, y)], SETTINGS
    )
    assert [predicted.shape for predicted in predictions[0]] == [(90, 2)] * 4
    assert predictions[1][0].shape == (30, 3)


def test_only_so_much_is_kept(monkeypatch, transformed):
    monkeypatch.setattr(RECENT, "most", 1)
    all_views, y = views()
    for _ in range(2):
        ImageOnly(Logistic()).fit(all_views, y)
        Concat(Logistic()).fit(all_views, y)
    assert len(RECENT) == 1
    assert transformed.count((90, 20)) == 2


def test_samples_that_lack_a_block_are_fitted_as_arrays(monkeypatch):
    all_views, y = views()
    index = np.where(np.arange(90) < 4, -1, np.arange(90))
    holes = Views(Block(all_views.image.values, index), all_views.text)
    monkeypatch.setattr(Logistic, "fit_jointly", None)
    assert PooledFusion.fit(Concat(Logistic()), holes, y).predict_proba(holes).shape == (90, 3)


def known(all_views):
    """The views with digests, by which blocks are told."""
    blocks = all_views.blocks().items()
    return Views.of({name: replace(block, digest=f"the {name}s") for name, block in blocks})


@pytest.fixture
def solved(monkeypatch):
    """Number of problems of each call of the solver, in order."""
    calls, solve = [], blocks.solve

    def counting(features, y, problems, **more):
        calls.append(len(problems))
        return solve(features, y, problems, **more)

    monkeypatch.setattr(blocks, "solve", counting)
    return calls


@pytest.mark.parametrize("kind", ["dense", "repeated", "sparse"])
def test_a_modality_alone_is_solved_once_for_all_that_ask_for_it(kind, solved):
    all_views, y = views(kind)
    fits = inner(known(all_views), y)
    strengths = [{"classifier__C": C} for C in (1.0, 30.0)]
    alone = [
        only(Logistic()).predict_many(fits, strengths) for only in (ImageOnly, TextOnly)
    ]
    assert solved == [6, 6]
    settings = itertools.product((0.0, 1.0), strengths)
    ends = [{"weight": weight, **setting} for weight, setting in settings]
    both = Concat(Logistic()).predict_many(fits, [*ends, *SETTINGS])
    assert solved == [6, 6, 12]
    for number, predictions in enumerate(both):
        of_ends = [*alone[0][number], *alone[1][number]]
        for predicted, other in zip(predictions[:4], of_ends, strict=True):
            np.testing.assert_array_equal(predicted, other)


def test_what_was_solved_before_changes_no_bit(solved):
    all_views, y = views()
    fits = inner(known(all_views), y)
    settings = [{"weight": 0.0, "classifier__C": 3.0}, *SETTINGS]
    first = Concat(Logistic()).predict_many(fits, settings)
    again = Concat(Logistic()).predict_many(fits, settings)
    assert solved == [3, 12, 12]
    np.testing.assert_array_equal(first, again)


def test_other_labels_rows_or_strengths_are_solved_anew(solved):
    all_views, y = views()
    fit, other, _ = inner(known(all_views), y)
    for asked in (fit, fit._replace(y=np.roll(fit.y, 1)), other):
        ImageOnly(Logistic()).predict_many([asked], [{"classifier__C": 3.0}])
    ImageOnly(Logistic()).predict_many([fit], [{"classifier__C": 30.0}])
    ImageOnly(Logistic(class_weight="balanced")).predict_many([fit], [{"classifier__C": 3.0}])
    assert solved == [1] * 5
    ImageOnly(Logistic()).predict_many([fit], [{"classifier__C": 3.0}])
    assert solved == [1] * 5


def test_a_fit_of_no_part_is_solved():
    """A block that never varies is scaled by 0."""
    all_views, y = views()
    constant = Views(Block.of(np.ones((len(y), 3), np.float32)), all_views.text)
    predicted = ImageOnly(Logistic()).fit(constant, y).predict_proba(constant)
    np.testing.assert_allclose(predicted, 1 / 3, atol=1e-3)
