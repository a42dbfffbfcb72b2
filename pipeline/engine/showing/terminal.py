"""Progress on a terminal: bars that move while stages go on, and lines that stay."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

from pipeline.engine.showing.lines import is_worth_a_line
from pipeline.engine.showing.state import Stage, State
from pipeline.engine.showing.texts import doing_texts, end_text, left_text, noun
from reports.units import elapsed

SOON = 0.3  # seconds of a step that pass without anything being shown


class Terminal:
    """Draws what goes on below what was said, and removes it when nothing does.

    Parameters
    ----------
    write : takes a line that stays.
    """

    def __init__(self, state: State, write: Callable[[str], object]) -> None:
        self._state, self._write = state, write
        self._live: Any = None
        self._logged: list[tuple[logging.StreamHandler[Any], Any]] = []

    def began(self, stage: Stage) -> None:
        """What it does is drawn with the next tick."""

    def ended(self, stage: Stage) -> None:
        """Say what took long; and draw nothing where nothing goes on any more."""
        if is_worth_a_line(stage):
            self._write(end_text(stage))
        if not self._state.open_stages():
            self.close()

    def tick(self) -> None:
        """Draw how far it is."""
        with self._state.lock:
            now = self._state.clock()
            stages = self._state.open_stages()
            if not any(stage.seconds(now) >= SOON for stage in stages):
                return
            if self._live is None:
                self._open()
            self._live.update(drawn(stages, now), refresh=True)

    def close(self) -> None:
        """Remove what is drawn."""
        with self._state.lock:
            if self._live is not None:
                self._live.stop()
                self._live = None
                for handler, stream in self._logged:
                    handler.setStream(stream)
                self._logged.clear()

    def _open(self) -> None:
        from rich.console import Console
        from rich.live import Live

        stream = sys.stderr
        self._live = Live(
            console=Console(stderr=True), auto_refresh=False, transient=True, redirect_stdout=False
        )
        self._live.start()
        # a process that is ended at once could not show it again
        self._live.console.show_cursor(True)
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is stream:
                self._logged.append((handler, stream))
                handler.setStream(sys.stderr)  # which now writes above what is drawn


def drawn(stages: list[Stage], now: float) -> Any:
    """The stages as rich draws them: a line each, and below it what is done now."""
    from rich.console import Group
    from rich.text import Text

    lines: list[Any] = []
    for stage in stages:
        lines.append(_line(stage, now))
        lines += [
            Text(f"  {text}", style="dim", no_wrap=True, overflow="ellipsis")
            for text in doing_texts(stage, now)
        ]
    return Group(*lines)


def _line(stage: Stage, now: float) -> Any:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    seconds = elapsed(stage.seconds(now))
    said = ", ".join([seconds, *left_text(stage, now)])
    line = Table.grid(padding=(0, 1), expand=False)
    if not stage.total:
        line.add_row(Text(f"{stage.name}, {seconds}", no_wrap=True, overflow="ellipsis"))
        return line
    line.add_row(
        Text(stage.name, no_wrap=True),
        ProgressBar(total=stage.total, completed=stage.counted, width=30),
        Text(f"{stage.counted:,}/{stage.total:,}{noun(stage)}", no_wrap=True),
        Text(said, no_wrap=True),
    )
    return line
