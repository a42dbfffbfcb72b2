"""progress.json of a run, and the page that shows it while it goes on and after it has ended."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

from pipeline.engine.showing.snapshot import snapshot
from pipeline.engine.showing.state import Stage, State
from reports.page.files import aside_of

EVERY = 2.0  # seconds between two writings
PATIENCE = 30.0  # seconds before it is tried again where nothing could be written
JSON, SCRIPT, PAGE = LIVE_FILES = "progress.json", "progress.js", "progress.html"


class LivePage:
    """Writes how far a run is into its folder.

    The page needs no server: it loads the script beside it anew every few seconds, which a browser
    allows where it does not let a page read a file. Each file is whole at any moment. That nothing
    can be written, on a full disk, is no fault of the run.

    Parameters
    ----------
    folder : of the run; it is there.
    """

    def __init__(self, state: State, folder: Path) -> None:
        self._state, self._folder = state, folder
        self._next, self._lock, self._is_removed = 0.0, Lock(), False
        self._write(with_page=True)

    def began(self, stage: Stage) -> None:
        """See View: it is seen with the next writing."""

    def ended(self, stage: Stage) -> None:
        """See View."""

    def tick(self) -> None:
        """Write, where it was not written just now."""
        if time.monotonic() >= self._next:
            self._write(with_page=False)

    def close(self) -> None:
        """Write how it ended, also into the page, which then needs no other file."""
        self._write(with_page=True)

    def remove(self) -> None:
        """Take it all back, with a folder that holds nothing else: of a run that was refused."""
        with self._lock, suppress(OSError):
            self._is_removed = True
            for name in LIVE_FILES:
                (self._folder / name).unlink(missing_ok=True)
            self._folder.rmdir()

    def _write(self, *, with_page: bool) -> None:
        from reports.page.live import page, script

        said = {**snapshot(self._state), "report": self._report()}
        contents = {JSON: json.dumps(said, indent=1, ensure_ascii=False), SCRIPT: script(said)}
        if with_page:
            contents[PAGE] = page(said)
        self._next = time.monotonic() + EVERY
        with self._lock:
            if self._is_removed:
                return
            try:
                for name, content in contents.items():
                    self._replace(name, content)
            except OSError:
                self._next = time.monotonic() + PATIENCE

    def _report(self) -> str | None:
        """The report of this run, once it is there."""
        is_there = self._state.ending == "done" and (self._folder / "report.html").exists()
        return "report.html" if is_there else None

    def _replace(self, name: str, content: Any) -> None:
        """Write aside and move: a reader sees the earlier file or the whole new one.

        It is not flushed to the disk, which would take longer than it is of use.
        """
        aside = aside_of(self._folder / name)
        try:
            aside.write_text(content, encoding="utf-8", errors="replace", newline="\n")
            aside.replace(self._folder / name)
        except OSError:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            raise
