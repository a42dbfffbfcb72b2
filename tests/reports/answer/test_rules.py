"""Five answers, one rule each: at their limits, and in words that say what they rest on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.testing.records import FUSION, SMALL_SCORES, TEXT, small_record
from reports.analysis.ranking import rank_cells
from reports.analysis.statistics import Interval, Posterior, TTest
from reports.answer.rules import DIRECTION, EQUIVALENT, LEVEL, PROBABLE, judged


def gain_of(differences, rope=0.01):
    """The comparison of a fusion that is better by these differences on each fold."""
    fusion = tuple(text + by for text, by in zip(SMALL_SCORES[TEXT], differences, strict=True))
    ranking = rank_cells(small_record({**SMALL_SCORES, FUSION: fusion}))
    return ranking.compare(ranking.best("fusion"), ranking.best("image", "text"))


@pytest.mark.parametrize(
    ("differences", "answer"),
    [
        ((0.10, 0.11, 0.12, 0.11), "pays"),
        ((-0.10, -0.11, -0.12, -0.11), "costs"),
        ((0.06, 0.02, 0.04, 0.08), "probably pays"),
        ((0.1, -0.1, 0.1, -0.1), "no difference shown"),
        ((-0.06, -0.02, -0.04, -0.08), "no difference shown"),  # the rules know no "probably costs"
        ((0.0, 0.0, 0.0, 0.0), "no difference shown"),  # of 12 rows: few folds agree by chance
        ((0.1, 0.1, 0.1, 0.1), "no difference shown"),
        ((0.3, 0.3, 0.3, 0.3), "pays"),
        ((0.001, 0.0011, 0.0012, 0.001), "no difference that matters"),  # sure, and too small
    ],
)
def test_each_rule(differences, answer):
    assert judged(gain_of(differences)) == answer


@given(st.tuples(*[st.floats(-0.3, 0.3)] * 4))
def test_the_rules_leave_nothing_open_and_follow_the_figures_that_are_printed(differences):
    gain = gain_of(differences)
    answer = judged(gain)
    assert answer in DIRECTION
    if answer == "no difference that matters":
        assert gain.posterior.equivalent >= EQUIVALENT
        return
    assert gain.posterior.equivalent < EQUIVALENT
    assert (answer == "pays") == (gain.interval.low > 0)
    assert (answer == "costs") == (gain.interval.high < 0)
    assert (answer in ("pays", "probably pays")) == (gain.positive >= PROBABLE)
    assert (gain.test.p_value <= LEVEL) == (answer in ("pays", "costs"))


def test_one_fold_cannot_be_judged():
    record = small_record({cell: scores[:1] for cell, scores in SMALL_SCORES.items()})
    ranking = rank_cells(record)
    gain = ranking.compare(ranking.best("fusion"), ranking.best("text"))
    with pytest.raises(ValueError, match="one fold gives no interval"):
        judged(gain)


def test_probability_above_zero_is_half_the_p_value_away_from_certainty():
    gain = gain_of((0.06, 0.02, 0.04, 0.08))
    assert isinstance(gain.interval, Interval)
    assert isinstance(gain.test, TTest)
    assert isinstance(gain.posterior, Posterior)
    assert gain.positive == pytest.approx(1 - gain.test.p_value / 2)
    turned = gain_of((-0.06, -0.02, -0.04, -0.08))
    assert turned.positive == pytest.approx(gain.test.p_value / 2)
