"""Tests of differences, against published examples and reference libraries, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as students_t
from scipy.stats import ttest_1samp
from sklearn.datasets import make_moons
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.svm import SVC

from reports.analysis.statistics import (
    corrected_resampled_interval,
    corrected_resampled_t,
    correlated_bayes,
    holm,
)
from tests.support.simulations import null_differences

# baycomp 1.0.3, two_on_single(zeros, DIFFERENCES, rope=0.01, runs=...): probabilities of the first
# being better, of neither, and of the second.
DIFFERENCES = [-0.012, -0.028, 0.005, 0.025, 0.046, 0.015, -0.005, -0.012, 0.034, 0.061]
BAYCOMP = {
    1: (0.057030916827389276, 0.3577537918138508, 0.5852152913587599),
    2: (0.10360477778168033, 0.32997609744315637, 0.5664191247751633),
}


@pytest.fixture(scope="module")
def moons():
    """Differences of scikit-learn's "Statistical comparison of models using grid search"."""
    X, y = make_moons(noise=0.352, random_state=1, n_samples=100)
    folds = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    rbf, linear = (
        cross_val_score(SVC(kernel=kernel), X, y, scoring="roc_auc", cv=folds)
        for kernel in ("rbf", "linear")
    )
    return rbf - linear, [90] * 100, [10] * 100


def test_the_published_example_of_scikit_learns_guide(moons):
    test = corrected_resampled_t(*moons)
    assert test.t == pytest.approx(0.750, abs=5e-4)
    # the guide gives the one-sided p value
    assert test.p_value / 2 == pytest.approx(0.227, abs=5e-4)
    assert test.freedom == 99
    assert correlated_bayes(*moons, rope=0).better == pytest.approx(0.773, abs=5e-4)
    posterior = correlated_bayes(*moons, rope=0.01)
    assert (posterior.better, posterior.equivalent, posterior.worse) == pytest.approx(
        (0.500, 0.432, 0.068), abs=5e-4
    )


@pytest.mark.parametrize("runs", BAYCOMP)
def test_the_posterior_is_baycomps(runs):
    folds = len(DIFFERENCES) // runs
    posterior = correlated_bayes(DIFFERENCES, [folds - 1] * 10, [1] * 10, rope=0.01)
    assert (posterior.worse, posterior.equivalent, posterior.better) == pytest.approx(
        BAYCOMP[runs], abs=1e-12
    )


def test_holm_is_that_of_statsmodels():
    # statsmodels 0.14, multipletests(..., method="holm")
    adjusted = holm([0.0121, 0.0142, 0.1986, 0.0391, 0.0028, 0.5])
    assert adjusted == pytest.approx([0.0605, 0.0605, 0.3972, 0.1173, 0.0168, 0.5])
    assert holm([]) == []
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.1, math.nan])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_lies_between_the_p_values_and_bonferronis(p_values):
    adjusted = holm(p_values)
    bonferroni = [min(1.0, p * len(p_values)) for p in p_values]
    assert all(
        p <= mine <= most + 1e-12
        for p, mine, most in zip(p_values, adjusted, bonferroni, strict=True)
    )
    assert [x for _, x in sorted(zip(p_values, adjusted, strict=True))] == sorted(adjusted)


@given(
    st.lists(st.floats(-1, 1).map(lambda x: round(x, 3)), min_size=2, max_size=20),
    st.floats(0, 0.2),
)
def test_interval_test_and_posterior_agree(differences, rope):
    sizes = ([80] * len(differences), [20] * len(differences))
    interval, test = (
        corrected_resampled_interval(differences, *sizes),
        corrected_resampled_t(differences, *sizes),
    )
    posterior = correlated_bayes(differences, *sizes, rope=rope)
    assert posterior.better + posterior.equivalent + posterior.worse == pytest.approx(1)
    assert (interval.direction == 0) == (test.p_value > 0.05)
    sign = correlated_bayes(differences, *sizes, rope=0)
    assert 2 * min(sign.better, sign.worse) == pytest.approx(test.p_value, abs=1e-9)
    turned = correlated_bayes([-value for value in differences], *sizes, rope=rope)
    assert turned.better == pytest.approx(posterior.worse)


def test_one_fold_concludes_nothing():
    assert corrected_resampled_t([0.3], [8], [2]) is None
    assert correlated_bayes([0.3], [8], [2], rope=0.01) is None
    assert corrected_resampled_t([0.0] * 5, [8] * 5, [2] * 5).p_value == 1
    with pytest.raises(ValueError, match="rope"):
        correlated_bayes([0.0] * 5, [8] * 5, [2] * 5, rope=-1)


@pytest.mark.parametrize(("folds", "n"), [(2, 30), (5, 40), (5, 4000)])
def test_equal_differences_are_as_sure_as_if_a_row_of_those_tested_were_another(folds, n):
    sizes = ([n - n // folds] * folds, [n // folds] * folds)
    tested = n // folds * folds
    interval = corrected_resampled_interval([0.0] * folds, *sizes)
    assert interval.high == -interval.low == pytest.approx(
        students_t.ppf(0.975, folds - 1) / tested
    )
    assert corrected_resampled_t([0.0] * folds, *sizes).p_value == 1
    assert corrected_resampled_t([1 / tested] * folds, *sizes).t == pytest.approx(1)
    # rounding is no spread
    nearly = [0.1 + 1e-17 * fold for fold in range(folds)]
    assert corrected_resampled_t(nearly, *sizes).t == pytest.approx(0.1 * tested)
    equivalent = correlated_bayes([0.0] * folds, *sizes, rope=0.01).equivalent
    assert (equivalent > 0.95) == (n > 1000)


def test_holdouts_of_the_same_rows_test_no_more_than_all_of_them():
    assert corrected_resampled_t([0.1] * 9, [30] * 9, [20] * 9).t == pytest.approx(0.1 * 50)


# --- false alarms on two equally good classifiers (600 simulated data sets each)


@pytest.mark.parametrize(("folds", "repeats"), [(5, 2), (10, 3)])
def test_false_alarms_keep_to_their_level_where_the_naive_t_does_not(folds, repeats):
    rows = 100
    differences = null_differences(600, folds, repeats, rows, seed=1)
    sizes = ([rows - rows // folds] * folds * repeats, [rows // folds] * folds * repeats)
    tests = [corrected_resampled_t(values, *sizes) for values in differences]
    posteriors = [correlated_bayes(values, *sizes, rope=0.01) for values in differences]
    assert np.mean([test.p_value <= 0.05 for test in tests]) <= 0.07
    assert np.mean([max(p.better, p.worse) > 0.975 for p in posteriors]) <= 0.07
    assert np.mean(ttest_1samp(differences, 0, axis=1).pvalue <= 0.05) > 0.15
