"""The run's folder: lock file, folds, scores, predictions, failures; each whole or not at all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config.reading.origin import LOCK, ORIGIN, VERDICT
from pipeline.folds.fold import Fold
from pipeline.folds.stored import save as save_folds
from pipeline.metrics import METRICS
from pipeline.results.answer_files import contrasts_csv, labels_csv, verdict_json
from pipeline.results.arrow_columns import flat, named, strings, whole_numbers
from pipeline.results.origin import with_checksums
from reports.fold_record import CellRecord, FoldRecord
from reports.page.files import write_whole
from reports.record import RunRecord
from reports.retrieval_record import RetrievalRecord

ROW_COLUMNS = (
    "cell",
    "image",
    "text",
    "fusion",
    "classifier",
    "parameters",
    "repeat",
    "fold",
    "n_train",
    "n_test",
)
SECONDS = ("fit_seconds", "predict_seconds")
# files of a run's folder that other commands read
READ_LATER = (LOCK, VERDICT, "scores.csv")
# columns of predictions.parquet with few values
REPEATED = ["id", "repeat", "fold", "cell", "label", "predicted"]


def write_run(record: RunRecord, folds: Sequence[Fold], folder: Path, origin: str) -> None:
    """Write everything but the report into `folder`, where no other run's files are.

    Parameters
    ----------
    origin : text of origin.json, see pipeline.results.origin.
    """
    write_files(record, folds, folder, {
        ORIGIN: origin,
        "scores.csv": scores_csv(record),
        VERDICT: verdict_json(record),
        "contrasts.csv": contrasts_csv(record),
        "labels.csv": labels_csv(record),
    })
    write_whole(folder / "predictions.parquet", lambda path: pq.write_table(
        predictions(record), path, use_dictionary=REPEATED))


def write_files(
    record: RunRecord | RetrievalRecord,
    folds: Sequence[Fold],
    folder: Path,
    texts: Mapping[str, str],
) -> None:
    """Write what every run leaves: lock file, folds, failures where there are some, and `texts`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "folds.npz", lambda path: save_folds(folds, record.ids, path))
    contents = {LOCK: record.grid, **texts}
    read_later = {name: contents[name] for name in READ_LATER}
    contents[ORIGIN] = with_checksums(contents[ORIGIN], read_later)
    if record.failures:
        failures = [asdict(failure) for failure in record.failures]
        contents["failures.json"] = json.dumps(failures, indent=2, ensure_ascii=False)
    for name, content in contents.items():
        write_whole(folder / name, partial(_write_text, content))


def _write_text(content: str, path: Path) -> None:
    path.write_text(content, encoding="utf-8", newline="")


def score_columns() -> tuple[str, ...]:
    """Columns of scores.csv, before those of the grid's extra metrics."""
    return (*ROW_COLUMNS, *METRICS, *SECONDS)


def scores_csv(record: RunRecord) -> str:
    """One row per cell, repeat and fold; scores with six decimals, an undefined one empty."""
    cells = {cell.name: cell for cell in record.cells}
    text = io.StringIO()
    extra = [metric.name for metric in record.metrics if metric.name not in METRICS]
    writer = csv.DictWriter(text, [*score_columns(), *extra], lineterminator="\n")
    writer.writeheader()
    writer.writerows(_score_row(cells[fold.cell], fold) for fold in record.folds)
    return text.getvalue()


def _score_row(cell: CellRecord, fold: FoldRecord) -> dict[str, Any]:
    return {
        "cell": cell.name,
        "image": cell.image,
        "text": cell.text,
        "fusion": cell.fusion,
        "classifier": cell.classifier,
        "parameters": json.dumps(dict(fold.parameters), sort_keys=True),
        "repeat": fold.repeat,
        "fold": fold.fold,
        "n_train": fold.n_train,
        "n_test": len(fold.rows),
        **{name: "" if np.isnan(score) else f"{score:.6f}" for name, score in fold.scores.items()},
        "fit_seconds": f"{fold.fit_seconds:.3f}",
        "predict_seconds": f"{fold.predict_seconds:.4f}",
    }


def predictions(record: RunRecord) -> pa.Table:
    """Table with id, repeat, fold, cell, label, predicted and one column `p_CLASS` per class."""
    if not record.folds:
        return _prediction_schema(record).empty_table()
    rows = np.concatenate([fold.rows for fold in record.folds])
    probabilities = np.concatenate([fold.probabilities for fold in record.folds], dtype=np.float64)
    counts = [len(fold.rows) for fold in record.folds]
    cells = list(dict.fromkeys(fold.cell for fold in record.folds))
    cell, repeat, fold = (np.repeat(values, counts) for values in (
        [cells.index(fold.cell) for fold in record.folds], [fold.repeat for fold in record.folds],
        [fold.fold for fold in record.folds]))
    classes = strings(record.classes)
    columns = [
        named(rows, record.ids),
        whole_numbers(repeat),
        whole_numbers(fold),
        *(
            pa.DictionaryArray.from_arrays(whole_numbers(codes), names)
            for codes, names in (
                (cell, strings(cells)),
                (record.labels[rows], classes),
                (probabilities.argmax(axis=1), classes),
            )
        ),
        *(flat(column, pa.float64()) for column in probabilities.T),
    ]
    return pa.Table.from_arrays(columns, schema=_prediction_schema(record))


def _prediction_schema(record: RunRecord) -> pa.Schema:
    name = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            ("id", pa.string()),
            ("repeat", pa.int32()),
            ("fold", pa.int32()),
            ("cell", name),
            ("label", name),
            ("predicted", name),
            *((f"p_{label}", pa.float64()) for label in record.classes),
        ]
    )
