"""The logarithmic opinion pool: its cases, the optimum of its weights, and what they guard from."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from models.classifiers.logistic import Logistic
from models.classifiers.temperature import tempered
from models.combining import InnerPredictions, MemberPredictions
from models.late.late import Late
from models.late.log_pool import MOST, likeliest_exponents, log_pool
from models.late.rules import product

PRIOR = np.array([0.4, 0.3, 0.2, 0.1])


def softmax(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def log_loss(probabilities: np.ndarray, y: np.ndarray) -> float:
    return float(-np.log(probabilities[np.arange(len(y)), y]).mean())


def independent(
    n: int, seed: int, temperatures: tuple[float, ...], evidence: tuple[float, ...] = (1.5, 1.5)
) -> InnerPredictions:
    """Members that are independent given the class, whose posteriors are then made too sure.

    Temperatures below 1 sharpen what each says; evidence 0 is a member that knows nothing.
    """
    rng = np.random.default_rng(seed)
    y = rng.choice(4, size=n, p=PRIOR)
    probabilities = []
    for temperature, strength in zip(temperatures, evidence, strict=True):
        rows = strength * np.eye(4)[y] + rng.normal(size=(n, 4))
        posterior = softmax(np.log(PRIOR) + strength * rows)
        probabilities.append(tempered(posterior, temperature))
    members = MemberPredictions(np.stack(probabilities), np.ones((len(temperatures), n), bool))
    return InnerPredictions(members, y, np.arange(n) % 3)


def test_weights_of_one_are_the_product_rule_and_a_single_one_is_that_member():
    members = independent(50, 0, (1.0, 1.0)).members
    np.testing.assert_allclose(
        log_pool(members, PRIOR, np.ones(2)), product(members, PRIOR), atol=1e-4
    )
    for member, weights in enumerate(np.eye(2)):
        np.testing.assert_allclose(
            log_pool(members, PRIOR, weights), members.probabilities[member], atol=1e-4
        )


@pytest.mark.parametrize("temperatures", [(1.0, 1.0), (0.5, 2.0), (0.4, 1.0, 3.0)])
def test_weights_have_the_least_log_loss_of_all_that_are_not_negative(temperatures):
    inner = independent(400, 1, temperatures, (1.5,) * len(temperatures))

    def loss(weights: np.ndarray) -> float:
        return log_loss(log_pool(inner.members, PRIOR, weights), inner.y)

    weights = likeliest_exponents(inner, PRIOR)
    best = minimize(loss, np.full(len(weights), 0.5), bounds=[(0, MOST)] * len(weights),
                    method="SLSQP", options={"ftol": 1e-12})
    assert loss(weights) == pytest.approx(best.fun, abs=1e-6)
    np.testing.assert_allclose(weights, best.x, atol=1e-2)


def test_what_is_too_sure_is_brought_to_the_temperature_that_it_lacks():
    """Without their temperatures, the posteriors of independent members have weights of 1."""
    weights = likeliest_exponents(independent(20_000, 2, (1.0, 1.0)), np.asarray(PRIOR))
    np.testing.assert_allclose(weights, 1, atol=0.05)
    sharpened = likeliest_exponents(independent(20_000, 2, (1.0, 0.5)), np.asarray(PRIOR))
    assert sharpened[0] > 1.6 * sharpened[1]


def test_a_member_that_knows_nothing_and_is_sure_has_no_weight():
    inner = independent(2000, 3, (1.0, 0.05), (1.5, 0.0))
    rng = np.random.default_rng(0)
    guessed = rng.dirichlet(np.full(4, 0.1), size=2000)
    known = np.stack([inner.members.probabilities[0], guessed])
    inner = inner._replace(members=inner.members._replace(probabilities=known))
    late = Late(Logistic(), rule="log_pool").fit_combination(PRIOR, inner)
    assert late.weights_ is not None
    assert late.weights_[1] < 0.05
    alone = log_loss(inner.members.probabilities[0], inner.y)
    assert log_loss(late.combine(inner.members), inner.y) < alone + 0.005
    mean = Late(Logistic(), rule="mean").fit_combination(PRIOR, None)
    assert log_loss(mean.combine(inner.members), inner.y) > alone + 0.1


def test_classes_that_nobody_had_and_members_without_a_mistake_are_borne():
    y = np.array([0, 1, 0, 1, 0, 1])
    right = np.eye(3)[y]
    members = MemberPredictions(np.stack([right, right]), np.ones((2, 6), bool))
    inner = InnerPredictions(members, y, np.arange(6) % 3)
    prior = np.array([0.5, 0.5, 0.0])
    weights = likeliest_exponents(inner, prior)
    assert np.all((weights >= 0) & (weights <= MOST))
    pooled = log_pool(members, prior, weights)
    np.testing.assert_allclose(pooled, right, atol=1e-5)
    nobody = InnerPredictions(
        MemberPredictions(np.zeros((2, 0, 3)), np.ones((2, 0), bool)), y[:0], y[:0]
    )
    np.testing.assert_array_equal(likeliest_exponents(nobody, prior), 1)
