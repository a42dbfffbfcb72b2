"""The model card's table of classes: rows that were tested, not predictions of them."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.use.card import _by_class
from pipeline.use.finished_run import FinishedRun


def table_of(folder: Path, repeats: int) -> list[str]:
    """The card's lines on three cats and a dog, of which a cat is missed in the first repeat."""
    rows = [
        {
            "id": f"id{row}", "repeat": repeat, "cell": cell, "label": "dog" if row == 3 else "cat",
            "predicted": "dog" if row == 3 or (row == 0 and repeat == 0) else "cat",
        }
        for cell, repeat, row in product(("best", "other"), range(repeats), range(4))
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "predictions.parquet")
    bundle = SimpleNamespace(about={"cell": "best"}, classes=("cat", "dog"))
    return list(_by_class(bundle, FinishedRun(folder, "", {}, folder, "")))


def test_a_row_that_is_tested_in_several_repeats_counts_once(tmp_path):
    said, *_, cat, dog = table_of(tmp_path, repeats=3)
    assert said.strip() == (
        "4 rows were tested, in 3 repeats of the folds: recall and precision are of all 12 "
        "predictions."
    )
    assert cat == "| cat | 3 | 0.89 | 1.00 |"
    assert dog == "| dog | 1 | 1.00 | 0.75 |"


def test_of_one_repeat_nothing_more_is_said(tmp_path):
    heading, _, cat, _ = table_of(tmp_path, repeats=1)
    assert heading.startswith("| class |")
    assert cat == "| cat | 3 | 0.67 | 1.00 |"
