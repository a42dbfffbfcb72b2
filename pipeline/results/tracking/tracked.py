"""What a tracker is told of a finished run: read from the files of its folder."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from math import fsum
from pathlib import Path
from typing import Any

from pipeline.config.reading.origin import LOCK, VERDICT, fingerprint_in
from pipeline.config.yaml_lines import read_yaml

# What describes a cell; other columns of scores.csv are numbers.
PARTS = ("image", "text", "fusion", "classifier")
# Columns that say which fold a row is of, or what stands in the cell's parameters.
NOT_SCORED = {"cell", "parameters", "repeat", "fold", "direction", *PARTS}
# Of the grid, what a run is called and asked; lists of components are the cells'.
ASKED = ("task", "seed", "data", "split", "metric", "tuning_metric")
# Files of a run's folder that a tracker keeps, too, where they are there.
ARTIFACTS = ("report.html", "report.md", LOCK, VERDICT, "scores.csv", "contrasts.csv")


@dataclass(frozen=True)
class TrackedCell:
    """A cell of a finished run.

    Parameters
    ----------
    parameters : its encoders, fusion and classifier.
    folds : the scores and times of each fold, in order.
    rank : 1 for the best; None for a cell without a complete set of folds.
    """

    name: str
    parameters: Mapping[str, str]
    folds: tuple[Mapping[str, float], ...]
    rank: int | None

    @property
    def means(self) -> dict[str, float]:
        """Scores and times, each the mean over the folds on which it is defined."""
        values: dict[str, list[float]] = {}
        for fold in self.folds:
            for name, value in fold.items():
                values.setdefault(name, []).append(value)
        return {name: fsum(listed) / len(listed) for name, listed in values.items()}


@dataclass(frozen=True)
class TrackedRun:
    """A finished run.

    Parameters
    ----------
    parameters : what its grid asks, as text; and the answer, the winner, the data's fingerprint.
    metrics : the gain of the second modality and what choosing among all cells reaches, with their
        intervals, where there are such.
    artifacts : files to keep.
    """

    name: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    cells: tuple[TrackedCell, ...]
    artifacts: tuple[Path, ...]


def tracked_run(folder: Path) -> TrackedRun:
    """What there is to tell of the run in a folder. Raises OSError where a file is missing."""
    verdict = json.loads((folder / VERDICT).read_text(encoding="utf-8"))
    paths = [folder / name for name in ARTIFACTS]
    return TrackedRun(
        name=str(verdict["name"]),
        parameters=_parameters(folder / LOCK, verdict),
        metrics=dict(_figures(verdict)),
        cells=tuple(_cells(folder / "scores.csv", verdict)),
        artifacts=tuple(path for path in paths if path.is_file()),
    )


def _parameters(lock: Path, verdict: Mapping[str, Any]) -> dict[str, str]:
    grid = read_yaml(lock)[0]
    parameters = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in grid.items()
        if name in ASKED
    }
    fingerprint = fingerprint_in(lock.read_text(encoding="utf-8"))
    if fingerprint:
        parameters["data fingerprint"] = fingerprint
    said = {name: verdict.get(name) for name in ("answer", "headline", "winner")}
    return parameters | {name: str(value) for name, value in said.items() if value is not None}


def _figures(verdict: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for what in ("gain", "score"):
        for name, value in (verdict.get(what) or {}).items():
            if isinstance(value, int | float):
                yield f"{what}_{name}", float(value)


def _cells(scores: Path, verdict: Mapping[str, Any]) -> Iterator[TrackedCell]:
    ranks = {cell["name"]: cell["rank"] for cell in verdict["cells"]}
    with scores.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    by_cell: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_cell.setdefault(row["cell"], []).append(row)
    for name, of_cell in by_cell.items():
        parts = {part: of_cell[0].get(part) or "" for part in PARTS}
        yield TrackedCell(
            name,
            {part: value for part, value in parts.items() if value},
            tuple(_folds(of_cell)),
            ranks.get(name),
        )


def _folds(rows: list[dict[str, str]]) -> Iterator[dict[str, float]]:
    """The scores of each fold; those of retrieval say which way they are."""
    for _, of_fold in groupby(rows, key=lambda row: (row["repeat"], row["fold"])):
        scores: dict[str, float] = {}
        for row in of_fold:
            way = f"{row['direction']}/" if row.get("direction") else ""
            scores |= {
                f"{way}{name}": float(value)
                for name, value in row.items()
                if name not in NOT_SCORED and value
            }
        yield scores
