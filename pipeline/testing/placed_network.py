"""Layers that take rows in the main memory, wherever their weights are."""

from __future__ import annotations

from typing import Any

from torch import nn


class PlacedNetwork(nn.Sequential):
    """As an encoder's network does, it brings its inputs to its device."""

    def forward(self, rows: Any) -> Any:
        """What the layers make of rows."""
        for layer in self:
            rows = layer(rows.to(self[0].weight.device))
        return rows
