"""Small synthetic views: those that the contract checks of the package are made with."""

from __future__ import annotations

from pipeline.testing.views import (
    CLASSES,
    Layers,
    labels,
    pooled,
    sequence,
    views,
    without,
)

__all__ = ["CLASSES", "Layers", "labels", "pooled", "sequence", "views", "without"]
