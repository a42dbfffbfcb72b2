"""Which file the paths of a grid count from: a lock file is not where its grid file was."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pipeline.config.grid import GridError

LOCK = "grid.lock.yaml"  # the filled-in grid in a run's folder
VERDICT = "verdict.json"  # its answer
ORIGIN = "origin.json"  # beside it: where the grid file and the store of the run are
FINGERPRINT = "# data fingerprint (sha256): "  # begins a line of the lock file
CHECKSUMS = "sha256"  # key in it: of what is read from a run's folder later


def fingerprint_in(lock: str) -> str:
    """The fingerprint of the rows of a run, by the text of its lock file; "" where it has none."""
    lines = (line for line in lock.splitlines() if line.startswith(FINGERPRINT))
    return next(lines, "").removeprefix(FINGERPRINT).strip()


def grid_file_of(path: Path) -> Path:
    """The grid file itself; of a lock file, the grid file which that was made of.

    Raises
    ------
    GridError
        Where what a run left beside its lock file does not say which.
    """
    beside = path.absolute().parent / ORIGIN
    if path.name != LOCK or not beside.is_file():
        return path
    try:
        grid = json.loads(beside.read_text(encoding="utf-8"))["grid"]
        return Path(os.path.realpath(os.path.normpath(beside.parent / grid)))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise GridError(
            [f"{path.name}: {beside} does not say where its grid file was, from whose folder its "
             "paths count: run a copy of the file from there"]
        ) from error
