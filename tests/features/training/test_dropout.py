"""Dropout by random bytes: what it leaves out, what it keeps, and that seeds decide it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from features.training.dropout import Dropout


def test_the_share_is_left_out_evenly_and_the_mean_stays():
    torch.manual_seed(0)
    x = torch.ones(4000, 101)
    dropped = Dropout(0.3)(x)
    assert dropped.unique().tolist() == pytest.approx([0, 256 / 179])
    # of 404,000 numbers: the standard deviation of the share is .0007, of a column's .0072
    assert float((dropped == 0).float().mean()) == pytest.approx(77 / 256, abs=0.003)
    assert float(((dropped == 0).float().mean(dim=0) - 77 / 256).abs().max()) < 0.036
    assert float(dropped.mean()) == pytest.approx(1, abs=0.005)


def test_bytes_are_independent_of_their_neighbours():
    torch.manual_seed(0)
    left_out = (Dropout(0.5)(torch.ones(80_000)) == 0).float().view(-1, 8)
    correlations = torch.corrcoef(left_out.T) - torch.eye(8)
    assert float(correlations.abs().max()) < 0.05


@given(st.integers(0, 4), st.integers(1, 17), st.sampled_from([0.1, 0.5, 0.9, 0.999, 0.001]))
def test_any_shape_and_share_are_taken_and_the_seed_decides(rows, columns, share):
    x, drop = torch.randn(rows, columns), Dropout(share)
    torch.manual_seed(3)
    dropped = drop(x)
    torch.manual_seed(3)
    assert torch.equal(dropped, drop(x))
    assert dropped.shape == x.shape
    assert bool(((dropped == 0) | (dropped.abs() >= x.abs())).all())


def test_gradients_reach_what_was_kept():
    torch.manual_seed(0)
    x = torch.randn(50, 3, requires_grad=True)
    dropped = Dropout(0.3)(x)
    dropped.sum().backward()
    assert torch.equal(x.grad, torch.where(dropped == 0, 0.0, 256 / 179))


def test_nothing_is_left_out_of_what_does_not_train():
    x = torch.randn(5, 4)
    assert Dropout(0.3).eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_shares_beyond_a_byte_are_torchs_own():
    torch.manual_seed(1)
    dropped = Dropout(0.999)(torch.ones(1000))
    torch.manual_seed(1)
    assert torch.equal(dropped, functional.dropout(torch.ones(1000), 0.999))
