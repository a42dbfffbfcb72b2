"""What a time limit left out, in a sentence."""

from __future__ import annotations

from collections.abc import Iterator

from reports.unreached_record import UnreachedRecord
from reports.wording import count, first_listed, listed, quoted

NAMED = 3  # cells that a sentence names
AGAIN = "The same command goes on from here."


def not_reached(unreached: UnreachedRecord | None) -> Iterator[str]:
    """One sentence on what is missing and how to get it; none where nothing is."""
    if unreached is not None:
        yield f"Not reached within {unreached.limit}: {'; '.join(_parts(unreached))}. {AGAIN}"


def all_unreached(unreached: UnreachedRecord) -> str:
    """All of it by name, for a file."""
    return f"not reached within {unreached.limit}: {'; '.join(_parts(unreached, None))}"


def _parts(unreached: UnreachedRecord, named: int | None = NAMED) -> Iterator[str]:
    if not unreached.decides:
        yield "a whole repeat of the cells that come first"
    if unreached.repeats < unreached.drawn:
        first, last = unreached.repeats + 1, unreached.drawn
        numbers = f"repeat {last}" if first == last else f"repeats {first} to {last}"
        yield f"{numbers} of {unreached.drawn}"
    if unreached.cells:
        names = [quoted(name) for name in unreached.cells] if named else list(unreached.cells)
        shown = first_listed(names, named) if named else listed(names)
        yield f"{count(len(unreached.cells), 'cell')}, {shown}"
    yield from unreached.follow_ups
