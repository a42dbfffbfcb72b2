"""A run's files are put in place together, and an earlier run's are kept beside them.

They are written beside, and moved when all are there; until then the earlier run is untouched. Each
move can be taken up again where it was stopped, by the next run: readers find the files of one run,
or (for the time of a few renames) no finished run, never those of two.

Within the folder of the run:

1. `.unfinished-...`   files are written here.
2. `.whole`            all are written and on the disk: from here on they will be in place.
3. `.earlier`          takes the earlier run's files, its grid.lock.yaml first.
4. `previous`          is what `.earlier` becomes; the run that was kept there before goes. Where
                       the earlier run was the same one, it becomes `.gone`, and goes.
5. `.moving`           is what `.whole` becomes: its files go into place, grid.lock.yaml last.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.config.reading.origin import LOCK, ORIGIN, VERDICT
from pipeline.engine.progress import say
from pipeline.results.origin import as_seen_below
from pipeline.store.files import sync_folder
from reports.page.files import MACHINE, sweep_aside
from reports.wording import listed

# Everything that a run may leave: the lock goes first and comes last.
FILES = (
    LOCK,  # a folder without it is no finished run's
    ORIGIN,
    VERDICT,
    "folds.npz",
    "predictions.parquet",
    "ranks.parquet",
    "scores.csv",
    "contrasts.csv",
    "labels.csv",
    "dropped.csv",
    "entries.txt",
    "failures.json",
    "report.html",
    "report.md",
    "report.pdf",  # printed afterwards, of this run's page: it goes where that goes
    "table.tex",
    "charts",
)
PREVIOUS = "previous"
UNFINISHED, WHOLE, EARLIER, MOVING = ".unfinished-", ".whole", ".earlier", ".moving"
GONE = ".gone"  # an earlier run that is on its way out


@contextmanager
def placed(folder: Path) -> Iterator[Path]:
    """Give a folder to write a run's files into; they take the place of an earlier run's.

    An earlier run of another grid, or of other rows, is kept as `previous`, and that is said. Where
    anything fails before all are written the earlier run stays as it is.

    Parameters
    ----------
    folder : of the run, made by make_writable; other files in it are left alone.

    Raises
    ------
    OSError
        Where the files cannot be written or moved.
    """
    from filelock import FileLock  # it imports asyncio

    _sweep(folder)
    aside = folder / f"{UNFINISHED}{MACHINE}-{os.getpid()}"
    aside.mkdir()
    try:
        yield aside
        sync_folder(aside)
        with FileLock(folder / ".lock"):
            take_up(folder)
            aside.replace(folder / WHOLE)
            take_up(folder)
            with suppress(OSError):  # some systems keep a file that is open
                (folder / ".lock").unlink()
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def make_writable(folder: Path) -> None:
    """Make the folder of a run, and see that it can be written.

    Raises
    ------
    OSError
        Where it cannot, or holds files that are no run's and would be moved as if they were.
    """
    folder.mkdir(parents=True, exist_ok=True)
    foreign = _foreign(folder)
    if foreign:
        raise FileExistsError(
            errno.EEXIST,
            f"of what a run writes, {listed(foreign)} {'is' if len(foreign) == 1 else 'are'} "
            "there already, and of no run",
        )
    with tempfile.TemporaryFile(dir=folder):
        pass


def _foreign(folder: Path) -> list[str]:
    """Names of files that the run would take for those of an earlier one, and that are others'."""
    names = list(FILES) if is_settled(folder) and not (folder / LOCK).is_file() else []
    if not (folder / PREVIOUS / LOCK).is_file():
        names.append(PREVIOUS)
    return [name for name in names if os.path.lexists(folder / name)]


def is_settled(folder: Path) -> bool:
    """Whether the files of a run are in place, and none wait to be moved there."""
    return not any((folder / name).exists() for name in (WHOLE, EARLIER, MOVING))


def take_up(folder: Path) -> None:
    """Put the files in place that a stopped run had written whole; nothing where there are none."""
    whole, moving = folder / WHOLE, folder / MOVING
    if whole.exists():
        _set_aside(folder, is_again=_is_same_run(folder, whole))
        whole.replace(moving)
    if moving.exists():
        for path in sorted(moving.iterdir(), key=lambda path: path.name == LOCK):
            path.replace(folder / path.name)
        moving.rmdir()
        sync_folder(folder)


def _sweep(folder: Path) -> None:
    """Remove what killed runs of this machine left."""
    sweep_aside(folder, f"{UNFINISHED}{MACHINE}-")
    shutil.rmtree(folder / GONE, ignore_errors=True)


def _is_same_run(folder: Path, whole: Path) -> bool:
    """Whether the run in place has the grid, the rows and the versions of the new one."""
    locks = [_text(path / LOCK) for path in (_holder(folder), whole)]
    return locks[0] == locks[1]


def _holder(folder: Path) -> Path:
    """Where the earlier run's lock is."""
    return folder / EARLIER if (folder / EARLIER / LOCK).exists() else folder


def _set_aside(folder: Path, is_again: bool) -> None:
    """Move the earlier run's files away: to be kept, or to be gone where it `is_again` the same."""
    earlier, previous = folder / EARLIER, folder / PREVIOUS
    earlier.mkdir(exist_ok=True)
    for name in FILES:
        path = folder / name
        below = _origin_below(path) if name == ORIGIN else ""
        if below:
            (earlier / name).write_text(below, "utf-8")
            path.unlink()
        elif path.exists():
            path.replace(earlier / name)
    if is_again or not any(earlier.iterdir()):
        shutil.rmtree(folder / GONE, ignore_errors=True)
        earlier.replace(folder / GONE)
        shutil.rmtree(folder / GONE)
        return
    replaced = previous.exists()
    shutil.rmtree(previous, ignore_errors=True)
    earlier.replace(previous)
    say(
        f"the earlier run in {folder}, {_described(previous)}, is kept as {previous}"
        + (", in place of the one that was kept there" if replaced else "")
    )


def _origin_below(path: Path) -> str:
    """What counts from the folder, counted from one below it; nothing of a damaged file."""
    try:
        return as_seen_below(_text(path))
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def _described(folder: Path) -> str:
    """What a run was of: its grid file."""
    try:
        return f"of {Path(json.loads(_text(folder / ORIGIN))['grid']).name}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return "of another grid"


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
