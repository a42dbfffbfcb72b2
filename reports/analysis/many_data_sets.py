"""Methods compared ACROSS data sets: Friedman's test, pairs by Wilcoxon, critical differences."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, f, rankdata, studentized_range, wilcoxon

from reports.analysis.statistics import holm
from reports.wording import count, figure, first_listed, quoted

ALPHA = 0.05
BASELINE = "majority"  # as cell and as fusion: never what to take
NAMED = 5  # methods of a sentence


@dataclass(frozen=True)
class Pair:
    """Two methods over all data sets.

    Parameters
    ----------
    wins, losses : data sets on which `method` is ahead of `other`, and behind it.
    p_value : of Wilcoxon's two-sided signed-rank test; `adjusted`: Holm's over all pairs.
    """

    method: str
    other: str
    wins: int
    losses: int
    p_value: float
    adjusted: float


@dataclass(frozen=True)
class LeftOut:
    """A method that is not compared, for not every data set has a whole score of it."""

    method: str
    reason: str


@dataclass(frozen=True)
class AcrossFacts:
    """k methods on N data sets.

    Parameters
    ----------
    methods : best mean rank first; `ranks` their mean ranks over the data sets, 1 the best.
    scores : (N, k) in the order of `methods`.
    statistic, p_value : Friedman's test in the form of Iman and Davenport.
    difference : Nemenyi's critical difference of mean ranks at ALPHA.
    cliques : runs of methods that it cannot tell apart, longest only.
    left_out : methods of some data set that are not compared, and why.
    """

    methods: tuple[str, ...]
    data_sets: tuple[str, ...]
    ranks: tuple[float, ...]
    scores: tuple[tuple[float, ...], ...]
    statistic: float
    p_value: float
    difference: float
    cliques: tuple[tuple[str, ...], ...]
    pairs: tuple[Pair, ...]
    greater_is_better: bool = True
    left_out: tuple[LeftOut, ...] = ()

    @property
    def advice(self) -> str:
        """What to do, in a sentence."""
        first, rank = quoted(self.methods[0]), figure(self.ranks[0], 2)
        mean = f"{first} has the best mean rank, {rank} of {len(self.methods)}"
        if self.p_value > ALPHA:
            data_sets = count(len(self.data_sets), "data set")
            return (
                f"{mean}, which on {data_sets} may be chance. Add data sets, or go by the report "
                "of each run."
            )
        if self.level:
            cheaper = [quoted(name) for name in self.level if name != BASELINE]
            others = first_listed(cheaper, NAMED, "others") if cheaper else "none but the baseline"
            return (
                f"Take {first}, or what is simpler or cheaper among those that are not told apart "
                f"from it: {others}. {mean}."
            )
        return f"Take {first}. {mean}, clearly before the next."

    @property
    def headline(self) -> str:
        """The answer in a line."""
        first, data_sets = quoted(self.methods[0]), count(len(self.data_sets), "data set")
        if self.p_value > ALPHA:
            return f"No method is shown to be better than another on {data_sets}"
        if self.level:
            return f"{first} is best on average, level with {count(len(self.level), 'other')}"
        return f"{first} is best on {data_sets}"

    @property
    def level(self) -> tuple[str, ...]:
        """Methods that Nemenyi's test does not tell from the one with the best mean rank."""
        with_first = (clique[1:] for clique in self.cliques if clique[0] == self.methods[0])
        return next(with_first, ())

    def best_on(self, data_set: int) -> float:
        """The best score on a data set, by its position."""
        scores = self.scores[data_set]
        return max(scores) if self.greater_is_better else min(scores)

    @property
    def conclusion(self) -> str:
        """What Friedman's test says, and what Nemenyi's bars leave of it."""
        if self.p_value > ALPHA:
            return "no difference between the methods is shown."
        if len(self.methods) in map(len, self.cliques):
            return (
                "some methods differ, but Nemenyi's test, which compares every pair, tells none "
                "apart: its bar joins them all."
            )
        return "the methods differ."


def across(
    methods: Sequence[str],
    data_sets: Sequence[str],
    scores: NDArray[np.float64],
    greater_is_better: bool = True,
) -> AcrossFacts:
    r"""Compare k methods by their scores (N, k) on N data sets.

    With r_j the mean rank of method j (ties shared), Friedman's statistic and Iman and Davenport's
    are

        chi2 = (k - 1) N^2 sum_j (r_j - (k + 1) / 2)^2 / (sum_ij r_ij^2 - N k (k + 1)^2 / 4)
        F = (N - 1) chi2 / (N (k - 1) - chi2)

    with r_ij the rank of method j on data set i: chi2 in the form that ties need (without ties the
    divisor is N k (k + 1) (k - 1) / 12, Demsar's form). Where all methods tie on every data set p
    is 1. F has k - 1 and (k - 1)(N - 1) degrees of freedom. Nemenyi's critical difference is
    q sqrt(k (k + 1) / (6 N)), q the studentised range of k methods over sqrt(2).

    Raises
    ------
    ValueError
        For fewer than two methods or two data sets, or a score that is not finite.

    References
    ----------
    Conover (1999), Practical nonparametric statistics, 3rd edition, section 5.8: ties.
    Demsar (2006), Statistical comparisons of classifiers over multiple data sets, JMLR 7, 1-30.
    Benavoli, Corani and Mangili (2016), Should we really use post-hoc tests based on mean-ranks?,
    JMLR 17: why pairs are tested by Wilcoxon's test with Holm's correction.
    """
    n, k = scores.shape
    if n < 2 or k < 2 or not np.isfinite(scores).all():
        raise ValueError(
            "two methods and two data sets at least, every score finite; "
            f"got {k} methods on {n} data sets"
        )
    ranks = rankdata(-scores if greater_is_better else scores, axis=1)
    means = ranks.mean(axis=0)
    order = np.argsort(means, kind="stable")
    statistic, p_value = _friedman(ranks)
    difference = float(
        studentized_range.isf(ALPHA, k, np.inf) / np.sqrt(2) * np.sqrt(k * (k + 1) / (6 * n))
    )
    names = [methods[j] for j in order]
    ordered = [float(means[j]) for j in order]
    return AcrossFacts(
        tuple(names),
        tuple(data_sets),
        tuple(ordered),
        tuple(tuple(map(float, row)) for row in scores[:, order]),
        statistic,
        p_value,
        difference,
        _cliques(names, ordered, difference),
        _pairs(names, scores[:, order] * (1 if greater_is_better else -1)),
        greater_is_better,
    )


def _friedman(ranks: NDArray[np.float64]) -> tuple[float, float]:
    """Statistic and p value from the ranks (N, k) within data sets."""
    n, k = ranks.shape
    between = n**2 * float(np.square(ranks.mean(axis=0) - (k + 1) / 2).sum())
    total = float(np.square(ranks).sum()) - n * k * (k + 1) ** 2 / 4
    if total <= 1e-9:  # every method ties on every data set
        return 0.0, 1.0
    plain = (k - 1) * between / total
    left = n * (k - 1) - plain
    if left <= 1e-9:  # all data sets agree on every rank
        return float("inf"), float(chi2.sf(plain, k - 1))
    statistic = (n - 1) * plain / left
    return statistic, float(f.sf(statistic, k - 1, (k - 1) * (n - 1)))


def _cliques(
    names: Sequence[str], ranks: Sequence[float], difference: float
) -> tuple[tuple[str, ...], ...]:
    """Longest runs of at least two methods whose mean ranks lie within the critical difference."""
    runs: list[range] = []
    for start in range(len(names)):
        stop = max(j for j in range(start, len(names)) if ranks[j] - ranks[start] <= difference) + 1
        if stop - start > 1 and not (runs and runs[-1].stop >= stop):
            runs.append(range(start, stop))
    return tuple(tuple(names[j] for j in run) for run in runs)


def _pairs(names: Sequence[str], scores: NDArray[np.float64]) -> tuple[Pair, ...]:
    pairs = list(itertools.combinations(range(len(names)), 2))
    differences = [scores[:, i] - scores[:, j] for i, j in pairs]
    p_values = [
        float(wilcoxon(values, method="auto").pvalue) if values.any() else 1.0
        for values in differences
    ]
    return tuple(
        Pair(names[i], names[j], int((values > 0).sum()), int((values < 0).sum()), p, adjusted)
        for (i, j), values, p, adjusted in zip(
            pairs, differences, p_values, holm(p_values), strict=True
        )
    )
