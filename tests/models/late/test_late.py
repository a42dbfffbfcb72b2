"""Late fusion: rules against plain arithmetic and the Bayes rule, and what inner folds teach."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from features.block import Block
from models.classifiers.logistic import Logistic
from models.combining import InnerPredictions, MemberPredictions
from models.early.baselines import ImageOnly, TextOnly
from models.late.late import Late
from models.late.rules import FIXED, LEARNED, likeliest_weights, selected_weights
from models.late.stacking import STRENGTHS, Stacker
from models.views import Views
from pipeline.testing.views import CLASSES, labels, views, without

IMAGE = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [1.0, 0.0, 0.0], [0.3, 0.3, 0.4]])
TEXT = np.array([[0.1, 0.8, 0.1], [0.6, 0.2, 0.2], [0.0, 0.5, 0.5], [0.3, 0.3, 0.4]])
ALL = np.ones(4, dtype=bool)
EVEN = np.full(3, 1 / 3)
RULES = [*FIXED, *LEARNED, "stacking"]


def combined(rule: str, image_there=ALL, text_there=ALL, frequencies=EVEN) -> np.ndarray:
    members = MemberPredictions(
        np.stack([IMAGE, TEXT]), np.stack([np.asarray(image_there), np.asarray(text_there)])
    )
    return Late(Logistic(), rule=rule).fit_combination(frequencies, None).combine(members)


def normalised(rows: np.ndarray) -> np.ndarray:
    return rows / rows.sum(axis=1, keepdims=True)


def random_members(
    seed: int, members: int = 2, n: int = 200, classes: int = 4, holes: float = 0.0
) -> InnerPredictions:
    """Members of which the first are the better ones, with their samples' true classes."""
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=n)
    strengths = 2.0 / np.arange(1, members + 1)
    logits = [
        strength * np.eye(classes)[y] + rng.normal(size=(n, classes)) for strength in strengths
    ]
    probabilities = np.stack([normalised(np.exp(of_member)) for of_member in logits])
    present = rng.random((members, n)) >= holes
    return InnerPredictions(MemberPredictions(probabilities, present), y, np.arange(n) % 3)


# --- fixed rules


@pytest.mark.parametrize("rule", ["mean", "weighted", "log_pool", "stacking", "selection"])
def test_mean_rule_and_what_has_nothing_to_learn_from(rule):
    np.testing.assert_allclose(combined(rule), (IMAGE + TEXT) / 2)


def test_product_rule_is_renormalised():
    np.testing.assert_allclose(combined("product")[:2], normalised((IMAGE * TEXT)[:2]), atol=1e-9)


def test_product_rule_counts_the_class_frequencies_once():
    frequencies = np.array([0.6, 0.3, 0.1])
    expected = normalised((IMAGE * TEXT / frequencies)[:2])
    probabilities = combined("product", frequencies=frequencies)[:2]
    np.testing.assert_allclose(probabilities, expected, atol=1e-9)


def test_product_rule_bears_probabilities_of_zero():
    probabilities = combined("product")[2]
    assert np.all(np.isfinite(probabilities))
    assert probabilities.sum() == pytest.approx(1)


def test_max_rule():
    np.testing.assert_allclose(combined("max"), normalised(np.maximum(IMAGE, TEXT)))


def test_majority_counts_votes_and_the_mean_decides_between_equals():
    third = np.array([[0.4, 0.35, 0.25], [0.1, 0.1, 0.8], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    members = MemberPredictions(np.stack([IMAGE, TEXT, third]), np.ones((3, 4), dtype=bool))
    probabilities = Late(Logistic(), rule="majority").fit_combination(EVEN, None).combine(members)
    # two votes of three; one each: the largest mean
    assert list(probabilities.argmax(axis=1)) == [0, 2, 0, 2]
    votes = np.array([[2, 1, 0], [1, 1, 1], [2, 1, 0], [1, 0, 2]])
    np.testing.assert_allclose(probabilities, (votes + np.mean([IMAGE, TEXT, third], axis=0)) / 4)


@pytest.mark.parametrize("rule", FIXED)
def test_only_modalities_that_are_there_count(rule):
    frequencies = IMAGE[3]  # as members give them where they lack their modality
    has_image, has_text = [True, False, True, False], [False, True, True, False]
    probabilities = combined(rule, has_image, has_text, frequencies)
    np.testing.assert_allclose(probabilities[0], IMAGE[0], atol=1e-9)
    np.testing.assert_allclose(probabilities[1], TEXT[1], atol=1e-9)
    np.testing.assert_allclose(probabilities[3], frequencies, atol=1e-9)


@given(st.integers(0, 2**32 - 1), st.sampled_from(RULES))
@settings(max_examples=40)
def test_combination_is_a_distribution_and_symmetric(seed, rule):
    inner = random_members(seed, n=40, holes=0.3)
    turned = MemberPredictions(inner.members.probabilities[::-1], inner.members.present[::-1])
    straight, reversed_ = (
        Late(Logistic(), rule=rule)
        .fit_combination(np.full(4, 0.25), inner._replace(members=members))
        .combine(members)
        for members in (inner.members, turned)
    )
    np.testing.assert_allclose(straight.sum(axis=1), 1)
    np.testing.assert_allclose(straight, reversed_, atol=1e-3)


# --- rules that learn


def log_loss(probabilities: np.ndarray, y: np.ndarray) -> float:
    return float(-np.log(probabilities[np.arange(len(y)), y]).mean())


@pytest.mark.parametrize("members", [2, 4])
def test_weights_have_the_least_log_loss_on_the_simplex(members):
    inner = random_members(1, members)
    given = inner.members.probabilities

    def loss(weights: np.ndarray) -> float:
        return log_loss(np.tensordot(weights, given, 1), inner.y)

    best = minimize(loss, np.full(members, 1 / members), bounds=[(0, 1)] * members, method="SLSQP",
                    constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1})
    weights = likeliest_weights(inner)
    assert weights.sum() == pytest.approx(1)
    assert weights.min() >= 0
    assert loss(weights) == pytest.approx(best.fun, abs=1e-5)


def test_selection_takes_with_replacement_what_lowers_the_loss_most():
    inner = random_members(2, 4, n=60)
    given = inner.members.probabilities
    taken, losses = [], []
    for _ in range(100):  # the plain form of the algorithm
        tried = [log_loss(given[[*taken, member]].mean(axis=0), inner.y) for member in range(4)]
        taken.append(int(np.argmin(tried)))
        losses.append(min(tried))
    size = int(np.argmin(losses)) + 1
    np.testing.assert_allclose(
        selected_weights(inner), np.bincount(taken[:size], minlength=4) / size
    )
    assert losses[size - 1] < min(log_loss(alone, inner.y) for alone in given)


def test_selection_leaves_out_what_does_not_help():
    inner = random_members(3, 2)
    noise = normalised(np.random.default_rng(0).random((3, 200, 4)) ** 6)
    library = MemberPredictions(
        np.concatenate([inner.members.probabilities, noise]), np.ones((5, 200), bool)
    )
    weights = selected_weights(inner._replace(members=library))
    assert weights[:2].sum() > 0.9


def test_stacking_is_the_regularised_regression_on_log_probabilities():
    inner = random_members(4)
    stacker = Stacker.fit(inner)
    assert stacker is not None
    inputs = np.concatenate(list(np.log(inner.members.probabilities)), axis=1)
    probabilities = stacker.probabilities(inner.members)
    expected = {
        C: LogisticRegression(C=C, max_iter=5000, tol=1e-8)
        .fit(inputs, inner.y)
        .predict_proba(inputs)
        for C in STRENGTHS
    }
    assert min(np.abs(probabilities - of_C).max() for of_C in expected.values()) < 2e-3


def test_stacking_learns_that_a_part_confuses_two_classes():
    """The image's classes 0 and 1 are swapped: no weight of it can help, a regression can."""
    inner = random_members(5, n=600)
    swapped = inner.members.probabilities.copy()
    swapped[0] = swapped[0][:, [1, 0, 2, 3]]
    inner = inner._replace(members=inner.members._replace(probabilities=swapped))
    accuracy = {
        rule: np.mean(
            Late(Logistic(), rule=rule)
            .fit_combination(np.full(4, 0.25), inner)
            .combine(inner.members)
            .argmax(axis=1)
            == inner.y
        )
        for rule in ("weighted", "stacking")
    }
    assert accuracy["stacking"] > accuracy["weighted"] + 0.1


@pytest.mark.parametrize("rule", ["weighted", "log_pool", "selection", "stacking"])
def test_samples_with_one_modality_get_its_own_models_probabilities_and_teach_nothing(rule):
    inner = random_members(6, holes=0.3)
    late = Late(Logistic(), rule=rule).fit_combination(np.full(4, 0.25), inner)
    given = late.combine(inner.members)
    for member, other in ((0, 1), (1, 0)):
        alone = inner.members.present[member] & ~inner.members.present[other]
        np.testing.assert_allclose(given[alone], inner.members.probabilities[member][alone])
    whole = inner.members.present.all(axis=0)
    less = InnerPredictions(
        MemberPredictions(inner.members.probabilities[:, whole], inner.members.present[:, whole]),
        inner.y[whole],
        inner.folds[whole],
    )
    np.testing.assert_array_equal(
        given[whole],
        Late(Logistic(), rule=rule).fit_combination(np.full(4, 0.25), less).combine(less.members),
    )


# --- as an estimator


@pytest.mark.parametrize("rule", FIXED)
def test_alone_it_gives_what_combining_the_single_modalities_gives(rule):
    train, y = views()
    holes = Views(without(train.image, slice(0, 5)), without(train.text, slice(3, 9)))
    late = Late(Logistic(), rule=rule).fit(holes, y)
    given = [
        model(Logistic()).fit(holes, y).predict_proba(holes) for model in (ImageOnly, TextOnly)
    ]
    present = np.stack([block.present for block in holes.blocks().values()])
    members = MemberPredictions(np.stack(given), present)
    np.testing.assert_array_equal(late.predict_proba(holes), late.combine(members))


@pytest.mark.parametrize("rule", ["weighted", "log_pool", "selection", "stacking"])
def test_alone_it_learns_from_samples_that_its_models_were_not_fitted_on(rule, monkeypatch):
    """Wide pictures are learned by heart: only unseen samples show that the texts are better."""
    y = labels(60)
    train, _ = views(n=60)
    noise = Block.of(np.random.default_rng(0).normal(size=(60, 300)).astype(np.float32))
    seen = []
    learn = Late.fit_combination
    monkeypatch.setattr(
        Late, "fit_combination", lambda self, f, inner: seen.append(inner) or learn(self, f, inner)
    )
    late = Late(Logistic(C=100), rule=rule).fit(Views(noise, train.text), y)
    inner, = seen
    right = (inner.members.probabilities.argmax(axis=2) == np.searchsorted(CLASSES, y)).mean(axis=1)
    assert right[0] < 0.6
    assert right[1] > 0.9
    assert late.weights_ is None or late.weights_[1] > 0.8
    test, truth = views(n=90, seed=7)
    other = Block.of(np.random.default_rng(1).normal(size=(90, 300)).astype(np.float32))
    assert np.mean(late.predict(Views(other, test.text)) == truth) > 0.9


@pytest.mark.parametrize("rule", ["weighted", "log_pool", "selection", "stacking"])
@pytest.mark.parametrize(
    "y", [["a", "b"], ["a", "a", "b"], ["a", "a", "a"], ["a", "b", "b", "c", "c"]]
)
def test_too_few_samples_for_inner_folds_are_borne(rule, y):
    train, _ = views(n=len(y))
    probabilities = Late(Logistic(), rule=rule).fit(train, np.array(y)).predict_proba(train)
    assert np.all(np.isfinite(probabilities))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_product_of_independent_modalities_is_the_bayes_rule_within_noise(class_weight):
    """Gaussian classes of unequal frequency whose picture and text are independent given the class.

    The Bayes rule is known in closed form; so is each modality's posterior, which logistic
    regression can learn. Balanced it learns that of classes drawn alike, and the Bayes rule is that
    of the uniform prior.
    """
    rng = np.random.default_rng(0)
    prior = np.array([0.6, 0.3, 0.1])
    assumed = prior if class_weight == "none" else EVEN
    centres = [rng.normal(size=(3, 4)), rng.normal(size=(3, 5))]

    def drawn(n: int) -> tuple[Views, np.ndarray, np.ndarray]:
        y = rng.choice(3, size=n, p=prior)
        rows = [means[y] + rng.normal(size=(n, means.shape[1])) for means in centres]
        logs = np.log(assumed) - sum(((row[:, None] - means) ** 2).sum(axis=2) / 2
                                   for row, means in zip(rows, centres, strict=True))
        return (
            Views(*(Block.of(row.astype(np.float32)) for row in rows)),
            y,
            normalised(np.exp(logs)),
        )

    train, y, _ = drawn(6000)
    test, truth, bayes = drawn(4000)
    classifier = Logistic(C=1000, class_weight=class_weight)
    by_rule = {
        rule: Late(classifier, rule=rule).fit(train, y).predict_proba(test)
        for rule in ("product", "mean", "stacking")
    }
    accuracy = {
        rule: np.mean(probabilities.argmax(axis=1) == truth)
        for rule, probabilities in by_rule.items()
    }
    best = np.mean(bayes.argmax(axis=1) == truth)
    assert abs(accuracy["product"] - best) < 0.01  # two standard errors of 4,000 draws
    assert log_loss(by_rule["product"], truth) < log_loss(bayes, truth) + 0.01
    assert np.abs(by_rule["product"] - bayes).mean() < 0.015
    if class_weight == "none":  # stacking learns how often classes are whatever its members assume
        assert abs(accuracy["stacking"] - best) < 0.01
        assert accuracy["mean"] < best - 0.01


def test_balanced_members_are_not_divided_by_the_training_frequencies():
    frequencies = np.array([0.6, 0.4, 0.0])
    balanced = Logistic(class_weight="balanced")
    np.testing.assert_allclose(balanced.prior(frequencies), [0.5, 0.5, 0.0])
    np.testing.assert_allclose(Logistic().prior(frequencies), frequencies)
    members = MemberPredictions(np.stack([IMAGE, TEXT]), np.stack([ALL, ALL]))
    model = Late(balanced, rule="product").fit_combination(np.array([0.6, 0.3, 0.1]), None)
    np.testing.assert_allclose(
        model.combine(members)[:2], normalised((IMAGE * TEXT)[:2]), atol=1e-9
    )
    nothing = MemberPredictions(members.probabilities, np.stack([~ALL, ~ALL]))
    np.testing.assert_allclose(model.combine(nothing), (IMAGE + TEXT) / 2)
