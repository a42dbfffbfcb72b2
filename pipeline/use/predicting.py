"""Predict a table of items with a bundle, and say how it went."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.reading.names import by_normal_form, normal
from pipeline.metrics import METRICS
from pipeline.metrics.classification import ClassCounts
from pipeline.use.bundle import Bundle, read_manifest
from pipeline.use.exporting.runtime import Runtime
from pipeline.use.items.columns import Columns
from pipeline.use.items.reading import read_items
from pipeline.use.predictions import Journal, predicted
from pipeline.use.problem import BundleError, listed
from reports.wording import count, figure, metric_label

# Metrics that follow from rows counted by true and predicted class, however many there are.
FROM_COUNTS: dict[str, Callable[[ClassCounts], float]] = {
    "accuracy": ClassCounts.accuracy,
    "balanced_accuracy": ClassCounts.balanced_accuracy,
    "precision_macro": ClassCounts.precision_macro,
    "recall_macro": ClassCounts.recall_macro,
    "f1_macro": ClassCounts.f1_macro,
}
LOSS = "log_loss"
USUAL = ("accuracy", "balanced_accuracy", "f1_macro", LOSS)
ALWAYS = ("id", "predicted", "probability", "missing", "problem")


@dataclass(frozen=True)
class Request:
    """What is to be predicted.

    Parameters
    ----------
    items : see `pipeline.use.items.read_items`.
    coverage : share of items whose set of classes shall hold the true one; None for no sets.
    columns : those that are not given are those of the bundle's own rows.
    runtime : what the bundle was loaded for.
    """

    items: str
    output: Path
    coverage: float | None = None
    columns: Columns = field(default_factory=Columns)
    runtime: Runtime = "python"


@dataclass
class Summary:
    """How many items there were, what was wrong with them, and the scores of those with a label.

    Parameters
    ----------
    metric : what the bundle's run ranked its cells by: the first that is said.
    unpredicted, unscored : items without a prediction, and those of them that have a label.
    labels, shares : codes of the true classes, and one row of probabilities after the other; kept
        only where the metric does not follow from the other figures.
    """

    metric: str = ""
    coverage: str = ""
    given_up: tuple[str, ...] = ()
    other_from: int = 0
    items: int = 0
    unpredicted: int = 0
    unscored: int = 0
    problems: list[str] = field(default_factory=list)
    lacking: int = 0
    confusion: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    loss: float = 0.0
    unknown: int = 0
    labels: array[int] = field(default_factory=lambda: array("q"))
    shares: array[float] = field(default_factory=lambda: array("d"))

    def lines(self) -> Iterator[str]:
        """Sentences for the terminal."""
        if self.given_up:
            yield (
                "begun anew: an unfinished output was there that was asked for otherwise, "
                f"differing in {', '.join(self.given_up)}"
            )
        if self.other_from:
            yield (
                f"begun anew from item {self.other_from:,} on: the items of an unfinished output "
                "that was there were others from there on"
            )
        predicted = count(self.items - self.unpredicted, "item")
        yield f"{predicted} predicted"
        if self.unpredicted:
            yield (
                f"{count(self.unpredicted, 'item')} not predicted, for want of anything to predict "
                f"by{', and not scored' if self.unscored else ''}"
            )
        if self.lacking:
            lack = "lacks" if self.lacking == 1 else "lack"
            yield f"{count(self.lacking, 'item')} {lack} a picture or text that the model looks at"
        if self.problems:
            yield f"{count(len(self.problems), 'item')} with a problem, see the column problem:"
            yield from listed(self.problems)
        if self.coverage:
            yield self.coverage
        if self.confusion.sum():
            yield self._scores()
        if self.unknown:
            yield f"{count(self.unknown, 'item')} of classes that the model does not know"

    def add(self, row: Mapping[str, Any], classes: tuple[str, ...]) -> None:
        """Count a finished row."""
        if not self.confusion.size:
            self.confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
        self.items += 1
        self.lacking += bool(row["missing"])
        if row["problem"]:
            self.problems.append(f"{row['id']}: {row['problem']}")
        self.unpredicted += row["predicted"] is None
        self.unscored += row["predicted"] is None and row.get("label") is not None
        if row.get("label") is None or row["predicted"] is None:
            return
        label = row["label"]
        if label not in classes:
            label = _same_names(classes).get(normal(label))
        if label is None:
            self.unknown += 1
            return
        self.confusion[classes.index(label), classes.index(row["predicted"])] += 1
        self.loss -= float(np.log(max(row[f"p: {label}"], 1e-15)))
        if self.metric in METRICS and self.metric not in (*FROM_COUNTS, LOSS):
            self.labels.append(classes.index(label))
            self.shares.extend(row[f"p: {name}"] for name in classes)

    def _scores(self) -> str:
        """The run's metric first, then what is usual."""
        values = {name: self._value(name) for name in (self.metric, *USUAL)}
        shown = [f"{metric_label(name)} {figure(value)}" for name, value in values.items()
                 if value is not None]
        return f"of {count(int(self.confusion.sum()), 'item')} with a label: {', '.join(shown)}"

    def _value(self, metric: str) -> float | None:
        """A metric of the items with a label; None where it is not known here."""
        rows = int(self.confusion.sum())
        if metric == LOSS:
            return self.loss / rows
        if metric in FROM_COUNTS:
            return float(FROM_COUNTS[metric](ClassCounts.of_confusion(self.confusion)))
        if metric not in METRICS:
            return None
        probabilities = np.array(self.shares).reshape(rows, -1)
        return float(METRICS[metric](np.array(self.labels, dtype=np.int64), probabilities))


@cache
def _same_names(classes: tuple[str, ...]) -> Mapping[str, str]:
    return by_normal_form(classes)


def predict(bundle: Bundle, folder: Path, request: Request) -> Summary:
    """Write the predictions that are asked for.

    Finished parts are kept beside the output until all are there: the same request goes on, where
    the items of these parts are still the same.

    Raises
    ------
    BundleError
        Where the items cannot be read, or what is asked for cannot be given.
    """
    if request.output.exists() and Path(request.items).exists() and (
        request.output.samefile(request.items)
    ):
        raise BundleError(f"-o {request.output} is the file of the items: name another")
    columns = columns_of(bundle, request.columns)
    seal = read_manifest(folder)["sha256"]
    journal = Journal(request.output, {
        "bundle": seal, "items": request.items, "coverage": request.coverage, **asdict(columns),
        "runtime": request.runtime,
    })
    items = journal.left(read_items(request.items, columns))
    for rows in predicted(bundle, items, request.coverage):
        journal.append(rows)
    summary = Summary(
        metric=str(bundle.about.get("metric", "")),
        coverage=_coverage_text(bundle, request.coverage),
        given_up=journal.given_up,
        other_from=journal.other_from,
    )
    if not journal.path.exists():
        journal.append([])
    names = [
        *ALWAYS,
        *(["set"] if request.coverage else []),
        *(["label"] if columns.label else []),
        *(f"p: {name}" for name in bundle.classes),
    ]
    journal.finish(names, lambda row: summary.add(row, bundle.classes))
    return summary


def columns_of(bundle: Bundle, given: Columns) -> Columns:
    """The columns that are given, else those that the bundle's rows had, of what it looks at."""
    known = bundle.about.get("columns", {})
    asked = bundle.cell.modalities
    image = (given.image or known.get("image")) if "image" in asked else None
    text = (given.text or tuple(known.get("text", ()))) if "text" in asked else ()
    options = {"image": "--image COLUMN", "text": "--text COLUMN"}
    return replace(
        given,
        image=image,
        text=text,
        label=given.label or known.get("label"),
        id=given.id or known.get("id"),
        quoting=given.quoting or known.get("quoting"),
        unknown=() if image or text else tuple(options[modality] for modality in asked),
    )


def _coverage_text(bundle: Bundle, coverage: float | None) -> str:
    if coverage is None or bundle.cell.left_out is None:
        return ""
    measured = bundle.cell.left_out.measured(coverage)
    return (
        f"sets of classes for a coverage of {coverage:.3g}: {measured:.3f} measured on "
        f"{count(len(bundle.cell.left_out.scores), 'row')} that inner folds left out"
    )
