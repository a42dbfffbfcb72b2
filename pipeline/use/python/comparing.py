"""compare(grid, data): a run whose rows and results are tables in memory."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from features.machine.cores import cores
from features.machine.facts import caching_facts
from pipeline.config.grid import Grid, GridError
from pipeline.config.parse import checked_grid
from pipeline.config.plugins.active import carried
from pipeline.config.problem import Problem
from pipeline.config.yaml_lines import Lines, parse_yaml, read_yaml
from pipeline.data.frame import FRAME, FRAMES, Frame, is_pandas
from pipeline.engine.limit import TimeLimit
from pipeline.engine.opening import engine_at
from pipeline.flow import carry_out
from pipeline.plan.assignment import Assignment
from pipeline.plan.versions import KEYED
from pipeline.program.names import called
from pipeline.store.opening import DEFAULT_STORE, store_at
from pipeline.store.remember import fact_cache
from pipeline.use.python.compared import Compared, Making

GivenGrid: TypeAlias = Mapping[str, Any] | str | os.PathLike[str]
AGAIN = "pipeline.use.compare(grid, data)"  # there is no command: the rows are in no file


def compare(
    grid: GivenGrid,
    data: Any,
    *,
    store: str | os.PathLike[str] = DEFAULT_STORE,
    jobs: int | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Compared:
    """Compare classifiers on the rows of a table in memory, as `python -m pipeline.run` does.

    Parameters
    ----------
    grid : the keys of a grid file as a mapping, its YAML text (of more than a line), or its path.
        Under `data` it names columns, and no source: {"image": "photo", "text": "title", "label":
        "kind"}, and id, group or split; see pipeline.data.frame.Frame. Relative paths count from
        the working folder, those in a grid file from its folder.
    data : a pandas data frame, a pyarrow table or a list of mappings. Pictures are paths (from the
        working folder), encoded bytes, pictures of Pillow, or uint8 arrays.
    store : where features and results are kept: a folder, or s3://bucket/prefix.
    jobs : processes that fit models side by side; None for as many as there are cores.
    out : folder for the run's files; None for one that goes with the object.
    progress : whether to say on standard error how far it has come, with alarms and warnings.

    Returns
    -------
    The results. Cells that fail are in its `failures`; the others stand.

    Raises
    ------
    GridError, SourceError, DatasetError
        With every mistake in the grid, the table or its rows.
    EngineError, OSError
        Where the grid's engine cannot begin, and where store or folder cannot be made.
    """
    begun = time.monotonic()
    made_grid, file = _grid(grid)
    address = os.fspath(store)
    folder = Path(tempfile.mkdtemp(prefix="modalgrid-")) if out is None else Path(out)
    making = Making(made_grid.run, cores() if jobs is None else jobs, progress, carried())
    try:
        with making.shown(), caching_facts(fact_cache(store_at(address))):
            samples = Frame(**made_grid.data.parameters).samples(data)
            text = made_grid.run.time_limit
            limit = None if text is None else TimeLimit(text, begun)
            assignment = Assignment(
                made_grid, file, address, folder, AGAIN, samples, ("store", "out"), limit
            )
            with engine_at(*making.engine, KEYED, making.plugins) as engine:
                finished = carry_out(assignment, engine)
    except BaseException:
        if out is None:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    compared = Compared(finished, folder, making, is_pandas(data), is_kept=out is not None)
    if out is None:
        weakref.finalize(compared, shutil.rmtree, folder, ignore_errors=True)
    return compared


def _grid(given: GivenGrid) -> tuple[Grid, Path]:
    """The grid, and the file that it stands in or would stand in."""
    file = Path("grid")
    read: tuple[Any, Lines, list[Problem]]
    if isinstance(given, Mapping):
        read = _plain(given), {}, []
    elif isinstance(given, str) and "\n" in given:
        read = parse_yaml(given)
    else:
        file = Path(given)
        read = read_yaml(file)
    content = read[0]
    if isinstance(content, dict) and isinstance(content.get("data"), dict):
        content["data"] = {"source": FRAME, **content["data"]}
    grid = checked_grid(read, file, FRAMES)
    if grid.task != "classification":
        raise GridError(
            [f"task: what is compared from Python classifies; {called('run')} does the rest"]
        )
    return grid, file


def _plain(value: Any) -> Any:
    """The value in the types that a grid file has."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value
