"""A small run record with fixed values: that which sections of plugins are checked with, too."""

from __future__ import annotations

from pipeline.testing.records import (
    FUSION,
    IMAGE,
    MAJORITY,
    METRICS,
    SMALL_SCORES,
    TEXT,
    small_jpeg,
    small_record,
)

__all__ = [
    "FUSION",
    "IMAGE",
    "MAJORITY",
    "METRICS",
    "SMALL_SCORES",
    "TEXT",
    "small_jpeg",
    "small_record",
]
