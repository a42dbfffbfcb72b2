"""Sections of the report, a file each; SECTIONS has them in page order.

A section is one file with facts (and charts), and a template in templates/html and
templates/markdown.
"""

from __future__ import annotations

from typing import Any

from reports.section import Section
from reports.sections import (
    attention,
    breakdown,
    calibration,
    cost,
    gains,
    gallery,
    labels,
    leaderboard,
    learning_curve,
    method,
    robustness,
    training,
    verdict,
    winner,
)

SECTIONS: dict[str, Section[Any]] = {
    "verdict": verdict.SECTION,
    "leaderboard": leaderboard.SECTION,
    "gains": gains.SECTION,
    "breakdown": breakdown.SECTION,
    "winner": winner.SECTION,
    "gallery": gallery.SECTION,
    "labels": labels.SECTION,
    "attention": attention.SECTION,
    "robustness": robustness.SECTION,
    "calibration": calibration.SECTION,
    "training": training.SECTION,
    "learning_curve": learning_curve.SECTION,
    "cost": cost.SECTION,
    "method": method.SECTION,
}
