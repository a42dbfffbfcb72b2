"""`python -m tests.damage.steps N FAULT FOLDER MODULE...`: a command that fails at its Nth step.

A step is a change of files under FOLDER: a file opened to be written, moved or removed, a folder
made or removed. N of 0 fails nowhere, and says how many there are.
"""

from __future__ import annotations

import errno
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any, Literal, TypeAlias

Fault: TypeAlias = Literal["killed", "full", "forbidden"]
ERRORS = {"full": errno.ENOSPC, "forbidden": errno.EACCES}
CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate"}
REMOVING = {"os.remove", "os.rmdir"}  # what a full disk allows
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND
COUNT = "steps: "


class Steps:
    """Counts the steps of this process, and makes one fail, with all that come after it."""

    def __init__(self, number: int, fault: Fault, folder: str) -> None:
        self._number, self._fault, self._folder = number, fault, folder
        self.count = 0

    def take(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook (PEP 578)."""
        if not (event in CHANGES or (event == "open" and self._writes(arguments))):
            return
        path = os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes) else ""
        if Path(path).is_absolute() and not path.startswith(self._folder):
            return
        self.count += 1
        if not 0 < self._number <= self.count:
            return
        if self._fault == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        elif not (self._fault == "full" and event in REMOVING):
            number = ERRORS[self._fault]
            raise OSError(number, os.strerror(number), path)

    def _writes(self, arguments: tuple[Any, ...]) -> bool:
        _, mode, flags = arguments
        return isinstance(arguments[0], str | bytes) and bool(
            flags & WRITING if isinstance(flags, int) else set(str(mode)) & set("wax+")
        )


def main(number: int, fault: Fault, folder: str, command: list[str]) -> None:
    """Run a module as `python -m` does."""
    steps = Steps(number, fault, folder)
    sys.addaudithook(steps.take)
    sys.argv = command
    try:
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    finally:
        print(f"{COUNT}{steps.count}", file=sys.stderr)


if __name__ == "__main__":
    fault_given: Any = sys.argv[2]
    main(int(sys.argv[1]), fault_given, sys.argv[3], sys.argv[4:])
