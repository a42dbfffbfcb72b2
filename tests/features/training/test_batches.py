"""Rows as batches, and a trained network applied to all of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from features.training.batches import ROWS_AT_ONCE, RowBatches, applied


def test_applied_in_portions_is_what_the_network_gives():
    values = torch.randn(600, 4, generator=torch.Generator().manual_seed(0))
    network = nn.Linear(4, 3)
    torch.testing.assert_close(applied(network, [values]), network(values).detach())


def test_rows_come_in_the_order_asked_for_and_all_inputs_of_a_row_together():
    values, squares = torch.arange(700.0), torch.arange(700.0) ** 2
    batches = RowBatches([values, squares], 64)
    order = np.random.default_rng(0).permutation(700)
    for epoch, size in ((3, 64), (None, ROWS_AT_ONCE)):
        portions = list(batches(order, epoch))
        assert [len(rows) for _, rows in portions[:-1]] == [size] * (len(portions) - 1)
        assert torch.cat([rows for _, rows in portions]).tolist() == order.tolist()
        for (first, second), rows in portions:
            assert first.tolist() == rows.tolist()
            torch.testing.assert_close(second.cpu(), first.cpu() ** 2)


class Narrow(nn.Linear):
    """A layer whose device has memory for so many rows."""

    room = 100

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        if len(values) > self.room:
            raise torch.OutOfMemoryError("no room")
        return super().forward(values)


def test_where_memory_is_short_the_portions_are_halved():
    values = torch.randn(600, 4, generator=torch.Generator().manual_seed(0))
    network = Narrow(4, 3)
    expected = nn.functional.linear(values, network.weight, network.bias)
    torch.testing.assert_close(applied(network, [values]), expected.detach())


def test_memory_for_no_row_at_all_is_an_error():
    network = Narrow(4, 3)
    network.room = 0
    with pytest.raises(torch.OutOfMemoryError):
        applied(network, [torch.zeros(5, 4)])


def test_no_rows_at_all_have_outputs_of_the_right_width():
    assert applied(nn.Linear(4, 3), [torch.zeros(0, 4)]).shape == (0, 3)
