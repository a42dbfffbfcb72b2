"""Progress in a log: a line when a stage begins and ends, and some while it goes on."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.engine.showing.state import Stage, State
from pipeline.engine.showing.texts import begin_text, end_text, stage_text

# Seconds without a line: at first, at most, and as a share of what the run has taken so far. So ten
# minutes fill 60 lines, an hour 160, and a day 2,900.
LEAST, MOST, SHARE = 5.0, 30.0, 0.05
BRIEF = 2.0  # seconds of a step that are not worth a line


class Lines:
    """Writes lines of what goes on.

    Parameters
    ----------
    write : takes a line.
    """

    def __init__(self, state: State, write: Callable[[str], object]) -> None:
        self._state, self._write = state, write
        self._last = state.clock()

    def began(self, stage: Stage) -> None:
        """Of tasks it is said how many there are; a step that is brief is not worth a line."""
        if stage.is_of_tasks:
            self._say(begin_text(stage))

    def ended(self, stage: Stage) -> None:
        """See the class."""
        if is_worth_a_line(stage):
            self._say(end_text(stage))

    def tick(self) -> None:
        """Write a line where there was none for long."""
        with self._state.lock:
            now = self._state.clock()
            pause = min(MOST, max(LEAST, SHARE * (now - self._state.begun)))
            stages = self._state.open_stages()
            if now - self._last < pause or not stages:
                return
            texts = [stage_text(stage, now) for stage in stages if _is_news(stage, now)]
        for text in texts:
            self._say(text)

    def close(self) -> None:
        """Nothing is left open."""

    def _say(self, text: str) -> None:
        self._last = self._state.clock()
        self._write(text)


def _is_news(stage: Stage, now: float) -> bool:
    """Whether a line on a stage that goes on says something: work that runs, or a long step."""
    return bool(stage.now) if stage.is_of_tasks else stage.seconds(now) >= BRIEF


def is_worth_a_line(stage: Stage) -> bool:
    """Whether it is said that a stage has ended: of tasks always, of a step where it took long."""
    return not stage.has_parts and (stage.is_of_tasks or stage.seconds(0.0) >= BRIEF)
