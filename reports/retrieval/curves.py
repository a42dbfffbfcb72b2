"""How many queries are answered by the k best candidates, for every k."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.charts.curves import Curve, curves, legend
from reports.retrieval.answer import WAY_NAMES, answer_of
from reports.retrieval_record import DIRECTIONS, Direction, RetrievalRecord
from reports.section import Chart, Section
from reports.wording import clean, count

CUTOFFS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100)
SHOWN = 5  # cells, best first: as many as there are kinds of dashes


@dataclass(frozen=True)
class Line:
    """Hits at each cutoff, of one cell."""

    name: str
    hits: tuple[float, ...]


@dataclass(frozen=True)
class CurvesFacts:
    """For each direction the cutoffs, up to its candidates, and the best cells' lines."""

    cutoffs: dict[Direction, tuple[int, ...]]
    lines: dict[Direction, tuple[Line, ...]]


def facts(record: RetrievalRecord) -> CurvesFacts | None:
    """Hits of the best cells; None without any."""
    answer = answer_of(record)
    if not answer.standings:
        return None
    cutoffs = {
        way: tuple(k for k in CUTOFFS if k <= max(answer.candidates[way], 1)) for way in DIRECTIONS
    }
    names = [standing.name for standing in answer.standings[:SHOWN]]
    return CurvesFacts(
        cutoffs,
        {way: _lines(record, names, way, cutoffs[way]) for way in DIRECTIONS},
    )


def _lines(
    record: RetrievalRecord, names: Sequence[str], way: Direction, cutoffs: tuple[int, ...]
) -> tuple[Line, ...]:
    return tuple(_line(record, name, way, cutoffs) for name in names)


def _line(record: RetrievalRecord, name: str, way: Direction, cutoffs: tuple[int, ...]) -> Line:
    first = np.concatenate(
        [fold.queries[way].first for fold in record.folds if fold.cell == name]
    )
    return Line(name, tuple(float(np.mean(first <= k)) for k in cutoffs))


def charts(facts: CurvesFacts) -> dict[str, Chart]:
    """One chart for each direction."""
    return {f"hits_{way}": _chart(facts, way) for way in DIRECTIONS}


def _chart(facts: CurvesFacts, way: Direction) -> Chart:
    lines = facts.lines[way]
    drawn = [
        Curve(
            line.name,
            "fusion",
            [(k, hit, None, None) for k, hit in zip(facts.cutoffs[way], line.hits, strict=True)],
        )
        for line in lines
    ]
    asked = WAY_NAMES[way]
    label = (
        f"Share of queries with a right answer among the k best, {asked}, of "
        f"{count(len(lines), 'cell')}; {clean(lines[0].name)} begins at {lines[0].hits[0]:.2f}."
    )
    spec = curves(drawn, f"k, {asked} (logarithmic)", "hit at k", log_x=True)
    caption = f"From {asked}: hits among the k best of a fold's candidates."
    return Chart(spec, label, caption, legend(drawn))


SECTION = Section("Hits among the k best", facts, charts)
