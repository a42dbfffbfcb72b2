"""Questions about pictures: what only both modalities tell, and answers that were never seen."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.support.tiny import (
    GRID,
    MeanColour,
    read_rows,
    register,
    run_grid,
    scores,
    without_report,
    write_grid,
    write_rows,
    write_table,
)

SHAPES = """
name: shapes
seed: 0
data: {source: shapes, scenes: 320, ask: colour}
split: {official: true, inner: 2}
image: [{small_resnet: {depth: 8, width: 8, flip: false, epochs: 1}}]
text: [tfidf]
fusion:
  - image_only
  - text_only
  - concat
  - end_to_end: {interaction: product, dropout: 0.0, modality_dropout: 0.0, epochs: 20,
                 learning_rate: 0.005, patience: 20}
classifier: {logistic: {C: [1]}}
metric: accuracy
"""
QUESTIONS = (
    GRID.replace("id: sku", "id: sku, split: part, breakdown: [ask], recurring: text")
    .replace("folds: 3, repeats: 1", "official: true")
    .replace("{late: {rule: [mean, product]}}", "co_training: {epochs: 2}")
)


def accuracies(folder) -> dict[str, float]:
    return {row["fusion"].partition("(")[0]: float(row["accuracy"]) for row in scores(folder)}


@pytest.mark.usefixtures("one_thread")
def test_only_a_fusion_that_multiplies_answers_questions_about_shapes(tmp_path):
    write_grid(tmp_path, SHAPES)
    assert run_grid(tmp_path) == 0
    reached = accuracies(tmp_path)
    assert reached["image_only"] == reached["text_only"] == 0.25
    assert reached["concat"] < 0.4
    assert reached["end_to_end"] > 0.75
    report = (tmp_path / "out" / "report.md").read_text()
    assert "## By kind of row" in report
    assert "| by kind | all rows | colour (256) |" in report
    assert "gives the class away" not in report


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three questions about each picture, with an answer or two that only test rows have."""
    register(monkeypatch)
    without_report(monkeypatch)
    write_table(tmp_path)
    rows = []
    for number, (sku, picture, words, kind) in enumerate(read_rows(tmp_path)):
        part = "test" if number % 3 == 0 else "train"
        for question in ("what", "which", "who"):
            rows.append([f"{sku} {question}", picture, f"{question} {words}", kind, part, question])
    write_grid(tmp_path, QUESTIONS)
    rows[0][3], rows[9][3], rows[10][3] = "a bird", "a plane", "a plane"
    write_rows(tmp_path, rows, "part", "ask")
    return tmp_path


def test_a_picture_with_many_questions_is_encoded_once(folder):
    assert run_grid(folder) == 0
    assert sum(MeanColour.calls) == 36


def test_answers_unseen_in_training_count_as_wrong(folder, capsys):
    assert run_grid(folder) == 0
    said = capsys.readouterr().err
    assert "Classes without training rows: “a bird” in 1 of 1 fold and “a plane” in 1" in said
    predicted = pq.read_table(folder / "out" / "predictions.parquet").to_pylist()
    cells = {row["cell"] for row in predicted}
    assert len(cells) == 5
    unseen = [row for row in predicted if row["label"] in {"a bird", "a plane"}]
    assert len(unseen) == 3 * len(cells)
    assert not any(row["predicted"] in {"a bird", "a plane"} for row in predicted)
    for row in scores(folder):
        of_cell = [r for r in predicted if r["cell"] == row["cell"]]
        right = np.mean([r["predicted"] == r["label"] for r in of_cell])
        assert float(row["accuracy"]) == pytest.approx(right)
        assert right <= 33 / 36


def test_an_answer_with_a_single_row_of_training_is_learned_and_never_refused(folder):
    rows = [[*row] for row in chain(read_rows(folder))]
    train = next(row for row in rows if row[4] == "train")
    train[3] = "an owl"
    write_rows(folder, rows, "part", "ask")
    assert run_grid(folder) == 0
    assert all(np.isfinite(float(row["accuracy"])) for row in scores(folder))
    assert len(scores(folder)) == 5
