"""The answer where the truth is known: benchmarks/answer/simulate.py in short."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.answer.simulate import judge
from tests.support.simulated_runs import Truth, distance_of

DATA_SETS = 40


def runs_of(truth: Truth, repeats: int = 1):
    return [judge(truth, number, repeats) for number in range(DATA_SETS)]


@pytest.mark.parametrize("truth", [Truth(), Truth(groups=10), Truth(fusions=6, singles=3)])
def test_no_gain_is_hardly_ever_called_one_and_is_not_shown_where_there_is_none(truth):
    runs = runs_of(truth)
    answers = [run.answer for run in runs]
    # 5 % of 40 are 2; more than 5 happen in 2 % of such tests
    assert answers.count("pays") + answers.count("costs") <= 5
    assert sum(run.secondary for run in runs) <= 6
    assert abs(np.mean([run.gain - run.true_gain for run in runs])) < 0.01
    if truth.fusions > truth.singles * 2:
        assert np.mean([run.shown for run in runs]) > 0.015  # as a leaderboard has it
    true_score = np.mean([run.true_score for run in runs])
    assert np.mean([run.score_ends[0] <= true_score <= run.score_ends[1] for run in runs]) >= 0.9


def test_a_gain_is_seen_more_often_with_more_repeats_and_never_called_harm():
    once, often = (runs_of(Truth(gain=0.08, fusions=4), repeats) for repeats in (1, 3))
    for runs in (once, often):
        assert np.mean([run.gain for run in runs]) == pytest.approx(0.08, abs=0.015)
        assert not any(run.answer == "costs" for run in runs)
    pays = [sum(run.answer == "pays" for run in runs) for runs in (once, often)]
    assert pays[1] > pays[0] > 0.2 * DATA_SETS


def test_the_classes_are_as_far_apart_as_their_accuracy_asks():
    assert distance_of(0.7) < distance_of(0.75)
    runs = runs_of(Truth(accuracy=0.7))
    assert np.mean([run.true_score for run in runs]) == pytest.approx(0.69, abs=0.01)
