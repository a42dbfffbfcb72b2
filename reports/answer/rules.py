"""Five answers to the question whether a second modality pays, with one rule each."""

from __future__ import annotations

from typing import Literal

from reports.analysis.ranking import Comparison

Judged = Literal[
    "pays", "probably pays", "no difference shown", "no difference that matters", "costs"
]
LEVEL = 0.05  # of the two-sided corrected resampled t test
PROBABLE = 0.9  # probability of a gain above zero
EQUIVALENT = 0.95  # probability of a difference that does not matter
# What an answer comes to, where two are held against each other.
DIRECTION: dict[str, int] = {
    "pays": 1,
    "probably pays": 1,
    "no difference shown": 0,
    "no difference that matters": 0,
    "costs": -1,
}


def judged(gain: Comparison) -> Judged:
    """The answer that a gain gives; the first rule that holds.

    - no difference that matters: the gain is within [-rope, rope] with a probability of EQUIVALENT
    - pays, costs: the 95 % interval of the gain is above, or below, zero
    - probably pays: the gain is above zero with a probability of PROBABLE
    - no difference shown: none of these

    The probabilities are those of the correlated t test, which has the interval's own variance and
    degrees of freedom: "pays" is a probability of 97.5 % of a gain above zero. A gain can be
    zero on every fold; its interval is then a point, and no difference that matters.

    Raises
    ------
    ValueError
        For the gain of a single fold, which has no interval.
    """
    if gain.test is None or gain.posterior is None or gain.positive is None:
        raise ValueError("one fold gives no interval to judge a gain by")
    if gain.posterior.equivalent >= EQUIVALENT:
        return "no difference that matters"
    if gain.test.p_value <= LEVEL:
        return "pays" if gain.interval.mean > 0 else "costs"
    return "probably pays" if gain.positive >= PROBABLE else "no difference shown"
