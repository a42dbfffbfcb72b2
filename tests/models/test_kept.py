"""What is kept in memory: told by its content, and no more than so many bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from features.block import Block
from models.kept import RecentResults
from models.preparation import scaling
from models.preparation.scaling import BlockScaler
from models.softmax.design_matrix.principal_axes import transform


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def asked(recent, *decided_by, result=None):
    """Whether the result was computed."""
    computed = []
    recent.arrays(
        decided_by, lambda: computed.append(1) or (numbers(4) if result is None else result,)
    )
    return bool(computed)


def test_equal_content_is_computed_once_wherever_it_lies():
    recent, rows = RecentResults(), numbers(6, 3)
    assert asked(recent, "sum", 2, rows)
    assert not asked(recent, "sum", 2, rows.copy())
    assert asked(recent, "csr", sparse.csr_matrix(rows))
    assert not asked(recent, "csr", sparse.csr_matrix(rows))


@pytest.mark.parametrize("other", [
    ("mean", 2, numbers(6, 3)), ("sum", 3, numbers(6, 3)), ("sum", 2.0, numbers(6, 3)),
    ("sum", None, numbers(6, 3)), ("sum", 2, numbers(3, 6)),
    ("sum", 2, numbers(6, 3).astype(np.float64)), ("sum", 2, numbers(6, 3, seed=1)),
    ("sum", 2, numbers(6, 3)[::-1]), ("sum", 2, np.asfortranarray(numbers(6, 3))),
    ("sum", 2, sparse.csr_matrix(numbers(6, 3))), ("sum", 2, numbers(5, 3)),
    ("sum", 2, numbers(6, 3), numbers(0)),
])
def test_anything_else_is_computed_for_itself(other):
    recent = RecentResults()
    assert asked(recent, "sum", 2, numbers(6, 3))
    assert asked(recent, *other)


def test_one_number_changed_in_place_is_another_content():
    recent, rows = RecentResults(), numbers(6, 3)
    assert asked(recent, "sum", rows)
    rows[5, 2] += 1
    assert asked(recent, "sum", rows)


def test_two_arrays_are_not_their_concatenation():
    recent = RecentResults()
    assert asked(recent, "sum", numbers(4)[:2], numbers(4)[2:])
    assert asked(recent, "sum", numbers(4))
    assert asked(recent, "sum", numbers(4)[:3], numbers(4)[3:])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 60)), max_size=40))
def test_never_more_than_so_many_bytes_but_for_one_result(asks):
    recent = RecentResults(most=200)
    for name, size in asks:
        recent.arrays((name, size), lambda size=size: (np.zeros(size, np.float32),))
        assert recent.bytes <= 200 or len(recent) == 1


def test_what_was_used_last_stays():
    recent = RecentResults(most=32)
    for name in ("a", "b", "a", "c"):  # 16 bytes each
        asked(recent, name)
    assert [asked(recent, name) for name in ("a", "c", "b")] == [False, False, True]


def test_nobody_can_change_what_is_kept():
    ones, = RecentResults().arrays(("ones",), lambda: (np.ones(3),))
    with pytest.raises(ValueError, match="read-only"):
        ones[0] = 2


def test_what_fails_is_not_kept():
    recent = RecentResults()
    with pytest.raises(ZeroDivisionError):
        recent.arrays(("bad",), lambda: (np.array(1 / 0),))
    assert asked(recent, "bad")


def test_objects_have_no_content_to_tell_them_by():
    with pytest.raises(TypeError, match="use its codes"):
        RecentResults().arrays(
            ("labels", np.array(["a", "b"], dtype=object)), lambda: (np.ones(1),)
        )


def test_blocks_of_known_content_are_told_by_it(monkeypatch):
    monkeypatch.setattr(scaling, "RECENT", RecentResults())
    block = Block(numbers(6, 3), np.array([0, 2, 2, -1, 5]), digest="first")
    fitted = BlockScaler().fit(block)
    again = BlockScaler().fit(replace(block, values=block.values.copy()))
    np.testing.assert_array_equal(again.mean_, fitted.mean_)
    assert len(scaling.RECENT) == 1
    others = [replace(block, index=np.array([0, 2, 1, -1, 5])),
              replace(block, values=numbers(6, 3, seed=1), digest="second")]
    for position, other in enumerate(others):
        plain = BlockScaler().fit(replace(other, digest=None))
        other_scaler = BlockScaler().fit(other)
        assert other_scaler.scale_ == plain.scale_
        np.testing.assert_array_equal(other_scaler.mean_, plain.mean_)
        assert len(scaling.RECENT) == 2 + position


@pytest.mark.parametrize(
    ("shape", "form"), [((60, 8), "dense"), ((8, 500), "dense"), ((8, 500), "sparse")]
)
def test_turned_rows_count_with_all_that_they_hold(shape, form):
    rows = numbers(*shape)
    turned = transform(sparse.csr_matrix(rows) if form == "sparse" else rows)
    small = min(shape)
    if shape[0] > shape[1]:
        assert turned.bytes == 4 * (60 * small + small * small)
    else:
        r, stored = turned.width, rows.nbytes + (8 * 500 * 4 + 9 * 4 if form == "sparse" else 0)
        assert turned.bytes == 2 * 4 * 8 * r + stored


def test_sparse_blocks_are_kept_too_and_still_have_no_mean(monkeypatch):
    monkeypatch.setattr(scaling, "RECENT", RecentResults())
    block = Block(sparse.csr_matrix(numbers(6, 3)), np.arange(6), digest="sparse")
    for _ in range(2):
        scaler = BlockScaler().fit(block)
        assert scaler.mean_ is None
        assert scaler.scale_ == BlockScaler().fit(replace(block, digest=None)).scale_
