"""Which cells had no part in a choice on inner folds, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports.wording import count, first_listed, quoted

NAMED = 3  # cells that are named


def not_chosen(
    noun: str, made: str, behind: Sequence[str], failed: Sequence[str]
) -> Iterator[str]:
    """A sentence for each reason.

    Parameters
    ----------
    noun : what the cells are called, "cell" or "space".
    made : what would have been done there: "fitted" or "learned".
    behind, failed : names of the cells.
    """
    if behind:
        yield (
            f"{count(len(behind), noun)} with nothing to tune had no part in the choice on inner "
            f"folds, too far behind on the outer ones to be {made} there as well: {some(behind)}."
        )
    if failed:
        yield (
            f"{count(len(failed), noun)} could not be scored on inner folds, and had no part in "
            f"the choice: {some(failed)}."
        )


def some(names: Sequence[str]) -> str:
    """The first cells in quotation marks, and how many more there are."""
    return first_listed([quoted(name) for name in names], NAMED)
