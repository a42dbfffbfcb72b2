"""Labels to look at: rows that the winner, never having seen them, gives to another class."""

from __future__ import annotations

from dataclasses import dataclass

from reports.record import RunRecord
from reports.section import Section

SHOWN = 24  # with a thumbnail each, the page stays small


@dataclass(frozen=True)
class Doubt:
    """A row whose label is doubted: its class and the likelier one, with their probabilities."""

    row: int
    id: str
    text: str | None
    label: str
    probability: float
    suggested: str
    suggested_probability: float


@dataclass(frozen=True)
class LabelsFacts:
    """Doubtful labels, the least probable first.

    Parameters
    ----------
    cell : whose out-of-fold probabilities they rest on; `rows` have some.
    doubts : of all `count` the first SHOWN.
    """

    cell: str
    rows: int
    count: int
    doubts: tuple[Doubt, ...]


def facts(record: RunRecord) -> LabelsFacts | None:
    """The doubtful labels; None where they were not looked for, or none is doubtful."""
    if record.label_issues is None or not len(record.label_issues.rows):
        return None
    issues = record.label_issues
    return LabelsFacts(issues.cell, issues.scored, len(issues.rows), doubts(record)[:SHOWN])


def doubts(record: RunRecord) -> tuple[Doubt, ...]:
    """Every doubtful label of a run."""
    if record.label_issues is None:
        return ()
    pairs = zip(
        record.label_issues.rows.tolist(), record.label_issues.probabilities, strict=True
    )
    made = []
    for row, probabilities in pairs:
        label, suggested = int(record.labels[row]), int(probabilities.argmax())
        made.append(
            Doubt(
                row,
                record.ids[row],
                record.texts[row],
                record.classes[label],
                float(probabilities[label]),
                record.classes[suggested],
                float(probabilities[suggested]),
            )
        )
    return tuple(made)


SECTION = Section("Labels to look at", facts)
