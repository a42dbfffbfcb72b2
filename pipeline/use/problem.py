"""What goes wrong when a cell is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from reports.wording import for_terminal

LISTED = 10  # problems that are shown; the others are counted


class BundleError(Exception):
    """Why a cell cannot be bundled, or a bundle not be used, in words for whoever asked."""

    def __init__(self, reason: object) -> None:
        super().__init__(for_terminal(str(reason)))


class ItemError(BundleError, ValueError):
    """Items that cannot be predicted; `problems` has the reason by position, counted from 0."""

    def __init__(self, problems: Mapping[int, str]) -> None:
        super().__init__("\n".join(f"item {at}: {reason}" for at, reason in problems.items()))
        self.problems = dict(problems)


def listed(problems: Sequence[str]) -> Iterator[str]:
    """Lines of the first problems, and how many more there are."""
    yield from (f"  {problem}" for problem in problems[:LISTED])
    if len(problems) > LISTED:
        yield f"  ... and {len(problems) - LISTED} more"
