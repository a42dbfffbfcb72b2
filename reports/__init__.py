"""The report of a run: facts as plain data, then a page and a Markdown file made from them."""

from __future__ import annotations

from typing import Any

from reports.retrieval import curves as retrieval_curves
from reports.retrieval import gallery as retrieval_gallery
from reports.retrieval import leaderboard as retrieval_leaderboard
from reports.retrieval import method as retrieval_method
from reports.retrieval import verdict as retrieval_verdict
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

# In page order. A section is one file with facts (and charts), and a template in templates/html and
# templates/markdown.
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
# Of a run of retrieval; their templates stand in the folders `retrieval`.
RETRIEVAL_SECTIONS: dict[str, Section[Any]] = {
    "verdict": retrieval_verdict.SECTION,
    "leaderboard": retrieval_leaderboard.SECTION,
    "curves": retrieval_curves.SECTION,
    "gallery": retrieval_gallery.SECTION,
    "method": retrieval_method.SECTION,
}
