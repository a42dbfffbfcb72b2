"""The report of a run: facts as plain data, then a page and a Markdown file made from them."""

from __future__ import annotations

from reports import (
    attention,
    calibration,
    cost,
    gains,
    gallery,
    leaderboard,
    learning_curve,
    method,
    robustness,
    training,
    verdict,
    winner,
)
from reports.section import Section

# In page order. A section is one file with facts (and charts), and templates/<name>.html and <name>.md.
SECTIONS: dict[str, Section] = {
    "verdict": verdict.SECTION,
    "leaderboard": leaderboard.SECTION,
    "gains": gains.SECTION,
    "winner": winner.SECTION,
    "gallery": gallery.SECTION,
    "attention": attention.SECTION,
    "robustness": robustness.SECTION,
    "calibration": calibration.SECTION,
    "training": training.SECTION,
    "learning_curve": learning_curve.SECTION,
    "cost": cost.SECTION,
    "method": method.SECTION,
}
