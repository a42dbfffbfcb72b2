"""What would settle an open answer, and how steady an answer is over repeats."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from scipy.stats import t

from pipeline.testing.records import FUSION, SMALL_SCORES, TEXT, small_record
from reports.analysis.ranking import rank_cells
from reports.answer.repeats import Agreement
from reports.answer.settling import settling
from reports.answer.verdict import verdict
from tests.support.simulated_runs import Truth, simulated_run


def settled(differences, **changes):
    fusion = tuple(text + by for text, by in zip(SMALL_SCORES[TEXT], differences, strict=True))
    record = small_record({**SMALL_SCORES, FUSION: fusion}, **changes)
    ranking = rank_cells(record)
    both, single = ranking.best("fusion"), ranking.best("text")
    return settling(ranking.compare(both, single), both, ranking)


def half_width(deviation, count, freedom):
    return t.ppf(0.975, freedom) * sqrt(1 / count + 3 / 9) * deviation


def test_rows_by_hand():
    """Twelve rows are few units: folds - 1 degrees of freedom however often they are drawn.

    With thirty of them every fold counts: that is what more rows bring beside their number.
    """
    differences = (0.06, 0.02, 0.04, 0.08)
    deviation = np.std(differences, ddof=1)
    by_repeats = [
        repeats for repeats in range(2, 21) if half_width(deviation, 4 * repeats, 3) < 0.05
    ]
    by_hand = settled(differences)
    few = (half_width(deviation, 20, 3) / 0.05) ** 2
    of_thirty = (half_width(deviation, 20, 19) / 0.05) ** 2
    times = few if few * 12 < 30 else max(of_thirty, 30 / 12)
    assert by_hand.times == pytest.approx(times)
    assert by_hand.units == int(np.ceil(12 * times))
    assert by_hand.repeats == next(iter(by_repeats), None)
    assert by_hand.drawn == 5


def test_what_nobody_can_settle_and_what_varies_in_nothing():
    hopeless = settled((0.3, -0.3, 0.31, -0.31 + 0.04))
    assert (hopeless.repeats, hopeless.times, hopeless.units) == (None, None, None)
    assert settled((0.05, 0.05, 0.05, 0.05)) is None


def test_the_interval_narrows_by_the_square_root_of_the_rows():
    """What `settling` takes for granted; benchmarks/answer/half_width.py has it on real data."""
    widths = []
    for rows in (160, 640):
        runs = [simulated_run(Truth(rows=rows, fusions=1), seed, repeats=2) for seed in range(12)]
        intervals = [verdict(run.record).gain.interval for run in runs]
        widths.append(np.mean([interval.high - interval.low for interval in intervals]))
    assert widths[0] / widths[1] == pytest.approx(2, abs=0.4)


def test_pairs_of_repeats_are_judged_as_runs_of_their_own():
    record = simulated_run(Truth(gain=0.08, fusions=2), 3, repeats=4).record
    reached = verdict(record)
    assert len(reached.agreement.answers) == 6
    part = simulated_run(Truth(gain=0.08, fusions=2), 3, repeats=2).record
    assert verdict(part).answer == reached.agreement.answers[0]
    assert verdict(part).agreement is None  # the only pair is the run itself
    assert Agreement(("pays", "pays", "costs")).differing("pays") == 1
