"""A run of a table or a folder without a grid: of the one that `python -m pipeline.new` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.config.grid import Grid
from pipeline.config.yaml_lines import parse_yaml, read_yaml
from pipeline.engine.progress import say
from pipeline.start.draft import NoStart
from pipeline.start.starting import run_name, start
from pipeline.store.store import Store

GRID = "grid.yaml"  # beside the results


def grid_of_data(
    path: Path, folder: Path | None, store: Store, run: str, *, write: bool
) -> tuple[Grid, Path]:
    """The grid for a table or a folder, and its file in the folder of the run.

    Parameters
    ----------
    folder : of the run; None for runs/NAME.
    store : of the run, which keeps the check of the pictures.
    run : what whoever reads a message calls the command that runs a grid.
    write : whether the file is written; a plan writes nothing.

    Raises
    ------
    NoStart, SourceError, DatasetError
        Where no grid can be written for these rows; where another one is there already.
    OSError
        Where the file cannot be written.
    """
    folder = folder or Path("runs") / run_name(path)
    file = folder / GRID
    started = start(path, store=store if write else None)
    for line in started.lines():
        say(line)
    if file.exists():
        _check_same(file, path, started.text(file), run)
        say(f"this is what {file} says: it is run")
    elif write:
        folder.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as text:
            text.write(started.text(file))
        say(f"no grid was given: this one is written to {file}, and run. Edit it and run it to "
            "compare something else")
    else:
        say(f"no grid was given: a run would write this one to {file}")
    # without the folder of the run no path leads from there
    return started.grid(file if write else path.parent / GRID), file


def _check_same(file: Path, path: Path, text: str, run: str) -> None:
    """Raise NoStart where the file says something else than what would be written."""
    if _said(read_yaml(file)) != _said(parse_yaml(text)):
        raise NoStart(
            f"{file} is there already and says something else than what {path} asks for now: run "
            f"that ({run} {file}), name another folder with --out, or move it away"
        )


def _said(read: tuple[Any, Any, Any]) -> Any:
    """What a grid says, comments aside; nothing that is equal where it cannot be read."""
    content, _, problems = read
    return object() if problems else content
