"""Rows as batches, and a trained network applied to all of them."""

from __future__ import annotations

import numpy as np
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
