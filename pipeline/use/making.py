"""From a finished run to a bundle of one of its cells."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config.cells import Cell
from pipeline.config.reading.origin import LOCK
from pipeline.data.frame import FRAME
from pipeline.engine.progress import Progress, step
from pipeline.engine.task import Engine
from pipeline.plan.comparison import Comparison
from pipeline.plan.load import load
from pipeline.plan.versions import package_versions
from pipeline.store.opening import store_at
from pipeline.use.bundle import Bundle, check_is_new
from pipeline.use.card import card
from pipeline.use.exporting.exported import check_exportable
from pipeline.use.exporting.whole import export_of
from pipeline.use.finished_run import FinishedRun
from pipeline.use.problem import BundleError
from pipeline.use.refit import refitted

CARD = "README.md"


@dataclass(frozen=True)
class Extras:
    """What a bundle is given beyond what it needs on this machine.

    Parameters
    ----------
    standalone : the weights of pretrained encoders.
    onnx : it as ONNX: its classifier part, and its encoders where they can be.
    """

    standalone: bool = False
    onnx: bool = False


@dataclass(frozen=True, eq=False)
class Made:
    """A bundle of a run's cell, and further files for its folder, by name."""

    bundle: Bundle
    files: dict[str, bytes]


def make_bundle(
    run: FinishedRun,
    cell_name: str,
    folder: Path,
    engine: Engine,
    progress: Progress,
    extras: Extras,
) -> Bundle:
    """Fit a cell of a run on all its rows, and write it into a new folder; see Bundle.save.

    Raises
    ------
    BundleError
        Where the folder holds something, the run's rows have changed, or the cell cannot be fitted
        or exported.
    GridError, SourceError, DatasetError
        Where the run's rows can no longer be read.
    """
    check_is_new(folder)
    run.tested(cell_name)  # for its card: better refused before the fit than behind it
    comparison = load(run.grid, store_at(run.store), engine, progress)
    if comparison.dataset.fingerprint != run.fingerprint:
        raise BundleError(
            f"the data of {run.folder} has changed since it was compared: its scores say nothing "
            "of a model of the rows that are there now; run the grid again"
        )
    made = fitted_bundle(run, cell_name, comparison, onnx=extras.onnx)
    save_bundle(made, run, folder, standalone=extras.standalone)
    return made.bundle


def fitted_bundle(
    run: FinishedRun, cell_name: str, comparison: Comparison, *, onnx: bool = False
) -> Made:
    """A cell of a run, fitted on all rows that the run compared.

    Parameters
    ----------
    onnx : whether it is exported too.

    Raises
    ------
    BundleError
        Where it cannot be fitted, or not be exported.
    """
    cell = next(cell for cell in comparison.cells if cell.name == cell_name)
    if onnx:
        check_exportable(cell)
    with step(f"fit {cell_name} on all rows"):
        refit = refitted(cell, comparison)
    about, files = _about(cell, run, comparison), dict[str, bytes]()
    if onnx:
        about["onnx"], files = export_of(refit, comparison)
    return Made(Bundle(refit.cell, about), files)


def save_bundle(made: Made, run: FinishedRun, folder: Path, *, standalone: bool = False) -> None:
    """Write a bundle of a run's cell into a new folder, with its card and the run's grid.

    Takes and raises what Bundle.save does.
    """
    texts = {LOCK: run.lock, CARD: card(made.bundle, run)}
    files = {name: text.encode() for name, text in texts.items()} | made.files
    made.bundle.save(folder, files, standalone=standalone)


def _columns(comparison: Comparison) -> dict[str, Any]:
    """What the columns of the rows are called, where they came from a table."""
    given = comparison.grid.data.parameters
    columns: dict[str, Any] = {
        name: given[name]
        for name in ("image", "label", "id", "quoting")
        if isinstance(given.get(name), str)
    }
    text = given.get("text")
    if text is not None and ("path" in given or comparison.grid.data.name == FRAME):
        columns["text"] = [text] if isinstance(text, str) else list(text)
    return columns


def _about(cell: Cell, run: FinishedRun, comparison: Comparison) -> dict[str, Any]:
    verdict = run.verdict
    expected = {verdict["winner"]: verdict["score"], run.choose["cell"]: run.choose.get("score")}
    scores = next(scored for scored in verdict["cells"] if scored["name"] == cell.name)
    return {
        "run": verdict["name"],
        "cell": cell.name,
        "image": scores["image"],
        "text": scores["text"],
        "fusion": scores["fusion"],
        "classifier": scores["classifier"],
        "metric": verdict["metric"],
        "score": expected.get(cell.name),
        "mean": scores["mean"],
        "headline": verdict["headline"],
        "columns": _columns(comparison),
        "rows": int((comparison.dataset.labels >= 0).sum()),
        "data": comparison.dataset.fingerprint,
        "created": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
        "versions": package_versions(),
    }
