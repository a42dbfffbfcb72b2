"""Time and size of a large report, part by part: 100 cells on 10 folds of 10,000 samples.

    python -m benchmarks.report [--cells 100] [--rows 10000] [--folds 10]

Prints seconds for the facts and charts of each section, for the first report in a folder (which
draws the charts and bundles their script) and for the next one (which takes over what is
unchanged), and the size of the page. Pictures are read through thumbnails made on the spot.
"""

from __future__ import annotations

import argparse
import io
import itertools
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from reports.fold_record import CellRecord, FoldRecord
from reports.page.render import write_report
from reports.record import MetricRecord, RunRecord
from reports.sections import SECTIONS
from reports.work_record import StepRecord

METRICS = (
    MetricRecord("balanced_accuracy", True),
    MetricRecord("accuracy", True),
    MetricRecord("f1_macro", True),
    MetricRecord("log_loss", False, "nats"),
)
CLASSES = 10


def large_record(n_cells: int, n_rows: int, n_folds: int) -> RunRecord:
    """Cells of four fusions over pairs of encoders and their halves, which agree in part."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, n_rows)
    order = np.lexsort((rng.random(n_rows), labels))
    shared = rng.normal(0, 1, (n_rows, CLASSES))
    folds: list[FoldRecord] = []
    cells = _cells(n_cells)
    for cell in cells:
        logits = shared + rng.normal(0, 0.7, shared.shape)
        logits[np.arange(n_rows), labels] += rng.uniform(1, 2)
        folds += [
            _fold(cell, fold, order[fold::n_folds], logits, labels) for fold in range(n_folds)
        ]
    return RunRecord(
        name="large",
        created="2026-01-01 00:00",
        command="python -m benchmarks.report",
        grid="name: large\n",
        metric="balanced_accuracy",
        metrics=METRICS,
        seed=0,
        classes=tuple(f"class {code}" for code in range(CLASSES)),
        ids=[f"row{row}" for row in range(n_rows)],
        texts=["a text of some words, as they come"] * n_rows,
        labels=labels,
        cells=cells,
        folds=tuple(folds),
        steps=(StepRecord("all", 1.0),),
        stages=(),
        split="drawn at random",
        fingerprint="0" * 64,
        versions={},
        thumbnail=_picture,
    )


def _cells(n_cells: int) -> tuple[CellRecord, ...]:
    side = max(2, round((n_cells / 4) ** 0.5))
    images, texts = [f"network{i}" for i in range(side)], [f"words{i}" for i in range(side)]
    alone = [
        CellRecord(f"{name} / image_only", name, None, "image_only", "logistic") for name in images
    ]
    alone += [
        CellRecord(f"{name} / text_only", None, name, "text_only", "logistic") for name in texts
    ]
    fusions = ("concat", "late", "attention", "co_training", "shared")
    fused = [
        CellRecord(f"{image} + {text} / {fusion}", image, text, fusion, "logistic")
        for fusion, image, text in itertools.product(fusions, images, texts)
    ]
    return tuple([*alone, *fused][:n_cells])


def _fold(
    cell: CellRecord, fold: int, rows: np.ndarray, logits: np.ndarray, labels: np.ndarray
) -> FoldRecord:
    exponentials = np.exp(logits[rows])
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    hits = probabilities.argmax(axis=1) == labels[rows]
    balanced = float(np.mean([hits[labels[rows] == code].mean() for code in range(CLASSES)]))
    scores = {
        "balanced_accuracy": balanced,
        "accuracy": float(hits.mean()),
        "f1_macro": balanced,
        "log_loss": 1.0,
    }
    return FoldRecord(
        cell.name,
        0,
        fold,
        len(labels) - len(rows),
        rows,
        probabilities,
        {"C": 1.0},
        scores,
        1.0 + len(cell.name) / 10,
        0.01,
        True,
        30.0,
        1_000_000,
        10_000,
    )


def _picture(row: int) -> bytes:
    noise = np.random.default_rng(row).integers(0, 255, (112, 112, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG", quality=78)
    return file.getvalue()


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print wall and processor seconds of a piece of work."""
    wall, processor = time.perf_counter(), time.process_time()
    yield
    print(
        f"{what:<34}{time.perf_counter() - wall:8.2f} s wall "
        f"{time.process_time() - processor:8.2f} s processor"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=100)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--folds", type=int, default=10)
    options = parser.parse_args()
    record = large_record(options.cells, options.rows, options.folds)
    print(
        f"{len(record.cells)} cells x {options.folds} folds, {options.rows:,} rows, {CLASSES} "
        "classes"
    )
    for name, section in SECTIONS.items():
        with timed(f"section {name}"):
            facts = section.facts(record)
            if facts is not None:
                section.charts(facts)
    with tempfile.TemporaryDirectory() as folder:
        for which in ("first report in a folder", "the next one"):
            with timed(which):
                files = write_report(record, Path(folder))
        print(f"report.html: {files[0].stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
