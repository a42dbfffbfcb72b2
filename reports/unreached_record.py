"""What a run did not reach within its time limit, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UnreachedRecord:
    """What is not in a report because the time was over. None of it has failed.

    Parameters
    ----------
    limit : as it was given, "10m".
    repeats, drawn : repeats of the folds that are compared, and those that there are.
    cells : names of those that are not whole on the repeats that are compared.
    kinds : which modalities these judge by, see reports.analysis.standing.Kind.
    follow_ups : what was not asked afterwards, in words.
    decides : whether the cells that come first have a whole repeat; else nothing can be concluded.
    """

    limit: str
    repeats: int
    drawn: int
    cells: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    follow_ups: tuple[str, ...] = ()
    decides: bool = True
