"""Zero-shot classification: the formula, what it recognises, and what it never looks at."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from features.block import Block
from models.early.baselines import Majority
from models.fusion import ClassTexts, Fit
from models.kept import RECENT
from models.preparation.principal_components import BlockReduction
from models.shared_space.projections import TextSpace
from models.shared_space.zero_shot import ZeroShot
from models.views import Views
from pipeline.testing.views import without

SEEN, UNSEEN, LATENT = 12, 4, 4
CLASSES = np.array([f"class {number:02d}" for number in range(SEEN + UNSEEN)])
SPACES = ("text", "cca", "contrastive")


def latent_classes(per_class: int = 12, noise: float = 0.3, seed: int = 0, related: bool = True):
    """Views of classes that are points in a latent space.

    Pictures and texts show them in ways of their own. The last UNSEEN classes are the test set.
    Where they are not `related`, features say nothing of the class.

    Returns
    -------
    train, y, test, labels, described
    """
    rng = np.random.default_rng(seed)
    centres, of_picture, of_text = (rng.normal(size=shape) for shape in (
        (SEEN + UNSEEN, LATENT), (LATENT, 9), (LATENT, 7)))
    centres[SEEN:] = 2 * np.eye(UNSEEN, LATENT)  # none of them near another
    codes = np.repeat(np.arange(SEEN + UNSEEN), per_class)
    points = centres[codes] if related else rng.normal(size=(len(codes), LATENT))

    def shown(at, mixing):
        return Block.of(
            (at @ mixing + noise * rng.normal(size=(len(at), mixing.shape[1]))).astype(np.float32)
        )

    views = Views(shown(points, of_picture), shown(points, of_text))
    seen = codes < SEEN
    return (views.take(seen), CLASSES[codes[seen]], views.take(~seen), CLASSES[codes[~seen]],
            ClassTexts(CLASSES, shown(centres, of_text)))


def learned(model: ZeroShot, train, y, described) -> ZeroShot:
    return model.learn(Fit(train, y, train, class_texts=described))


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(
    ("recognised_by", "least"), [("image", 0.75), ("text", 0.75), ("both", 0.8)]
)
def test_classes_never_seen_are_recognised_by_their_texts(space, recognised_by, least):
    train, y, test, labels, described = latent_classes()
    fitted = learned(ZeroShot(space=space, recognised_by=recognised_by), train, y, described)
    assert list(fitted.classes_) == list(CLASSES[SEEN:])
    assert np.mean(fitted.predict(test) == labels) > least
    np.testing.assert_allclose(fitted.predict_proba(test).sum(axis=1), 1)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("recognised_by", ["image", "both"])
def test_features_that_say_nothing_of_the_class_give_chance(space, recognised_by):
    train, y, test, labels, described = latent_classes(per_class=60, related=False)
    right = (
        learned(
            ZeroShot(space=space, recognised_by=recognised_by, epochs=5), train, y, described
        ).predict(test)
        == labels
    )
    assert abs(right.mean() - 1 / UNSEEN) < 0.09  # 240 rows: three standard errors


def test_classes_in_pairs_are_recognised_without_any_row_having_a_text():
    train, y, test, labels, described = latent_classes()
    train, test = (Views(views.image, without(views.text, slice(None))) for views in (train, test))
    fitted = learned(ZeroShot(recognised_by="image", pairs="classes"), train, y, described)
    assert np.mean(fitted.predict(test) == labels) > 0.75
    rows = learned(ZeroShot(recognised_by="image"), train, y, described)
    np.testing.assert_allclose(rows.predict_proba(test), 1 / UNSEEN)  # no pair to learn from


def test_probabilities_are_those_of_the_formula():
    train, y, test, _, described = latent_classes()
    r, w, tau = 0.3, 0.7, 0.05
    probabilities = learned(
        ZeroShot(regularisation=r, weight=w, temperature=tau), train, y, described
    ).predict_proba(test)
    x, t = (np.asarray(block.array(), np.float64) for block in train.blocks().values())
    cx, ct = x - x.mean(axis=0), t - t.mean(axis=0)
    covariance = cx.T @ cx / len(cx)
    shrunk = (1 - r) * covariance + r * np.trace(covariance) / len(covariance) * np.eye(
        len(covariance)
    )
    mapping = np.linalg.inv(shrunk) @ (cx.T @ ct / len(cx))
    picture, text = (np.asarray(block.array(), np.float64) for block in test.blocks().values())
    names = unit(np.asarray(described.texts.array(), np.float64)[SEEN:] - t.mean(axis=0))
    for row, (seen, read) in enumerate(
        zip(unit((picture - x.mean(axis=0)) @ mapping), unit(text - t.mean(axis=0)), strict=True)
    ):
        scores = [(1 - w) * seen @ name + w * read @ name for name in names]
        odds = [np.exp(score / tau) for score in scores]
        expected = [share / sum(odds) for share in odds]
        np.testing.assert_allclose(probabilities[row], expected, atol=1e-4)


def test_ridge_regression_onto_texts_is_the_least_squares_solution_where_nothing_shrinks():
    train = latent_classes()[0]
    fitted = TextSpace(regularisation=1e-9).fit(train)
    x, t = (fitted.reductions_[modality].transform(block).astype(np.float64)
            for modality, block in train.blocks().items())
    np.testing.assert_allclose(
        fitted.maps_["image"], np.linalg.lstsq(x, t, rcond=None)[0], atol=1e-4
    )


def test_several_texts_of_a_class_count_as_the_mean_of_their_directions():
    train, y, test, _, described = latent_classes()
    more = np.random.default_rng(1).normal(size=described.texts.values.shape).astype(np.float32)
    twice = ClassTexts(np.tile(CLASSES, 2), Block.of(np.vstack([described.texts.values, more])))
    fitted = learned(ZeroShot(), train, y, twice)
    points = fitted.projection_.project("text", twice.texts)
    np.testing.assert_allclose(
        fitted.prototypes_, unit(points[SEEN : SEEN + UNSEEN] + points[-UNSEEN:]), atol=1e-6
    )
    same = ClassTexts(np.tile(CLASSES, 2), Block.of(np.tile(described.texts.values, (2, 1))))
    np.testing.assert_allclose(
        learned(ZeroShot(), train, y, same).predict_proba(test),
        learned(ZeroShot(), train, y, described).predict_proba(test),
        atol=1e-6,
    )


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("pairs", ["rows", "classes"])
def test_the_space_is_the_same_whatever_the_candidates_are(space, pairs):
    train, y, _, _, described = latent_classes()
    other = np.random.default_rng(5).normal(size=(3, 7)).astype(np.float32)
    changed = ClassTexts(np.concatenate([CLASSES[:SEEN], ["x", "y", "z"]]),
                         Block.of(np.vstack([described.texts.values[:SEEN], other])))
    model = ZeroShot(space=space, pairs=pairs, epochs=5)
    plain, renamed = (learned(model, train, y, texts) for texts in (described, changed))
    assert list(renamed.classes_) == ["x", "y", "z"]
    for modality, mapping in plain.projection_.maps_.items():
        np.testing.assert_array_equal(mapping, renamed.projection_.maps_[modality])


def test_what_it_is_not_recognised_by_makes_no_difference():
    train, y, test, _, described = latent_classes()
    shuffled = np.random.default_rng(0).permutation(len(test))
    blocks = test.blocks()
    for by, hidden in (("image", "text"), ("text", "image")):
        fitted = learned(ZeroShot(recognised_by=by), train, y, described)
        np.testing.assert_array_equal(
            fitted.predict_proba(Views(**{**blocks, hidden: blocks[hidden].take(shuffled)})),
            fitted.predict_proba(test))
        assert fitted.asked == (by,)


def test_a_sample_that_lacks_a_modality_is_recognised_by_the_other_or_not_at_all():
    train, y, test, _, described = latent_classes()
    both, image, text = (
        learned(ZeroShot(recognised_by=by), train, y, described) for by in ("both", "image", "text")
    )
    no_picture, no_text = Views(without(test.image, slice(None)), test.text), Views(
        test.image, without(test.text, slice(None)))
    np.testing.assert_allclose(both.predict_proba(no_picture), text.predict_proba(test))
    np.testing.assert_allclose(both.predict_proba(no_text), image.predict_proba(test))
    for fitted, views in ((image, no_picture), (text, no_text),
                          (both, Views(no_picture.image, no_text.text))):
        np.testing.assert_allclose(fitted.predict_proba(views), 1 / UNSEEN)


def test_training_samples_that_lack_a_modality_teach_nothing():
    train, y, test, _, described = latent_classes()
    holes = Views(without(train.image, slice(0, None, 3)), without(train.text, slice(1, None, 3)))
    complete = np.arange(2, len(y), 3)
    np.testing.assert_allclose(
        learned(ZeroShot(), holes, y, described).predict_proba(test),
        learned(ZeroShot(), train.take(complete), y[complete], described).predict_proba(test),
        atol=1e-5,
    )


def test_many_settings_share_a_space_and_give_what_one_by_one_gives(monkeypatch):
    train, y, test, _, described = latent_classes()
    fits = [Fit(train, y, test, class_texts=described)]
    settings = [
        {"regularisation": r, "weight": w, "temperature": tau}
        for r, w, tau in itertools.product((0.5, 0.1), (0.5, 0.75), (0.1, 0.3))
    ]
    settings[1:1] = [{"reduce": 3}]
    RECENT.clear()
    spaces, reductions, fit, reduce = [], [], TextSpace.fit, BlockReduction._learned
    monkeypatch.setattr(
        TextSpace, "fit", lambda self, views: spaces.append(self) or fit(self, views)
    )
    monkeypatch.setattr(
        BlockReduction, "_learned", lambda self, rows: reductions.append(self) or reduce(self, rows)
    )
    together = ZeroShot().predict_many(fits, settings)[0]
    assert (len(spaces), len(reductions)) == (3, 4)
    for setting, jointly in zip(settings, together, strict=True):
        np.testing.assert_allclose(
            jointly, learned(ZeroShot(**setting), train, y, described).predict_proba(test)
        )


def test_the_baseline_knows_only_how_many_candidates_there_are():
    train, y, test, _, described = latent_classes()
    fit = Fit(train, y, test, class_texts=described._replace(texts=None))
    chance = Majority().learn(fit)
    np.testing.assert_allclose(chance.predict_proba(test), 1 / UNSEEN)
    assert list(chance.classes_) == list(Majority().classes_of(fit)) == list(CLASSES[SEEN:])
    assert list(Majority().classes_of(fit._replace(class_texts=None))) == list(CLASSES[:SEEN])


def test_names_without_texts_are_an_error():
    train, y, _, _, described = latent_classes()
    with pytest.raises(ValueError, match="needs the classes' texts"):
        learned(ZeroShot(), train, y, described._replace(texts=None))


def test_a_candidate_without_a_usable_text_never_wins_a_sample_that_resembles_another():
    train, y, test, labels, described = latent_classes()
    gone = described._replace(texts=replace(described.texts, index=np.where(
        np.isin(CLASSES, CLASSES[-1:]), -1, described.texts.index)))
    fitted = learned(ZeroShot(), train, y, gone)
    assert not fitted.prototypes_[-1].any()
    rest = labels != CLASSES[-1]
    assert np.mean(fitted.predict(test)[rest] == labels[rest]) > 0.8
