"""Cells with several encoders stand beside the pair that is best under the same fusion."""

from __future__ import annotations

from types import SimpleNamespace

from benchmarks.halves import Scored, print_over
from benchmarks.several import besides
from pipeline.config.cells import Cell
from pipeline.config.components import Component, EncoderSet

CNN, BOW, TFIDF = map(Component, ("cnn", "bow", "tfidf"))
CONCAT, ATTENTION, LOGISTIC = map(Component, ("concat", "attention", "logistic"))


def _folds(*scores: float) -> list[SimpleNamespace]:
    return [
        SimpleNamespace(scores={"accuracy": score, "log_loss": 1 - score}, rows=range(10))
        for score in scores
    ]


BOTH = EncoderSet((BOW, TFIDF))
FOLDS = {
    Cell(CONCAT, CNN, BOW, LOGISTIC): _folds(0.5, 0.6),
    Cell(CONCAT, CNN, TFIDF, LOGISTIC): _folds(0.6, 0.7),
    Cell(CONCAT, CNN, BOTH, LOGISTIC): _folds(0.7, 0.7),
    Cell(ATTENTION, CNN, BOW, None): _folds(0.9, 0.8),
    Cell(ATTENTION, CNN, BOTH, None): _folds(0.8, 0.8),
}


def test_the_best_pair_is_of_the_same_fusion():
    beside = {held.cell.name: held.pair.name for held in besides(FOLDS, "accuracy", "")}
    assert beside == {
        "cnn + bow+tfidf / concat / logistic": "cnn + tfidf / concat / logistic",
        "cnn + bow+tfidf / attention": "cnn + bow / attention",
    }
    assert [held.cell.fusion for held in besides(FOLDS, "accuracy", "attention")] == [ATTENTION]


def test_a_fusion_without_a_classifier_is_held_against_concat_too(capsys):
    print_over([Scored("made up", tuple(FOLDS), "accuracy", FOLDS, {}, 20)], "concat")
    lines = capsys.readouterr().out.strip().splitlines()[2:]
    assert [line.split(" | ")[1] for line in lines] == [
        "cnn + bow / attention", "cnn + bow+tfidf / attention"
    ]
    assert "| 0.850 | +0.300 (" in lines[0]
