"""Commands in processes of their own: where they are, how they end, and what they leave."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

import psutil

from tests.damage.mounts import may_mount
from tests.support.paths import ROOT

COMMAND = (sys.executable, "-m")
PATIENCE = 600.0  # seconds after which a command hangs
GRACE = 10.0  # seconds in which the last process of a command must have ended
MARK = "MODALGRID_DAMAGE"  # variable that all processes of a command have
WORKER = "joblib.externals.loky.backend.popen_loky_posix"
SHARED_MEMORY = Path("/dev/shm")
# Stages in their order, by the first line of stderr that belongs to them.
MARKS = {
    "check of rows": re.compile(r"^$"),
    "encode": re.compile(r"^\d+ rows, "),
    "learn features": re.compile(r"^Features: "),
    "fit": re.compile(r"^Fits: "),
    "inner folds": re.compile(r"^(features: \d+|Inner folds)"),
    "attention": re.compile(r"^(inner folds of|Attention: )"),
    "altered rows": re.compile(r"^Altered rows: "),
    "learning curve": re.compile(r"^altered rows: "),
    "report": re.compile(r"^(Fits with \S+ of the labels: (\d+)/\2,|ALARM: |report: )"),
}
STAGES = tuple(MARKS)
# seconds from the start, by stage
Stages: TypeAlias = dict[str, float]
# Caches of libraries, which stay for the user's next command.
CACHE = re.compile(r"torchinductor_|_jinja2-cache|jieba\.cache")
# What no user should see, whatever happens.
UGLY = re.compile(r"Traceback|Warning:|Exception ignored|leaked|core dumped|Segmentation")


class Running:
    """A command in a process group of its own.

    Attributes
    ----------
    stages : when each stage that it has come to began, in seconds.
    code : its exit code, once it has ended.
    """

    def __init__(self, command: list[str], folder: Path) -> None:
        self._mark, self._folder = uuid.uuid4().hex, folder
        scratch = folder / "tmp"
        scratch.mkdir(exist_ok=True)
        environment = {**os.environ, MARK: self._mark, "TMPDIR": str(scratch),
                       "PYTHONPATH": str(ROOT)}
        self._begun = time.monotonic()
        self._output = (folder / f"{self._mark}.txt").open("w+")
        self.stages: Stages = {STAGES[0]: 0.0}
        self._news, self._lines = threading.Condition(), list[str]()
        self.code: int | None = None
        self._process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=self._output,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self.kill(signal.SIGKILL)
        for process in self._processes():
            process.kill()
        self._reader.join(GRACE)
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._output.close()
        Path(self._output.name).unlink()

    @property
    def text(self) -> str:
        """All that it said so far."""
        return "".join(self._lines)

    @property
    def output(self) -> str:
        """What it printed, which may be asked while its context lasts."""
        self._output.seek(0)
        return self._output.read()

    @property
    def stage(self) -> str:
        """The stage that it is at."""
        return next(stage for stage in reversed(STAGES) if stage in self.stages)

    def wait_for(self, stage: str, patience: float = PATIENCE) -> bool:
        """Wait until it comes to a stage or a later one; False where it ends before."""
        later = set(STAGES[STAGES.index(stage):])
        with self._news:
            self._news.wait_for(
                lambda: bool(later & self.stages.keys()) or self.code is not None, patience
            )
            return bool(later & self.stages.keys()) and self._process.poll() is None

    def sleep(self, seconds: float) -> bool:
        """Let it go on for so long; False where it ends before."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def kill(self, number: signal.Signals, *, group: bool = True) -> None:
        """Send a signal to all its processes, or to the first alone."""
        try:
            if group:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)
        except ProcessLookupError:
            return

    def workers(self) -> list[psutil.Process]:
        """Processes that it started to compute side by side."""
        return [process for process in self._processes() if WORKER in process.cmdline()]

    def end(self, patience: float = PATIENCE) -> int | None:
        """Its exit code, once it and all that share its stderr have ended; None where it hangs."""
        self._reader.join(patience)
        try:
            self.code = self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            return None
        return self.code

    def problems(self) -> list[str]:
        """What it said that no user should see."""
        ugly = [line.strip() for line in self._lines if UGLY.search(line)]
        last = [line.strip() for line in self._lines[-1:]] if ugly else []
        return [" ... ".join(ugly[:1] + last)] if ugly else []

    def left_over(self, grace: float = GRACE) -> list[str]:
        """Processes, temporary files and shared memory that it left, after some seconds."""
        until = time.monotonic() + grace
        while self._processes() and time.monotonic() < until:
            time.sleep(0.05)
        left = [f"a process is left: {process.pid}" for process in self._processes()]
        scratch = [path.name for path in (self._folder / "tmp").iterdir()]
        left += [f"left in TMPDIR: {name}" for name in scratch if not CACHE.match(name)]
        if may_mount():  # else it is not of these tests alone
            left += [f"left in {path.parent}: {path.name}" for path in SHARED_MEMORY.iterdir()]
        return left

    def _processes(self) -> list[psutil.Process]:
        marked = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self._mark:
                    marked.append(process)
            except (psutil.Error, OSError):
                continue
        return marked

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            at = time.monotonic() - self._begun
            with self._news:
                self._lines.append(line)
                for stage, mark in MARKS.items():
                    if mark.search(line.rstrip()) and line.strip():
                        self.stages.setdefault(stage, at)
                self._news.notify_all()
        with self._news:
            self.code = self._process.wait()
            self.stages.setdefault("end", time.monotonic() - self._begun)
            self._news.notify_all()
