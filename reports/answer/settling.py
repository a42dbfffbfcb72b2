"""How many more repeats or rows would settle what a run leaves open."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil, sqrt
from statistics import fmean, stdev

from scipy.special import stdtrit

from reports.analysis.ranking import FEW_UNITS, Comparison, Ranking
from reports.analysis.standing import Standing
from reports.answer.rules import LEVEL

ENOUGH_REPEATS = 20  # more hardly narrow the interval: its rows stay the same
MOST_TIMES = 100  # more rows than so many times as many nobody will have


@dataclass(frozen=True)
class Settling:
    """What would settle the answer if the gain stayed as it is.

    Parameters
    ----------
    repeats : of the folds that would do with the rows there are; None where none would.
    times : how many times the rows (or groups) are needed under ENOUGH_REPEATS repeats or those
        there are; None beyond MOST_TIMES.
    units : how many these are.
    """

    repeats: int | None
    times: float | None
    units: int | None


def settling(gain: Comparison, both: Standing, ranking: Ranking) -> Settling | None:
    r"""How many repeats, or rows, make the interval of a gain so narrow that it settles the matter.

    The half width of the interval over k folds repeated r times is

        t(.975, k r - 1) * sqrt((1 / (k r) + n_test / n_train) * s^2)

    and s, the deviation of the gain over folds, goes by 1 / sqrt(n) in the number of rows n. A gain
    that matters is settled when the half width is below it, one that does not when gain and half
    width together stay within the region of no matter. None where nothing varies.
    """
    gains = [value for _, value in gain.gains]
    if len(gains) < 2 or stdev(gains) == 0:
        return None
    records = [both.folds[key] for key, _ in gain.gains]
    ratio = fmean(len(entry.rows) for entry in records) / fmean(entry.n_train for entry in records)
    folds = max(Counter(repeat for (repeat, _), _ in gain.gains).values())
    repeats = len({repeat for (repeat, _), _ in gain.gains})
    size, rope = abs(gain.interval.mean), ranking.metric.rope
    allowed = size if size > rope else rope - size
    few = ranking.units < FEW_UNITS

    def half_width(times: int) -> float:
        count = folds * times
        freedom = folds - 1 if few else count - 1
        quantile = float(stdtrit(max(freedom, 1), 1 - LEVEL / 2))
        return quantile * sqrt(1 / count + ratio) * stdev(gains)

    enough = (
        times for times in range(repeats + 1, ENOUGH_REPEATS + 1) if half_width(times) < allowed
    )
    needed = (half_width(max(repeats, 5)) / allowed) ** 2 if allowed > 0 else float("inf")
    if needed > MOST_TIMES:
        return Settling(next(enough, None), None, None)
    return Settling(next(enough, None), needed, ceil(needed * ranking.units))
