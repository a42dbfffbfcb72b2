"""Learned spaces against the simplest one of their encoders, tested together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.analysis.statistics import holm
from reports.fold_record import CellRecord
from reports.retrieval.answer import answer_of
from reports.retrieval.leaderboard import facts as leaderboard
from reports.retrieval.plain import plain
from reports.retrieval_record import RetrievalRecord
from tests.reports.retrieval.test_choice import FOLDS, folds_of, run_of

INNER = [0.5] * FOLDS
ENCODERS = {"own": "cnn", "own, worse": "cnn", "a": "cnn", "b": "cnn", "wide": "pyramid"}


@pytest.fixture
def made() -> RetrievalRecord:
    highest = {"own": 40, "own, worse": 90, "a": 12, "b": 34, "wide": 12}
    cells = [
        folds_of(name, rank, INNER, seed) for seed, (name, rank) in enumerate(highest.items())
    ]
    record = run_of(*cells, simplest=["own", "own, worse"])
    named = tuple(CellRecord(name, of, "sbert", name, None) for name, of in ENCODERS.items())
    return replace(record, cells=named)


def test_each_learned_space_is_held_against_the_best_simple_one_of_its_encoders(
    made: RetrievalRecord,
):
    answer = answer_of(made)
    pairs = [(contrast.cell, contrast.other) for contrast in answer.contrasts]
    assert pairs == [("a", "own"), ("b", "own")]  # none has the encoders of the third
    scores = {standing.name: standing.scores for standing in answer.standings}
    for contrast in answer.contrasts:
        cell, other = (
            scores[name]["both", "hit_at_10"].estimate for name in (contrast.cell, contrast.other)
        )
        assert contrast.gain.estimate == pytest.approx(cell - other)


def test_p_values_agree_with_intervals_and_are_corrected_for_their_number(made: RetrievalRecord):
    contrasts = answer_of(made).contrasts
    for contrast in contrasts:
        leaves_zero_out = contrast.gain.low > 0 or contrast.gain.high < 0
        assert (contrast.p_value < 0.05) == leaves_zero_out
    assert contrasts[0].adjusted < 0.05 < contrasts[1].adjusted
    assert [of.adjusted for of in contrasts] == holm([of.p_value for of in contrasts])


def test_report_and_verdict_have_them(made: RetrievalRecord):
    answer = answer_of(made)
    assert leaderboard(made).contrasts == answer.contrasts
    first, second = plain(answer)["contrasts"]
    assert (first["cell"], first["other"], second["cell"]) == ("a", "own", "b")
    assert first["low"] > 0
    assert first["p_adjusted"] >= first["p_value"]
