"""What compare() gives: the results of a run as tables, and its cells as bundles."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from pipeline.config.grid import Run
from pipeline.config.plugins.active import Carried
from pipeline.config.reading.origin import VERDICT
from pipeline.engine.opening import EngineName, engine_at
from pipeline.engine.progress import quiet
from pipeline.flow import Finished
from pipeline.plan.versions import KEYED
from pipeline.use.bundle import Bundle, check_is_new
from pipeline.use.finished_run import BEST, FinishedRun
from pipeline.use.making import fitted_bundle, save_bundle
from reports.fold_record import FailureRecord
from reports.wording import count, metric_label

# Columns of the run's CSV files that are no decimal numbers.
WHOLE = ("repeat", "fold", "n_train", "n_test", "folds", "ahead", "rank")
TEXTS = ("cell", "image", "text", "fusion", "classifier", "parameters", "question", "other",
         "metric", "id", "label", "suggested")
SHOWN = 10  # cells of the summary


@dataclass(frozen=True)
class Making:
    """How a comparison was made, and its bundles will be.

    Parameters
    ----------
    run : the grid's engine.
    jobs : processes side by side.
    progress : whether it is shown.
    plugins : whose parts it may have.
    """

    run: Run
    jobs: int
    progress: bool
    plugins: Carried

    @property
    def engine(self) -> tuple[EngineName, str | None, int]:
        """The engine's name, its address, and how many workers it starts."""
        return self.run.engine, self.run.address, self.jobs

    def shown(self) -> AbstractContextManager[None]:
        """Says how far the work has come, or says nothing."""
        return nullcontext() if self.progress else quiet()


class Compared:
    """A comparison that was made from Python.

    Tables are pandas data frames where the rows were given as such, else pyarrow tables. Without a
    folder of its own (`out`), its files go when the object does.

    Attributes
    ----------
    verdict : what verdict.json holds: answer, figures, advice, cells by rank.
    folder : the run's folder; None where none was asked for.
    failures : cells that failed, with fold, error and traceback.
    """

    def __init__(
        self, finished: Finished, folder: Path, making: Making, as_pandas: bool, *, is_kept: bool
    ) -> None:
        self._comparison, self._files, self._making = finished.comparison, folder, making
        self._as_pandas = as_pandas
        self.folder = folder if is_kept else None
        self.failures: tuple[FailureRecord, ...] = finished.record.failures
        self.verdict: dict[str, Any] = json.loads(
            (folder / VERDICT).read_text(encoding="utf-8")
        )

    @property
    def headline(self) -> str:
        """The answer in a sentence."""
        return str(self.verdict["headline"])

    @cached_property
    def scores(self) -> Any:
        """Scores and times of each cell on each fold, as in scores.csv."""
        return self._table("scores.csv")

    @cached_property
    def contrasts(self) -> Any:
        """The comparison that decides, and the declared comparisons, as in contrasts.csv."""
        return self._table("contrasts.csv")

    @cached_property
    def labels(self) -> Any:
        """Labels to look at, the most doubtful first, as in labels.csv."""
        return self._table("labels.csv")

    @cached_property
    def predictions(self) -> Any:
        """Probabilities of every row that was held out, by cell, as in predictions.parquet."""
        return self._given(pq.read_table(self._files / "predictions.parquet"))

    @cached_property
    def report(self) -> str:
        """The report as a page of HTML, which needs no other file and no network."""
        return (self._files / "report.html").read_text(encoding="utf-8")

    def bundle(
        self,
        cell: str = BEST,
        out: Path | str | None = None,
        *,
        standalone: bool = False,
        onnx: bool = False,
    ) -> Bundle:
        """A cell, fitted on all rows; "best" is what the report says to choose.

        Parameters
        ----------
        out : new folder to write it into; None leaves it in memory.
        standalone : whether the folder takes the weights of pretrained encoders along.
        onnx : whether it is exported into the folder too, for ONNX Runtime.

        Raises
        ------
        BundleError
            Where there is no such cell, it cannot be fitted or exported, or the folder holds
            something already.
        PluginError
            Where a plugin of the grid was changed since.
        ValueError
            Where a file is asked for, but no folder.
        """
        if out is None and (standalone or onnx):
            raise ValueError("standalone and onnx are of a folder: name one with out")
        if out is not None:
            check_is_new(Path(out))
        run = FinishedRun.at(self._files)
        name = run.cell_name(cell)
        plugins = self._making.plugins
        plugins()  # another grid may have been read since
        opened = engine_at(*self._making.engine, KEYED, plugins)
        with self._making.shown(), opened as engine:
            comparison = replace(self._comparison, engine=engine)
            made = fitted_bundle(run, name, comparison, onnx=onnx)
        if out is not None:
            save_bundle(made, run, Path(out), standalone=standalone)
        return made.bundle

    def __repr__(self) -> str:
        return f"<Compared {self.verdict['name']}: {self.headline}>"

    def _repr_html_(self) -> str:
        """The answer and the best cells, without script or anything from elsewhere."""
        metric, cells = str(self.verdict["metric"]), self.verdict["cells"]
        rows = "".join(
            f"<tr><td>{cell['rank']}</td><td>{escape(cell['name'])}</td>"
            f"<td>{_figure(cell['mean'])}</td></tr>"
            for cell in cells[:SHOWN]
        )
        notes = [f"ALARM: {alarm}" for alarm in self.verdict["alarms"]]
        notes += [f"and {count(len(cells) - SHOWN, 'further cell')}"] * (len(cells) > SHOWN)
        failed = len({failure.cell for failure in self.failures})
        notes += [f"{count(failed, 'cell')} failed: see failures"] * (failed > 0)
        return (
            f"<div><p><strong>{escape(self.headline)}</strong></p><table><thead><tr><th>rank</th>"
            f"<th>cell</th><th>{escape(metric_label(metric))}</th></tr></thead><tbody>{rows}"
            f"</tbody></table>{''.join(f'<p>{escape(note)}</p>' for note in notes)}</div>"
        )

    def _table(self, name: str) -> Any:
        path = self._files / name
        with path.open(encoding="utf-8") as file:
            header = file.readline().rstrip("\n").split(",")
        types = dict.fromkeys(header, pa.float64())
        types |= dict.fromkeys(WHOLE, pa.int64()) | dict.fromkeys(TEXTS, pa.string())
        return self._given(pa_csv.read_csv(
            path,
            pa_csv.ReadOptions(use_threads=False),
            pa_csv.ParseOptions(newlines_in_values=True),
            pa_csv.ConvertOptions(column_types=types),
        ))

    def _given(self, table: pa.Table) -> Any:
        return table.to_pandas() if self._as_pandas else table


def _figure(mean: float | None) -> str:
    return "" if mean is None else f"{mean:.3f}"
