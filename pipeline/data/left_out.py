"""Rows that are left out: in a few lines by reason, and all of them as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from reports.wording import LISTED, count, first_lines, first_listed, short

DROPPED = "dropped.csv"  # in the folder of a run that left rows out
NAMED = 3  # rows that a line on many names


class LeftOut(NamedTuple):
    """A row that is left out.

    Parameters
    ----------
    location : where the source has it.
    id : its id; "" where it has none.
    sentence : what is wrong with it, with its place.
    reason : the same of all rows that are left out for the same reason: the first there is.
    """

    location: str
    id: str
    sentence: str
    reason: str


def by_reason(rows: Iterable[LeftOut]) -> dict[str, list[LeftOut]]:
    """The rows of each reason, the most frequent first."""
    grouped: dict[str, list[LeftOut]] = {}
    for row in rows:
        grouped.setdefault(row.reason, []).append(row)
    return dict(sorted(grouped.items(), key=lambda item: -len(item[1])))


def counted_reasons(rows: Sequence[LeftOut]) -> list[str]:
    """How many rows each reason leaves out, and the first of them."""
    return [
        f"{count(len(of_reason), 'row')}, {reason}: "
        f"{first_listed([short(row.location) for row in of_reason], NAMED)}"
        for reason, of_reason in by_reason(rows).items()
    ]


def told_rows(rows: Sequence[LeftOut]) -> list[str]:
    """A line for each of a few rows; of many a line for each reason, and where all stand."""
    if len(rows) <= LISTED:
        return [row.sentence for row in rows]
    reasons = first_lines(counted_reasons(rows), what="reasons")
    return [*reasons, f"all of them stand in {DROPPED} of the run's folder"]


def dropped_csv(rows: Iterable[LeftOut]) -> str:
    """All rows that are left out, with their place, id and reasons."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "id", "reason", "sentence"])
    writer.writerows([row.location, row.id, row.reason, row.sentence] for row in rows)
    return text.getvalue()
