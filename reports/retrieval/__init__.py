"""The report of a run of retrieval: its answer, and its sections in page order.

Their templates stand in the folders `retrieval`.
"""

from __future__ import annotations

from typing import Any

from reports.retrieval import curves, gallery, leaderboard, method, verdict
from reports.section import Section

RETRIEVAL_SECTIONS: dict[str, Section[Any]] = {
    "verdict": verdict.SECTION,
    "leaderboard": leaderboard.SECTION,
    "curves": curves.SECTION,
    "gallery": gallery.SECTION,
    "method": method.SECTION,
}
