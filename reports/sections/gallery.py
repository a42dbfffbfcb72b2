"""Single rows on which the picture, the text and their fusion disagree, or on which all are wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.analysis.ranking import Kind, Ranking, Standing, rank_cells
from reports.record import FoldRecord, RunRecord
from reports.section import Section

CASES = 6  # of each kind: with a thumbnail each, the page stays small
_SAME_CLASS = 2
_NAMES = {"image": "picture", "text": "text", "fusion": "fusion"}


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
class Sort:
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
    kinds: tuple[Sort, ...]


def facts(record: RunRecord) -> GalleryFacts | None:
    """Rows of each kind, clearest first; None without a complete cell that uses a picture or a text."""
    cells = compared_cells(rank_cells(record))
    if not cells:
        return None
    means = {who: mean_probabilities(cell.folds.values(), len(record.labels), len(record.classes))
             for who, cell in cells.items()}
    votes = _Votes(record, means)
    kinds = tuple(kind for kind in (votes.kind(*one) for one in _kinds(votes)) if kind.count)
    repeats = {repeat for cell in cells.values() for repeat, _ in cell.folds}
    return GalleryFacts(
        tuple((who, cell.cell.name) for who, cell in cells.items()),
        int(votes.known.sum()),
        len(repeats),
        kinds,
    )


def compared_cells(ranking: Ranking) -> dict[str, Standing]:
    """The best fusion and the single modalities of its own encoders (else the best ones there are)."""
    found: dict[str, Standing] = {}
    fusion = ranking.best("fusion")
    kinds: tuple[Kind, ...] = ("image", "text")
    for kind in kinds:
        singles = ranking.ranked(kind)
        own = [s for s in singles if fusion and getattr(s.cell, kind) == getattr(fusion.cell, kind)]
        if singles:
            found[_NAMES[kind]] = (own or list(singles))[0]
    return found | ({"fusion": fusion} if fusion else {})


def mean_probabilities(
    entries: Iterable[FoldRecord], rows: int, classes: int
) -> NDArray[np.float64]:
    """Out-of-fold probabilities (n, K), the mean over repeats; nan where a row was never predicted."""
    total, times = np.zeros((rows, classes)), np.zeros(rows)
    for entry in entries:
        total[entry.rows] += entry.probabilities
        times[entry.rows] += 1
    with np.errstate(invalid="ignore"):
        return np.asarray(total / times[:, None])


Mask = NDArray[np.bool_]


class _Votes:
    """Who is right about which row, and how sure."""

    def __init__(self, record: RunRecord, means: dict[str, NDArray[np.float64]]) -> None:
        self.record = record
        self.known: Mask = np.all([np.isfinite(one).all(axis=1) for one in means.values()], axis=0)
        self.means = {who: np.where(self.known[:, None], one, 0.0) for who, one in means.items()}
        self.predicted = {who: one.argmax(axis=1) for who, one in self.means.items()}
        self.right: dict[str, Mask] = {
            who: (one == record.labels) & self.known for who, one in self.predicted.items()}
        self.wrong: dict[str, Mask] = {who: ~one & self.known for who, one in self.right.items()}

    def of_true(self, who: str) -> NDArray[np.float64]:
        """Probability (n,) of the true class."""
        return np.asarray(self.means[who][np.arange(len(self.record.labels)), self.record.labels])

    def kind(
        self, name: str, title: str, meaning: str, rows: Mask, clearness: NDArray[np.float64]
    ) -> Sort:
        """The chosen rows as facts."""
        positions = np.flatnonzero(rows)
        order = positions[np.argsort(-clearness[positions], kind="stable")]
        return Sort(name, title, meaning, len(positions),
                    tuple(self._case(int(row)) for row in _varied(order, self.record.labels)))

    def _case(self, row: int) -> Case:
        record = self.record
        votes = tuple(
            Vote(
                who,
                record.classes[code],
                float(self.means[who][row, code]),
                bool(self.right[who][row]),
            )
            for who, codes in self.predicted.items()
            for code in [int(codes[row])]
        )
        return Case(
            row, record.ids[row], record.texts[row], record.classes[record.labels[row]], votes
        )


def _kinds(votes: _Votes) -> list[tuple[str, str, str, Mask, NDArray[np.float64]]]:
    found = []
    right, wrong, true = votes.right, votes.wrong, votes.of_true
    if {"picture", "text", "fusion"} <= set(right):
        found = [
            (
                "text-rescues",
                "The text rescues",
                "wrong by the picture alone, right with the text in the fusion",
                wrong["picture"] & right["text"] & right["fusion"],
                true("fusion") - true("picture"),
            ),
            (
                "picture-rescues",
                "The picture rescues",
                "wrong by the text alone, right with the picture in the fusion",
                wrong["text"] & right["picture"] & right["fusion"],
                true("fusion") - true("text"),
            ),
            (
                "together",
                "Only together",
                "wrong by either alone, right in the fusion",
                wrong["picture"] & wrong["text"] & right["fusion"],
                true("fusion") - np.maximum(true("picture"), true("text")),
            ),
            (
                "fusion-breaks",
                "The fusion breaks",
                "right by at least one alone, wrong in the fusion",
                wrong["fusion"] & (right["picture"] | right["text"]),
                np.maximum(true("picture"), true("text")) - true("fusion"),
            ),
        ]
    return [*found, _all_wrong(votes)]


def _all_wrong(votes: _Votes) -> tuple[str, str, str, Mask, NDArray[np.float64]]:
    codes = list(votes.predicted.values())
    agreed: Mask = np.all([one == codes[0] for one in codes], axis=0) & np.all(
        list(votes.wrong.values()), axis=0
    )
    least_sure = np.min([one.max(axis=1) for one in votes.means.values()], axis=0)
    several = len(codes) > 1
    title = (
        "All say the same, and it is not the label"
        if several
        else "Sure, and not what the label says"
    )
    return (
        "label-errors",
        title,
        "the surest first: look whether the label is wrong",
        agreed,
        least_sure,
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


SECTION = Section("Where they disagree, row by row", facts)
