"""The table of faults: how often each was tried, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

EXAMPLES = 3  # problems that are shown of a kind of fault


@dataclass
class Row:
    """A kind of fault."""

    tries: int = 0
    lost: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass
class Tally:
    """What came of the faults by their kind."""

    rows: dict[str, Row] = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)

    def note(self, kind: str, problems: Iterable[str], tries: int = 1) -> None:
        """Some tries of a kind of fault, and all that was wrong after them."""
        row = self.rows.setdefault(kind, Row())
        row.tries += tries
        wrong = list(dict.fromkeys(problems))
        row.lost += min(tries, len(wrong)) if tries > 1 else bool(wrong)
        row.problems += wrong

    @property
    def is_sound(self) -> bool:
        """Whether nothing was lost, and something tried."""
        return bool(self.rows) and not any(row.lost for row in self.rows.values())

    def lines(self) -> Iterator[str]:
        """The table, then what was wrong."""
        width = max(map(len, self.rows), default=0)
        yield f"{'fault':{width}}  tries  survived  lost"
        for kind, row in self.rows.items():
            yield f"{kind:{width}}  {row.tries:5}  {row.tries - row.lost:8}  {row.lost:4}"
        tries, lost = (sum(getattr(row, name) for row in self.rows.values())
                       for name in ("tries", "lost"))
        yield f"{'all':{width}}  {tries:5}  {tries - lost:8}  {lost:4}"
        for kind, row in self.rows.items():
            for problem in row.problems[:EXAMPLES]:
                yield f"  {kind}: {problem}"
            if len(row.problems) > EXAMPLES:
                yield f"  {kind}: and {len(row.problems) - EXAMPLES} more"
