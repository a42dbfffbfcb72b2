"""Single rows on which the picture, the text and their fusion disagree, or all are wrong.

Of a run that compares no fusion with its halves, rows that are predicted wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.analysis.ranking import rank_cells
from reports.analysis.votes import Mask, Votes, compared_cells, mean_probabilities
from reports.record import RunRecord
from reports.section import Section

CASES = 12  # of each kind: with a thumbnail each, the page stays small
_SAME_CLASS = 2
ALL = {"picture", "text", "fusion"}  # who can disagree about a row


@dataclass(frozen=True)
class Vote:
    """What one cell said of a row: the class with the highest mean probability over repeats."""

    who: str
    predicted: str
    probability: float
    right: bool


@dataclass(frozen=True)
class Case:
    """One row of the data set, by position."""

    row: int
    id: str
    text: str | None
    label: str
    votes: tuple[Vote, ...]


@dataclass(frozen=True)
class CaseKind:
    """Rows of one kind: how many there are, and the clearest of them."""

    name: str
    title: str
    meaning: str
    count: int
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class GalleryFacts:
    """Kinds of rows that the cells named in `compared` ((who, cell name)) tell apart.

    `rows` were predicted by all of them; a row predicted in several `repeats` counts once, by its
    mean probabilities.
    """

    compared: tuple[tuple[str, str], ...]
    rows: int
    repeats: int
    kinds: tuple[CaseKind, ...]
    most: int = CASES


class _Candidate(NamedTuple):
    """Rows (n,) of one kind before they are counted and shown, and how clear each is (n,)."""

    name: str
    title: str
    meaning: str
    rows: Mask
    clearness: NDArray[np.float64]


def facts(record: RunRecord) -> GalleryFacts | None:
    """Rows of each kind, clearest first; None without a complete cell that is no baseline."""
    cells = compared_cells(rank_cells(record))
    if not cells:
        return None
    means = {
        who: mean_probabilities(cell.folds.values(), len(record.labels), len(record.classes))
        for who, cell in cells.items()
    }
    votes = Votes(record, means)
    kinds = tuple(
        _with_cases(votes, candidate) for candidate in _kinds(votes) if candidate.rows.any()
    )
    repeats = set().union(*({repeat for repeat, _ in cell.folds} for cell in cells.values()))
    return GalleryFacts(
        tuple((who, cell.cell.name) for who, cell in cells.items()),
        int(votes.known.sum()),
        len(repeats),
        kinds,
    )


def _with_cases(votes: Votes, candidate: _Candidate) -> CaseKind:
    """The clearest of the chosen rows as facts."""
    positions = np.flatnonzero(candidate.rows)
    order = positions[np.argsort(-candidate.clearness[positions], kind="stable")]
    cases = [_case(votes, int(row)) for row in _varied(order, votes.record.labels)]
    return CaseKind(
        candidate.name, candidate.title, candidate.meaning, len(positions), tuple(cases)
    )


def _case(votes: Votes, row: int) -> Case:
    record = votes.record
    said = [
        Vote(
            who,
            record.classes[codes[row]],
            float(votes.means[who][row, codes[row]]),
            bool(votes.right[who][row]),
        )
        for who, codes in votes.predicted.items()
    ]
    label = record.classes[record.labels[row]]
    return Case(row, record.ids[row], record.texts[row], label, tuple(said))


def _kinds(votes: Votes) -> list[_Candidate]:
    if not set(votes.right) >= ALL:
        return [_all_wrong(votes)]
    return [*_with_fusion(votes), _all_wrong(votes)]


def _with_fusion(votes: Votes) -> list[_Candidate]:
    """What the fusion makes of its two halves."""
    right, wrong = votes.right, votes.wrong
    true = {who: votes.of_true(who) for who in votes.right}
    surer = np.maximum(true["picture"], true["text"])
    return [
        _Candidate(
            "text-rescues",
            "The text rescues",
            "wrong by the picture alone, right with the text in the fusion",
            wrong["picture"] & right["text"] & right["fusion"],
            true["fusion"] - true["picture"],
        ),
        _Candidate(
            "picture-rescues",
            "The picture rescues",
            "wrong by the text alone, right with the picture in the fusion",
            wrong["text"] & right["picture"] & right["fusion"],
            true["fusion"] - true["text"],
        ),
        _Candidate(
            "together",
            "Only together",
            "wrong by either alone, right in the fusion",
            wrong["picture"] & wrong["text"] & right["fusion"],
            true["fusion"] - surer,
        ),
        _Candidate(
            "fusion-breaks",
            "The fusion breaks",
            "right by at least one alone, wrong in the fusion",
            wrong["fusion"] & (right["picture"] | right["text"]),
            surer - true["fusion"],
        ),
    ]


def _all_wrong(votes: Votes) -> _Candidate:
    predictions = list(votes.predicted.values())
    agreed: Mask = np.all([codes == predictions[0] for codes in predictions], axis=0)
    wrong: Mask = np.all(list(votes.wrong.values()), axis=0)
    title = (
        "All say the same, and it is not the label"
        if len(predictions) > 1
        else "Not what the label says"
    )
    return _Candidate(
        "label-errors",
        title,
        "the surest first: look whether the label is wrong",
        agreed & wrong,
        np.min([mean.max(axis=1) for mean in votes.means.values()], axis=0),
    )


def _varied(order: NDArray[np.int64], labels: NDArray[np.int64]) -> Sequence[int]:
    """First rows of the order, at most two of a class as long as other classes have any."""
    first: list[int] = []
    later: list[int] = []
    counts: dict[int, int] = {}
    for row in order:
        label = int(labels[row])
        counts[label] = counts.get(label, 0) + 1
        (first if counts[label] <= _SAME_CLASS else later).append(int(row))
        if len(first) == CASES:
            break
    return [*first, *later][:CASES]


def _heading(gallery: GalleryFacts) -> str:
    return "" if {who for who, _ in gallery.compared} >= ALL else "Mistakes, row by row"


SECTION = Section("Where they disagree, row by row", facts, heading=_heading)
