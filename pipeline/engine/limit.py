"""How long a run may take: what of its work may still begin, and when the rest is left."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Protocol

from pipeline.engine.task import Batch, Task

SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_NUMBER = r"\d{1,6}(?:\.\d{1,3})?"
LIMIT = rf"(?=\d)(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?"  # a time limit as it is written
# Share of the limit, and most seconds, in which nothing begins: what runs may end in the first half
# of it, the second is for scores and report, which take 17 s at a million rows (docs/scale.md).
KEPT_BACK, MOST_KEPT_BACK = 0.1, 60.0


class Limit(Protocol):
    """Says whether work may still begin. It knows nothing of what the work is for.

    Attributes
    ----------
    text : as whoever set it wrote it, "10m".
    """

    @property
    def text(self) -> str:
        """See the class."""

    def allows(self, batch: Batch) -> bool:
        """Whether a batch may begin now; of an empty one, whether anything may."""

    def took(self, task: Task, seconds: float) -> None:
        """A task has ended that was computed in so many seconds."""

    def patience(self) -> float | None:
        """Seconds until what is running is left; None where all that began may end."""


class TimeLimit:
    """A limit in seconds on the clock.

    Nothing begins in the last tenth of it (a minute at most), nor what would run into the second
    half of that by what its like took before; what is running then is left.

    Parameters
    ----------
    text : "90s", "10m" or "1.5h".
    begun : what the clock said when the run began; None for now.
    clock : gives seconds that only rise.

    Raises
    ------
    ValueError
        With the rule, where the text is no limit.
    """

    def __init__(
        self,
        text: str,
        begun: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.text, self._clock = text, clock
        self._begun = clock() if begun is None else begun
        self._seconds = seconds_of(text)
        self._kept_back = min(KEPT_BACK * self._seconds, MOST_KEPT_BACK)
        self._took: dict[tuple[str, str], float] = {}  # the last of each stage and label

    @property
    def for_work(self) -> float:
        """Seconds from the beginning in which work may begin."""
        return self._seconds - self._kept_back

    def allows(self, batch: Batch) -> bool:
        """See Limit."""
        spent = self._clock() - self._begun
        expected = sum(self._took.get((task.stage, task.label), 0.0) for task in batch)
        return spent < self.for_work and spent + expected <= self._end

    def took(self, task: Task, seconds: float) -> None:
        """See Limit."""
        self._took[task.stage, task.label] = seconds

    def patience(self) -> float:
        """See Limit."""
        return max(0.0, self._end - (self._clock() - self._begun))

    @property
    def _end(self) -> float:
        return self._seconds - self._kept_back / 2


def checked_limit(given: object) -> str:
    """A time limit as a grid or the command line gives it.

    Raises
    ------
    ValueError
        With the rule and what may have been meant.
    """
    text = str(given)
    if re.fullmatch(LIMIT, text) and _seconds(text) > 0:
        return text
    number = re.match(r"\s*(\d{1,6})\s*([smh]?)", text)
    meant = "" if number is None or not int(number[1]) else _meant(number[1], number[2])
    raise ValueError(
        f"a time limit is a number above 0 with its unit, s, m or h: 90s, 10m, 2h or 1h30m{meant}"
    )


def _meant(number: str, unit: str) -> str:
    choices = [f"{number}{letter}" for letter in (unit or SECONDS)]
    return f"; did you mean {' or '.join(choices)}?"


def seconds_of(text: str) -> float:
    """Seconds of a time limit. Raises ValueError with the rule."""
    return _seconds(checked_limit(text))


def _seconds(text: str) -> float:
    return sum(
        float(number) * SECONDS[unit] for number, unit in re.findall(rf"({_NUMBER})([smh])", text)
    )
