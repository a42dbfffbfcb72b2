"""From a table or a folder to a grid file that runs."""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config.grid import Grid
from pipeline.config.parse import checked_grid
from pipeline.config.yaml_lines import parse_yaml
from pipeline.data.sources.columns import ENDINGS, read_columns
from pipeline.program.names import called, is_installed
from pipeline.start.draft import Draft, Given, Line, NoStart, is_data
from pipeline.start.encoders import left_out
from pipeline.start.folders import folder_draft
from pipeline.start.grid_text import flow, grid_text
from pipeline.start.rows import settled
from pipeline.start.tables import table_draft
from pipeline.store.opening import store_at
from pipeline.store.store import Store
from reports.wording import first_listed, for_terminal

FILES = 6  # of a folder that are named


@dataclass(frozen=True)
class Start:
    """A grid for rows that were looked at, wherever it is to stand.

    Parameters
    ----------
    draft : each of its lines with the reason.
    """

    draft: Draft

    def text(self, grid_file: Path) -> str:
        """The text of the file, whose paths count from its folder."""
        path = self.draft.path
        # from beside the file; a source that is not installed runs from its own folder alone
        named = grid_file.name if is_installed() else str(grid_file)
        command = f"{called('run')} {shlex.quote(named)}"
        located = _located(self.draft, grid_file)
        return grid_text(located, run_name(path), relative(path, grid_file), command)

    def grid(self, grid_file: Path) -> Grid:
        """The grid that stands in that file."""
        return checked_grid(parse_yaml(self.text(grid_file)), grid_file)

    def lines(self) -> Iterator[str]:
        """What was seen and decided, for a terminal."""
        draft = self.draft
        yield for_terminal(f"{draft.path}: {draft.about}")
        encoders = [flow(line.value) for line in (*draft.image, *draft.text)]
        entries = [
            *draft.data, draft.split, Line("encoders", ", ".join(encoders)), *draft.seen
        ]
        width = max(len(entry.key) for entry in entries)
        for entry in entries:
            is_text = isinstance(entry.value, str | Path)
            value = str(entry.value) if is_text else flow(entry.value)
            yield for_terminal(f"  {entry.key:{width}}  {value}" + (entry.why and f": {entry.why}"))
        yield from map(for_terminal, draft.doubts)


def start(path: Path, given: Given | None = None, store: Store | None = None) -> Start:
    """A grid for a table or a folder.

    Parameters
    ----------
    given : columns that are known.
    store : where the check of the pictures is kept; None to keep it nowhere.

    Raises
    ------
    NoStart, SourceError, DatasetError
        Where no grid can be written for these rows, with the reasons.
    """
    if store is None:
        with tempfile.TemporaryDirectory(prefix="modalgrid-") as folder:
            return start(path, given, store_at(folder))
    started = Start(_draft(path, given or Given()))
    beside = path.parent / "grid.yaml"  # from there the rows can be read, wherever it will stand
    draft = settled(started.draft, started.grid(beside), store)
    return Start(replace(draft, seen=(*draft.seen, *left_out(draft))))


def _draft(path: Path, given: Given) -> Draft:
    if not path.exists():
        raise NoStart(f"{path} does not exist")
    files = sorted(path.glob("*.parquet")) if path.is_dir() else []
    if len({frozenset(read_columns(file, ()).names) for file in files}) > 1:
        names = first_listed([file.name for file in files], FILES)
        raise NoStart(f"{path} holds tables of other columns each: name one of {names}")
    if path.is_dir() and not files:
        if given != Given():
            raise NoStart("--label, --image and --text name columns, and a folder has none")
        return folder_draft(path)
    if not is_data(path):
        raise NoStart(f"{path}: a table ends in {', '.join(ENDINGS)}")
    return table_draft(path, given)


def _located(draft: Draft, grid_file: Path) -> Draft:
    """The draft whose paths count from the grid's folder."""
    data = tuple(
        replace(line, value=relative(line.value, grid_file)) if isinstance(line.value, Path)
        else line
        for line in draft.data
    )
    return replace(draft, data=data)


def relative(path: Path, grid_file: Path) -> str:
    """The path as it counts from the grid's folder; absolute where none leads there."""
    # a link to a table is followed by nobody: pictures count from where it lies
    file = os.path.abspath(path)  # noqa: PTH100
    try:
        return Path(os.path.relpath(file, grid_file.parent.resolve())).as_posix()
    except ValueError:  # another drive
        return Path(file).as_posix()


def run_name(path: Path) -> str:
    """What a run of such rows is called."""
    stem = path.resolve().name if path.is_dir() else path.stem
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "items"
