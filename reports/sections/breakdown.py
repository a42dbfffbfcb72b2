"""Accuracy by kind of row: which questions, brands or sources a cell is right about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.analysis.ranking import rank_cells
from reports.analysis.standing import Kind, Standing
from reports.record import RunRecord
from reports.section import Section

CELLS = 12  # rows of a table
VALUES = 8  # columns of a table; rows with other values share one more
FEWEST = 30  # groups below which a share has no interval
OTHERS, NOTHING = "others", "none"


@dataclass(frozen=True)
class Share:
    """Share of rows that are right, and half of its 95 % interval.

    None of too few groups, and where all rows are right or all wrong: they show no spread.
    """

    share: float
    half_width: float | None


@dataclass(frozen=True)
class CellShares:
    """What a cell is right about: all rows, and those of each value."""

    cell: str
    kind: Kind
    whole: Share
    shares: tuple[Share, ...]


@dataclass(frozen=True)
class ColumnTable:
    """Accuracy by the values of a column.

    Parameters
    ----------
    column : its name.
    values : each value with its number of rows, the most frequent first.
    cells : the best cell of each fusion, best first.
    """

    column: str
    values: tuple[tuple[str, int], ...]
    cells: tuple[CellShares, ...]


@dataclass(frozen=True)
class BreakdownFacts:
    """A table for each column that the source breaks scores down by."""

    tables: tuple[ColumnTable, ...]


def facts(record: RunRecord) -> BreakdownFacts | None:
    """Accuracy by the values of each column; None without such a column or a complete cell."""
    best: dict[str, Standing] = {}
    for standing in rank_cells(record).ranked("image", "text", "fusion", "baseline"):
        best.setdefault(standing.cell.fusion, standing)
    shown = list(best.values())[:CELLS]
    if not shown or not record.breakdown:
        return None
    return BreakdownFacts(
        tuple(_table(name, values, shown, record) for name, values in record.breakdown.items())
    )


def _table(
    name: str, values: Sequence[str | None], shown: Sequence[Standing], record: RunRecord
) -> ColumnTable:
    correct = [_correct(standing, record.labels) for standing in shown]
    scored = np.flatnonzero(np.isfinite(correct[0]))
    named = np.array([value or NOTHING for value in values], dtype=object)
    counts = Counter(named[scored].tolist()).most_common()
    if len(counts) > VALUES + 1:
        leading = {value for value, _ in counts[:VALUES]}
        named = np.array([value if value in leading else OTHERS for value in named], dtype=object)
        counts = [*counts[:VALUES], (OTHERS, sum(count for _, count in counts[VALUES:]))]
    groups = np.arange(len(named)) if record.groups is None else record.groups
    parts = [scored[named[scored] == value] for value, _ in counts]
    return ColumnTable(
        name,
        tuple(counts),
        tuple(
            CellShares(
                standing.cell.name,
                standing.kind,
                share_of(right[scored], groups[scored]),
                tuple(share_of(right[rows], groups[rows]) for rows in parts),
            )
            for standing, right in zip(shown, correct, strict=True)
        ),
    )


def _correct(standing: Standing, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of the repeats in which each of n rows is right, nan for rows that are not scored."""
    right, times = np.zeros(len(labels)), np.zeros(len(labels))
    for fold in standing.folds.values():
        right[fold.rows] += fold.probabilities.argmax(axis=1) == labels[fold.rows]
        times[fold.rows] += 1
    return np.where(times > 0, right / np.maximum(times, 1), np.nan)


def share_of(right: NDArray[np.float64], groups: NDArray[np.int64]) -> Share:
    """The mean r of how often n rows are right, with 1.96 standard errors.

    Rows of a group are alike: se^2 = G / (G - 1) sum_g (sum_{i in g} (r_i - r))^2 / n^2 for G
    groups (Liang and Zeger 1986).
    """
    mean = float(right.mean())
    codes = np.unique(groups, return_inverse=True)[1]
    sums = np.bincount(codes, weights=right - mean)
    if len(sums) < FEWEST or mean in (0, 1):
        return Share(mean, None)
    error = np.sqrt(len(sums) / (len(sums) - 1) * np.square(sums).sum()) / len(right)
    return Share(mean, float(1.96 * error))


SECTION = Section("By kind of row", facts)
