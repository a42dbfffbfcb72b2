"""Where the best cell is right and wrong, class by class."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isfinite, nan

import numpy as np
from numpy.typing import NDArray

from reports.analysis.ranking import rank_cells
from reports.charts.heat_map import heat_map
from reports.fold_record import FoldRecord
from reports.record import RunRecord
from reports.section import Chart, Section
from reports.wording import clean, short

HEATMAP_CLASSES = 40
MOST_CONFUSED = 20  # classes in the heat map where there are more than that
CONFUSIONS = 10


@dataclass(frozen=True)
class ClassRow:
    """One class: shares are nan where they are not defined; `support` rows have it, per repeat."""

    name: str
    precision: float
    recall: float
    f1: float
    support: float


@dataclass(frozen=True)
class Confusion:
    """`count` rows (per repeat) of class `true` were taken for `predicted`: `share` of it."""

    true: str
    predicted: str
    count: float
    share: float


@dataclass(frozen=True)
class WinnerFacts:
    """The winner's out-of-fold predictions.

    Counts are summed over all repeats and divided by their number, so that over repeated folds,
    which predict every row once a repeat, they add up to rows; precision, recall and F1 come from
    the same counts. They are pooled over folds and so differ a little from the leaderboard's means
    over folds.

    Parameters
    ----------
    matrix : K rows (true class) of K mean counts (predicted class).
    confusions : the most frequent mistakes, at most CONFUSIONS.
    """

    cell: str
    repeats: int
    predictions: int
    classes: tuple[ClassRow, ...]
    matrix: tuple[tuple[float, ...], ...]
    confusions: tuple[Confusion, ...]

    @property
    def by_f1(self) -> tuple[ClassRow, ...]:
        """The classes by F1, the lowest first, for that is where to look; undefined ones last."""
        return tuple(sorted(self.classes, key=lambda row: row.f1 if isfinite(row.f1) else inf))


def facts(record: RunRecord) -> WinnerFacts | None:
    """Per-class results of the best complete cell; None if there is no such cell."""
    best = rank_cells(record).best()
    if best is None:
        return None
    entries = list(best.folds.values())
    repeats = len({entry.repeat for entry in entries})
    counts = confusion_counts(entries, record.labels, len(record.classes)) / repeats
    return WinnerFacts(
        best.cell.name,
        repeats,
        sum(len(entry.rows) for entry in entries),
        tuple(_class_row(name, code, counts) for code, name in enumerate(record.classes)),
        tuple(tuple(float(value) for value in row) for row in counts),
        _most_confused(counts, record.classes),
    )


def confusion_counts(
    entries: Iterable[FoldRecord], labels: NDArray[np.int64], n_classes: int
) -> NDArray[np.float64]:
    """Counts (K, K): rows are true classes, columns the most probable class of each prediction."""
    counts = np.zeros((n_classes, n_classes))
    for entry in entries:
        np.add.at(counts, (labels[entry.rows], entry.probabilities.argmax(axis=1)), 1)
    return counts


def charts(winner: WinnerFacts) -> dict[str, Chart]:
    """Heat map of the confusion matrix; of many classes, of those that are confused most."""
    every = range(len(winner.classes))
    shown = _most_often_confused(winner) if len(every) > HEATMAP_CLASSES else list(every)
    spec = heat_map(
        [winner.classes[code].name for code in shown],
        [[winner.matrix[true][code] for code in shown] for true in shown],
        [winner.classes[true].support for true in shown],
    )
    known = [row for row in winner.classes if isfinite(row.recall)]
    worst = min(known, key=lambda row: row.recall, default=None)
    label = f"Confusion matrix of {clean(winner.cell)} for {len(winner.classes)} classes"
    if worst:
        label += f"; lowest share found: {100 * worst.recall:.0f} % of {short(worst.name)}"
    return {
        "confusion": Chart(
            spec,
            label + ".",
            _caption(len(shown), len(every)),
        )
    }


def _most_often_confused(winner: WinnerFacts) -> list[int]:
    """Codes of the classes in the most frequent confusions, in the classes' order."""
    wrong = np.array(winner.matrix)
    np.fill_diagonal(wrong, 0)
    codes: set[int] = set()
    for position in np.argsort(-wrong, axis=None, kind="stable"):
        pair = divmod(int(position), len(wrong))
        if not wrong[pair] or len(codes.union(pair)) > MOST_CONFUSED:
            break
        codes.update(pair)
    return sorted(codes) or list(range(MOST_CONFUSED))


def _caption(shown: int, classes: int) -> str:
    if shown == classes:
        return "Each row is a true class and adds up to 100 %; the diagonal is the share found."
    return (
        f"The {shown} of {classes} classes in the most frequent confusions. Each row is a true "
        "class; shares are of all its rows, also of those taken for a class that is not drawn. The "
        "diagonal is the share found."
    )


def _class_row(name: str, code: int, counts: NDArray[np.float64]) -> ClassRow:
    hits, support, predicted = counts[code, code], counts[code].sum(), counts[:, code].sum()
    return ClassRow(
        name,
        _share(hits, predicted),
        _share(hits, support),
        _share(2 * hits, predicted + support),
        float(support),
    )


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else nan


def _most_confused(counts: NDArray[np.float64], classes: tuple[str, ...]) -> tuple[Confusion, ...]:
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:CONFUSIONS]
    pairs = (divmod(int(position), len(classes)) for position in order)
    return tuple(
        Confusion(
            classes[true],
            classes[predicted],
            float(wrong[true, predicted]),
            _share(wrong[true, predicted], counts[true].sum()),
        )
        for true, predicted in pairs
        if wrong[true, predicted]
    )


SECTION = Section("The winner, class by class", facts, charts)
