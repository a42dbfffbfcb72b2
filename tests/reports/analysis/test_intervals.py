"""Corrected intervals of differences over folds: by hand, and where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.analysis.statistics import corrected_resampled_interval


def test_corrected_interval_by_hand():
    # mean .05; squared deviations .0001 .0009 .0001 .0009, so s^2 = .002 / 3; t(3, .975) =
    # 3.18244631; factor 1/4 + 25/75 = .583333; half = 3.18244631 * sqrt(.583333 * .000666667) =
    # .06275869
    interval = corrected_resampled_interval([0.06, 0.02, 0.04, 0.08], [75] * 4, [25] * 4)
    assert interval.mean == pytest.approx(0.05)
    assert interval.low == pytest.approx(0.05 - 0.06275869, abs=1e-7)
    assert interval.high == pytest.approx(0.05 + 0.06275869, abs=1e-7)
    assert (interval.folds, interval.direction) == (4, 0)


def test_corrected_interval_is_wider_than_the_naive_one():
    differences = [0.06, 0.02, 0.04, 0.08]
    corrected = corrected_resampled_interval(differences, [75] * 4, [25] * 4)
    naive = 3.18244631 * np.std(differences, ddof=1) / math.sqrt(4)
    ratio = (corrected.high - corrected.low) / (2 * naive)
    assert ratio == pytest.approx(math.sqrt(1 + 4 * 25 / 75))


def test_one_fold_has_no_interval_and_no_direction():
    interval = corrected_resampled_interval([0.3], [75], [25])
    assert (interval.mean, interval.low, interval.high, interval.direction) == (
        0.3,
        None,
        None,
        None,
    )


def test_equal_differences_give_a_point():
    assert corrected_resampled_interval([0.0] * 5, [8] * 5, [2] * 5).direction == 0
    assert corrected_resampled_interval([-0.5] * 5, [8] * 5, [2] * 5).direction == -1


@pytest.mark.parametrize(
    ("differences", "n_train", "n_test", "rule"),
    [
        ([], [], [], "finite"),
        ([math.nan], [8], [2], "finite"),
        ([0.1, 0.2], [8], [2, 2], "every difference"),
        ([0.1], [0], [2], "at least 1"),
    ],
)
def test_interval_refuses_what_it_cannot_use(differences, n_train, n_test, rule):
    with pytest.raises(ValueError, match=rule):
        corrected_resampled_interval(differences, n_train, n_test)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=20), st.floats(-1, 1))
def test_interval_moves_with_its_differences(differences, shift):
    sizes = ([80] * len(differences), [20] * len(differences))
    first = corrected_resampled_interval(differences, *sizes)
    second = corrected_resampled_interval([value + shift for value in differences], *sizes)
    assert second.low == pytest.approx(first.low + shift, abs=1e-9)
    assert first.low <= first.mean + 1e-12
    assert first.mean <= first.high + 1e-12
