"""How many more repeats or rows would settle what a run leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, sqrt
from statistics import fmean, stdev

import scipy

from reports.analysis.ranking import FEW_UNITS, Comparison, Ranking
from reports.analysis.standing import Standing
from reports.answer.rules import LEVEL

USUAL_REPEATS = 5  # under which the rows that are needed are counted, if there are fewer
MOST_REPEATS = 20  # more hardly narrow the interval: its rows stay the same
MOST_TIMES = 100  # more rows than so many times as many nobody will have


@dataclass(frozen=True)
class Settling:
    """What would settle the answer if the gain stayed as it is.

    Parameters
    ----------
    repeats : of the folds that would do with the rows there are; None where none would.
    times : how many times the rows (or groups) are needed under `drawn` repeats; None beyond
        MOST_TIMES.
    units : how many these are.
    drawn : the repeats there are, or USUAL_REPEATS.
    """

    repeats: int | None
    times: float | None
    units: int | None
    drawn: int


def settling(gain: Comparison, both: Standing, ranking: Ranking) -> Settling | None:
    r"""How many repeats, or rows, make the interval of a gain so narrow that it settles the matter.

    The half width of the interval over k folds repeated r times is

        t(.975, freedom) * sqrt((1 / (k r) + n_test / n_train) * s^2)

    and s, the deviation of the gain over folds, goes by 1 / sqrt(n) in the number of rows n. A gain
    that matters is settled when the half width is below it, one that does not when gain and half
    width together stay within the region of no matter. None where nothing varies.
    """
    gains = [value for _, value in gain.gains]
    if len(gains) < 2 or stdev(gains) == 0:
        return None
    width = _Width(ranking, both, stdev(gains), len(gains))
    repeats = len({repeat for (repeat, _), _ in gain.gains})
    size, rope = abs(gain.interval.mean), ranking.metric.rope
    allowed = size if size > rope else rope - size
    drawn = max(repeats, USUAL_REPEATS)
    enough = (
        more
        for more in range(repeats + 1, MOST_REPEATS + 1)
        if width.half(more / repeats, ranking.units) < allowed
    )
    times = width.times(drawn / repeats, allowed)
    if times > MOST_TIMES:
        return Settling(next(enough, None), None, None, drawn)
    return Settling(next(enough, None), times, ceil(times * ranking.units), drawn)


@dataclass(frozen=True)
class _Width:
    """The half width of a gain's interval, as folds are drawn more often, or from more rows.

    `deviation` of the gain over `count` folds.
    """

    ranking: Ranking
    both: Standing
    deviation: float
    count: int

    def half(self, draws: float, units: int) -> float:
        """With so many times the draws, and the freedom of so many units, at today's rows."""
        records = self.both.folds.values()
        n_test, n_train = (
            fmean(sizes)
            for sizes in ([len(entry.rows) for entry in records],
                          [entry.n_train for entry in records])
        )
        count = round(draws * self.count)
        quantile = float(scipy.special.stdtrit(self.ranking.freedom(count, units), 1 - LEVEL / 2))
        return quantile * sqrt(1 / count + n_test / n_train) * self.deviation

    def times(self, draws: float, allowed: float) -> float:
        """How many times the rows make it as narrow as is allowed."""
        if allowed <= 0:
            return inf
        units = self.ranking.units
        as_many = (self.half(draws, FEW_UNITS) / allowed) ** 2
        if units >= FEW_UNITS:
            return as_many
        few = (self.half(draws, units) / allowed) ** 2
        return few if few * units < FEW_UNITS else max(as_many, FEW_UNITS / units)
