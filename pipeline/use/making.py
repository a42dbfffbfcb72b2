"""From a finished run to a bundle of one of its cells."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from pipeline.config.cells import Cell
from pipeline.data.frame import FRAME
from pipeline.engine.progress import Progress
from pipeline.engine.task import Engine
from pipeline.plan.comparison import Comparison
from pipeline.plan.load import load
from pipeline.results.record import package_versions
from pipeline.store.opening import store_at
from pipeline.use.bundle import Bundle
from pipeline.use.card import card
from pipeline.use.finished_run import FinishedRun
from pipeline.use.problem import BundleError
from pipeline.use.refit import refitted

LOCK, CARD = "grid.lock.yaml", "README.md"


def make_bundle(
    run: FinishedRun,
    cell_name: str,
    folder: Path,
    engine: Engine,
    progress: Progress,
    *,
    standalone: bool = False,
) -> Bundle:
    """Fit a cell of a run on all its rows, and write it into a new folder; see Bundle.save.

    Raises
    ------
    BundleError
        Where the run's rows have changed, or the cell cannot be fitted.
    GridError, SourceError, DatasetError
        Where the run's rows can no longer be read.
    """
    comparison = load(run.grid(), store_at(run.store), engine, progress)
    if comparison.dataset.fingerprint != run.fingerprint:
        raise BundleError(
            f"the data of {run.folder} has changed since it was compared: its scores say nothing "
            "of a model of the rows that are there now; run the grid again"
        )
    bundle = fitted_bundle(run, cell_name, comparison)
    save_bundle(bundle, run, folder, standalone=standalone)
    return bundle


def fitted_bundle(run: FinishedRun, cell_name: str, comparison: Comparison) -> Bundle:
    """A cell of a run, fitted on all rows that the run compared.

    Raises
    ------
    BundleError
        Where it cannot be fitted.
    """
    cell = next(cell for cell in comparison.cells if cell.name == cell_name)
    return Bundle(refitted(cell, comparison), _about(cell, run, comparison))


def save_bundle(
    bundle: Bundle, run: FinishedRun, folder: Path, *, standalone: bool = False
) -> None:
    """Write a bundle of a run's cell into a new folder, with its card and the run's grid.

    Takes and raises what Bundle.save does.
    """
    bundle.save(folder, {LOCK: run.lock, CARD: card(bundle, run)}, standalone=standalone)


def _columns(comparison: Comparison) -> dict[str, Any]:
    """What the columns of the rows are called, where they came from a table."""
    given = comparison.grid.data.parameters
    columns: dict[str, Any] = {
        name: given[name] for name in ("image", "label", "id") if isinstance(given.get(name), str)
    }
    text = given.get("text")
    if text is not None and ("path" in given or comparison.grid.data.name == FRAME):
        columns["text"] = [text] if isinstance(text, str) else list(text)
    return columns


def _about(cell: Cell, run: FinishedRun, comparison: Comparison) -> dict[str, Any]:
    verdict = run.verdict
    is_winner = cell.name == verdict["winner"]
    scores = next(scored for scored in verdict["cells"] if scored["name"] == cell.name)
    return {
        "run": verdict["name"],
        "cell": cell.name,
        "image": scores["image"],
        "text": scores["text"],
        "fusion": scores["fusion"],
        "classifier": scores["classifier"],
        "metric": verdict["metric"],
        "score": verdict["score"] if is_winner else None,
        "mean": scores["mean"],
        "headline": verdict["headline"],
        "columns": _columns(comparison),
        "rows": int((comparison.dataset.labels >= 0).sum()),
        "data": comparison.dataset.fingerprint,
        "created": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
        "versions": package_versions(),
    }
