"""The rows held out to stop by: shares of classes, whole groups, no class lost."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.training.held_out import split_for_stopping


def test_held_out_rows_are_the_same_share_of_each_class():
    codes = np.repeat([0, 1, 2], [100, 40, 3])
    fitted, held_out = split_for_stopping(codes, 0.15, np.random.default_rng(0))
    assert list(np.bincount(codes[held_out], minlength=3)) == [15, 6, 0]
    np.testing.assert_array_equal(np.sort(np.r_[fitted, held_out]), np.arange(143))


@settings(max_examples=60)
@given(st.integers(1, 60), st.integers(1, 4), st.integers(1, 20), st.integers(0, 1000))
def test_groups_are_held_out_as_a_whole_and_no_class_is_lost(n, classes, groups, seed):
    rng = np.random.default_rng(seed)
    codes, groups = rng.integers(0, classes, n), rng.integers(0, groups, n)
    fitted, held_out = split_for_stopping(codes, 0.15, np.random.default_rng(seed), groups)
    np.testing.assert_array_equal(np.sort(np.r_[fitted, held_out]), np.arange(n))
    assert not set(groups[fitted]) & set(groups[held_out])
    assert set(codes[fitted]) == set(codes)


def test_groups_hold_out_about_the_share_of_every_class():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(200), 5)
    codes = np.repeat(rng.integers(0, 4, 200), 5)
    _, held_out = split_for_stopping(codes, 0.15, rng, groups)
    np.testing.assert_allclose(np.bincount(codes[held_out]) / np.bincount(codes), 0.15, atol=0.02)


def test_rows_to_stop_by_are_a_tenth_of_each_class_and_whole_groups() -> None:
    labels = np.repeat(np.arange(4), 50)
    fitted, held_out = split(labels)
    assert sorted([*fitted, *held_out]) == list(range(200))
    assert np.bincount(labels[held_out]).tolist() == [5] * 4
    groups = np.arange(200) // 4
    fitted, held_out = split(labels, groups)
    assert not set(groups[fitted]) & set(groups[held_out])
    assert 10 <= len(held_out) <= 30
    assert not np.array_equal(held_out, split(labels, groups, seed=1)[1])


def test_no_class_is_held_out_as_a_whole() -> None:
    for seed in range(20):
        labels = np.array([0] * 20 + [1] + [2] * 2)
        fitted, _ = split(labels, seed=seed)
        assert set(labels[fitted]) == {0, 1, 2}
    fitted, held_out = split(np.array([0, 1, 2]))
    assert (len(fitted), len(held_out)) == (3, 0)


def split(labels, groups=None, seed=0):
    """A tenth held out."""
    return split_for_stopping(labels, 0.1, np.random.default_rng(seed), groups)
