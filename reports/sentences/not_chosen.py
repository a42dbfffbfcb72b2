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
            f"{count(len(behind), f'{noun} was', f'{noun}s were')} too far behind to be considered "
            f"for the choice, for which {'it' if len(behind) == 1 else 'they'} would have to be "
            f"{made} further times: {some(behind)}."
        )
    if failed:
        yield (
            f"{count(len(failed), noun)} could not be tried on parts of the training rows, and so "
            f"not be chosen: {some(failed)}."
        )


def some(names: Sequence[str]) -> str:
    """The first cells in quotation marks, and how many more there are."""
    return first_listed([quoted(name) for name in names], NAMED)
