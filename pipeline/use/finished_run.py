"""A finished run's folder: what it compared, what came of it, and where its rows came from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.machine.nearest import nearest
from pipeline.config.grid import Grid
from pipeline.config.parse import parse_grid
from pipeline.config.reading.origin import LOCK, ORIGIN, VERDICT, fingerprint_in
from pipeline.config.yaml_lines import read_yaml
from pipeline.results.origin import changed
from pipeline.use.problem import BundleError

BEST = "best"
PREDICTIONS = "predictions.parquet"
AGAIN = "run the grid again, which takes what is finished from the store"


@dataclass(frozen=True)
class FinishedRun:
    """What a run left in its folder.

    Parameters
    ----------
    lock : the text of its grid.lock.yaml.
    verdict : its verdict.json.
    grid_file : the grid file that it was started with.
    store : address of its store.
    """

    folder: Path
    lock: str
    verdict: dict[str, Any]
    grid_file: Path
    store: str

    @classmethod
    def at(cls, folder: Path) -> FinishedRun:
        """The run in a folder.

        Raises
        ------
        BundleError
            Where none is finished there, or its files are not what it wrote.
        """
        missing = [name for name in (LOCK, VERDICT, ORIGIN) if not (folder / name).is_file()]
        if missing:
            lacking = " and no ".join(missing)
            raise BundleError(f"{folder} is not the folder of a finished run: it has no {lacking}")
        _check_unchanged(folder)
        origin = _parsed(folder, ORIGIN, ("grid", "store"))
        if _parsed(folder, VERDICT, ()).get("task") == "retrieval":
            raise BundleError(
                f"{folder} is the folder of a run of retrieval, which classifies nothing: give one "
                "with task: classification"
            )
        verdict = _parsed(folder, VERDICT, ("name",))
        store = origin["store"]
        return cls(
            folder,
            _read(folder, LOCK),
            verdict,
            Path(os.path.normpath(folder / origin["grid"])),
            store if "://" in store else os.path.normpath(folder / store),
        )

    @cached_property
    def grid(self) -> Grid:
        """The grid as it was filled in, whose paths count from the grid file's folder.

        Raises
        ------
        GridError
            Where this version no longer takes it.
        BundleError
            Where its file is damaged.
        """
        content = read_yaml(self.folder / LOCK)[0]
        if not isinstance(content, dict):
            raise BundleError(f"{self.folder}: its {LOCK} is damaged: {AGAIN}")
        return parse_grid(content, self.grid_file)

    @property
    def fingerprint(self) -> str:
        """Of the rows that it saw."""
        return fingerprint_in(self.lock)

    @property
    def choose(self) -> Mapping[str, Any]:
        """What the report says to choose: its `cell`, and `why`.

        Of a run of an earlier version the best on its folds, which is all that it says.
        """
        winner = {"cell": self.verdict["winner"], "why": "the best of its run"}
        return self.verdict.get("choose") or winner

    def tested(self, cell: str) -> pa.Table:
        """What a cell predicted of rows that were held out: id, repeat, label, predicted.

        Raises
        ------
        BundleError
            Where its file is not there, or damaged.
        """
        try:
            return pq.read_table(
                self.folder / PREDICTIONS,
                columns=["id", "repeat", "label", "predicted"],
                filters=[("cell", "=", cell)],
            )
        except FileNotFoundError as error:
            raise BundleError(f"{self.folder} has no {PREDICTIONS}: {AGAIN}") from error
        except (OSError, pa.ArrowException) as error:
            raise BundleError(f"{self.folder}: its {PREDICTIONS} is damaged: {AGAIN}") from error

    def cell_name(self, asked: str) -> str:
        """The name of a cell; for BEST of that which the report says to choose.

        Raises
        ------
        BundleError
            With the nearest name where there is no such cell; or where BEST is none, for every cell
            failed or is a baseline.
        """
        names = [cell["name"] for cell in self.verdict["cells"]]
        if asked == BEST:
            if self.choose["cell"] is None:
                raise BundleError(
                    f"{self.folder} has no cell to choose: none but baselines has all its scores; "
                    "name one by --cell"
                )
            return str(self.choose["cell"])
        if asked not in names:
            raise BundleError(f"--cell: the run has no cell '{asked}'; {nearest(asked, names)}")
        return asked


def _read(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(f"{folder}: its {name} is damaged ({error}): {AGAIN}") from error


def _parsed(folder: Path, name: str, texts: Sequence[str]) -> dict[str, Any]:
    """What a file of JSON says. Raises BundleError where it does not have these texts."""
    try:
        content = json.loads(_read(folder, name))
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{folder}: its {name} is damaged ({error}): {AGAIN}") from error
    is_whole = isinstance(content, dict) and all(
        isinstance(content.get(key), str) for key in texts
    )
    if not is_whole:
        raise BundleError(f"{folder}: its {name} does not say {' and '.join(texts)}: {AGAIN}")
    return dict(content)


def _check_unchanged(folder: Path) -> None:
    try:
        names = changed(folder)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{folder}: its {ORIGIN} is damaged ({error}): {AGAIN}") from error
    if names:
        raise BundleError(f"{folder}: its {names[0]} was changed since the run: {AGAIN}")
