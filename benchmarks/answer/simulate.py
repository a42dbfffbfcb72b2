"""False alarms, bias, coverage and power of the answer, on data sets whose truth is known.

    python -m benchmarks.answer.simulate [--data-sets 400] [--jobs 2]

Every data set is a whole run (see tests/support/simulated_runs.py), judged by the report's own
functions. Columns: the gain of the best fusion over the best single modality as a leaderboard shows
it; the gain of choosing on inner folds, and what it truly is on fresh rows; how often each answer
is given; how often the 95 % intervals of the gain and of the score of choosing among all cells hold
the truth; how often any secondary comparison is called different; how often two seeds of the folds
give the same answer. A gain of 0 makes "pays" and "costs" false alarms. No cell has anything to
tune, so that only those within reach of the best are chosen among: the hardest case for the claim
that nothing is selected.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from joblib import Parallel, delayed

from reports.analysis.contrasts import contrasts
from reports.analysis.procedures import Procedure, within_reach
from reports.analysis.ranking import rank_cells
from reports.answer.verdict import verdict
from reports.record import RunRecord
from tests.support.simulated_runs import Truth, simulated_run

CASES = {
    "gain 0, 12 fusions": Truth(),
    "gain 0, 6 fusions, 6 singles": Truth(fusions=6, singles=3),
    "gain 0, 12 fusions, 30 groups": Truth(groups=30),
    "gain 0, 12 fusions, 10 groups": Truth(groups=10),
    "gain .05, 3 fusions": Truth(gain=0.05, fusions=3),
    "gain .05, 12 fusions": Truth(gain=0.05),
}
REPEATS = (1, 5)


@dataclass(frozen=True)
class Judged:
    """What one run says, and what is true of the models behind it."""

    answer: str
    shown: float
    gain: float
    gain_ends: tuple[float, float]
    true_gain: float
    score_ends: tuple[float, float]
    true_score: float
    secondary: bool


def judge(truth: Truth, data_seed: int, repeats: int, seed: int = 0) -> Judged:
    """Simulate a run and judge it."""
    whole, worth = simulated_run(truth, data_seed, repeats=repeats, seed=seed)
    record = as_networks(whole)
    ranking, reached = rank_cells(record), verdict(record)
    assert reached.gain is not None
    assert reached.score is not None

    def is_worth(procedure: Procedure) -> float:
        return float(np.mean([worth[name, *key] for key, name in procedure.chosen.items()]))

    both, single = (is_worth(reached.procedures[pool]) for pool in ("both", "single"))
    means = [ranking.ranked(*kinds)[0].score.mean for kinds in (("fusion",), ("image", "text"))]
    return Judged(
        answer=reached.answer,
        shown=means[0] - means[1],
        gain=reached.gain.interval.mean,
        gain_ends=(reached.gain.interval.low or 0.0, reached.gain.interval.high or 0.0),
        true_gain=both - single,
        score_ends=(reached.score.low or 0.0, reached.score.high or 0.0),
        true_score=is_worth(reached.procedures["all"]),
        secondary=any(contrast.conclusive for contrast in contrasts(record).family),
    )


def as_networks(record: RunRecord) -> RunRecord:
    """The record as if no cell had anything to tune: fitted on inner folds only within reach."""
    reach = within_reach(rank_cells(record))
    folds = [
        fold if fold.cell in reach else replace(fold, inner_score=None) for fold in record.folds
    ]
    return replace(record, folds=tuple(folds))


def row(name: str, runs: Sequence[Judged], again: Sequence[Judged]) -> str:
    """A line of the table; `again` are the same data sets under another seed."""
    answers = [run.answer for run in runs]
    gain, score = (np.mean([getattr(run, f"true_{what}") for run in runs])
                   for what in ("gain", "score"))
    of_gain = np.mean([run.gain_ends[0] <= gain <= run.gain_ends[1] for run in runs])
    of_score = np.mean([run.score_ends[0] <= score <= run.score_ends[1] for run in runs])
    shares = [answers.count(answer) / len(runs) for answer in ("pays", "probably pays", "costs")]
    pairs = zip(answers, [run.answer for run in again], strict=True)
    equal = np.mean([answer == other for answer, other in pairs])
    return (
        f"| {name} | {np.mean([run.shown for run in runs]):+.3f} | "
        f"{np.mean([run.gain for run in runs]):+.3f} | {gain:+.3f} | "
        + " | ".join(f"{100 * share:.1f}" for share in shares)
        + f" | {100 * of_gain:.1f} | {100 * of_score:.1f} | "
        f"{100 * np.mean([run.secondary for run in runs]):.1f} | {100 * equal:.0f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-sets", type=int, default=400)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    print(
        "| truth, repeats | gain shown | gain chosen inside | true gain | pays % | probably % | "
        "costs % | gain covered % | score covered % | any secondary % | equal for two seeds % |"
    )
    print("|:--" + "|--:" * 10 + "|")
    for name, truth in CASES.items():
        for repeats in REPEATS:
            runs, again = (
                Parallel(options.jobs)(
                    delayed(judge)(truth, number, repeats, seed)
                    for number in range(options.data_sets)
                )
                for seed in (0, 1)
            )
            print(row(f"{name}, {repeats}", runs, again), flush=True)


if __name__ == "__main__":
    main()
