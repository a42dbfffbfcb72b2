"""Predict a table of items with a bundle, and say how it went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.reading.names import by_normal_form, normal
from pipeline.metrics.classification import ClassCounts
from pipeline.use.bundle import Bundle, read_manifest
from pipeline.use.exporting.runtime import Runtime
from pipeline.use.items.columns import Columns
from pipeline.use.items.item import Item
from pipeline.use.items.reading import read_items
from pipeline.use.predictions import Journal, predicted
from pipeline.use.problem import BundleError, listed
from reports.wording import count

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
    """How many items there were, what was wrong with them, and the scores of those with a label."""

    coverage: str = ""
    given_up: tuple[str, ...] = ()
    items: int = 0
    problems: list[str] = field(default_factory=list)
    lacking: int = 0
    confusion: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    loss: float = 0.0
    unknown: int = 0

    def lines(self) -> Iterator[str]:
        """Sentences for the terminal."""
        if self.given_up:
            yield (
                "begun anew: an unfinished output was there that was asked for otherwise, "
                f"differing in {', '.join(self.given_up)}"
            )
        yield f"{count(self.items, 'item')} predicted"
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

    def _scores(self) -> str:
        counts, rows = ClassCounts.of_confusion(self.confusion), int(self.confusion.sum())
        return (
            f"of {count(rows, 'item')} with a label: accuracy {counts.hits.sum() / rows:.3f}, "
            f"balanced accuracy {counts.balanced_accuracy():.3f}, macro F1 "
            f"{counts.f1_macro():.3f}, log loss {self.loss / rows:.3f}"
        )


@cache
def _same_names(classes: tuple[str, ...]) -> Mapping[str, str]:
    return by_normal_form(classes)


def predict(bundle: Bundle, folder: Path, request: Request) -> Summary:
    """Write the predictions that are asked for.

    Finished parts are kept beside the output until all are there: the same request goes on.

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
    done = journal.done()
    items: Iterator[Item] = islice(read_items(request.items, columns), done, None)
    for rows in predicted(bundle, items, request.coverage):
        journal.append(rows)
    summary = Summary(_coverage_text(bundle, request.coverage), journal.given_up)
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
