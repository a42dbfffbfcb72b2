"""What a tracker is told: by value, from the files of a run's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.results.tracking.tracked import tracked_run
from tests.support.run_folders import RETRIEVAL_SCORES, write_run_folder


def test_a_run_is_told_with_what_it_asked_and_answers(tmp_path: Path):
    run = tracked_run(write_run_folder(tmp_path / "small"))
    assert run.name == "small"
    assert run.parameters == {
        "task": "classification",
        "seed": "7",
        "data": '{"source": "table", "path": "items.csv"}',
        "split": '{"folds": 2}',
        "metric": "accuracy",
        "tuning_metric": "log_loss",
        "data fingerprint": "abc",
        "answer": "probably pays",
        "headline": "Adding the text probably pays.",
        "winner": "cnn + bow / concat / ridge",
    }
    assert run.metrics == {"gain_mean": 0.375, "gain_low": -0.1, "gain_high": 0.85, "gain_folds": 2}
    assert [path.name for path in run.artifacts] == [
        "report.html", "grid.lock.yaml", "verdict.json", "scores.csv"
    ]


def test_cells_have_their_parts_ranks_and_scores_of_each_fold(tmp_path: Path):
    majority, concat = tracked_run(write_run_folder(tmp_path / "small")).cells
    assert (majority.parameters, majority.rank) == ({"fusion": "majority"}, None)
    assert concat.parameters == {
        "image": "cnn", "text": "bow", "fusion": "concat", "classifier": "ridge"
    }
    assert concat.rank == 1
    assert concat.folds[1] == {
        "n_train": 6, "accuracy": 0.5, "log_loss": 0.3, "fit_seconds": 4
    }
    assert concat.means == pytest.approx(
        {"n_train": 6, "accuracy": 0.75, "log_loss": 0.2, "fit_seconds": 3}
    )


def test_a_score_that_a_fold_does_not_define_is_left_out_there(tmp_path: Path):
    majority, _ = tracked_run(write_run_folder(tmp_path / "small")).cells
    assert "log_loss" not in majority.folds[0]
    assert majority.means["log_loss"] == 1.5


def test_scores_of_retrieval_say_which_way(tmp_path: Path):
    (cell,) = tracked_run(write_run_folder(tmp_path / "pairs", RETRIEVAL_SCORES)).cells
    (fold,) = cell.folds
    assert fold["image_to_text/hit_at_10"] == 0.5
    assert fold["text_to_image/hit_at_10"] == 0.75
