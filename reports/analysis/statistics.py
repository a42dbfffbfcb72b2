"""Differences between cells scored on the same folds: intervals, tests, posteriors, Holm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

EQUAL = 1e-12  # what scores of equal counts differ by, at most


@dataclass(frozen=True)
class Interval:
    """A mean difference over folds, and where the true one may lie.

    Parameters
    ----------
    mean : mean difference.
    low, high : ends of the interval; None where one fold allows none.
    folds : number of differences behind it.
    level : probability the interval was built for.
    """

    mean: float
    low: float | None
    high: float | None
    folds: int
    level: float = 0.95

    @property
    def direction(self) -> int | None:
        """1 if the whole interval is above zero, -1 if below, 0 if it holds zero, None without."""
        if self.low is None or self.high is None:
            return None
        return int(self.low > 0) - int(self.high < 0)


@dataclass(frozen=True)
class TTest:
    """t statistic with its degrees of freedom, and the two-sided p value."""

    t: float
    freedom: int
    p_value: float


@dataclass(frozen=True)
class Posterior:
    """Probabilities that a difference is above `rope`, within [-rope, rope], and below -rope.

    They add up to 1.
    """

    better: float
    equivalent: float
    worse: float
    rope: float


def corrected_resampled_interval(
    differences: Sequence[float],
    n_train: Sequence[int],
    n_test: Sequence[int],
    level: float = 0.95,
    freedom: int | None = None,
) -> Interval:
    r"""Interval of a mean paired difference over folds, with the corrected variance.

    The J = k r differences of k folds repeated r times share training rows, so their sample
    variance s^2 over J is far too small a variance for their mean. Nadeau and Bengio replace 1/J:

        mean +- t(J - 1, (1 + level) / 2) * sqrt((1 / J + n_test / n_train) * s^2)

    with s^2 the sample variance (divisor J - 1). For one round of k equal folds n_test / n_train is
    1 / (k - 1). Folds of unequal size enter with the ratio of the mean sizes.

    Differences that are all equal have no spread to measure by, and few small folds agree by
    chance. The standard error is then that of one row in the N tested that is predicted otherwise,
    1 / N: 95 % intervals are 2 / N wide to each side and more, as by the rule of three (Hanley and
    Lippman-Hand 1983), which gives 3 / N where none of N was seen.

    Parameters
    ----------
    differences : (J,) one per fold, both cells scored on the same test rows.
    n_train, n_test : (J,) numbers of training and test rows of those folds.
    level : 0.95 for a 95 % interval.
    freedom : degrees of freedom of t; J - 1, if None. Fewer where repeats of the folds say little
        new: few groups are dealt out to the same parts again and again.

    Raises
    ------
    ValueError
        If there is no difference, one is not finite, or a size is missing or below 1.

    References
    ----------
    Nadeau and Bengio (2003), Inference for the generalization error, Machine Learning 52, 239-281.
    Bouckaert and Frank (2004), Evaluating the replicability of significance tests for comparing
    learning algorithms, PAKDD: the same correction for repeated cross-validation.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1; got {level}")
    mean, scale, count = _corrected(differences, n_train, n_test)
    if scale is None:
        return Interval(mean, None, None, count, level)
    half = float(scipy.special.stdtrit(freedom or count - 1, (1 + level) / 2)) * scale
    return Interval(mean, mean - half, mean + half, count, level)


def corrected_resampled_t(
    differences: Sequence[float],
    n_train: Sequence[int],
    n_test: Sequence[int],
    freedom: int | None = None,
) -> TTest | None:
    """Two-sided corrected resampled t test that a mean paired difference is zero.

        t = mean / sqrt((1 / J + n_test / n_train) * s^2), with J - 1 degrees of freedom

    None for fewer than two folds. Parameters, errors and references as for
    `corrected_resampled_interval`, which holds zero just where p > 1 - level.
    """
    mean, scale, count = _corrected(differences, n_train, n_test)
    if scale is None:
        return None
    freedom = freedom or count - 1
    t = mean / scale
    return TTest(t, freedom, float(2 * scipy.special.stdtr(freedom, -abs(t))))


def correlated_bayes(
    differences: Sequence[float],
    n_train: Sequence[int],
    n_test: Sequence[int],
    rope: float,
    freedom: int | None = None,
) -> Posterior | None:
    r"""Bayesian correlated t test: where the mean difference lies.

    It is seen from a region of practical equivalence, [-rope, rope]. Fold
    differences are taken as normal with equal correlation rho = n_test / (n_train + n_test), the
    part of the data that is tested. Under the matching prior the posterior of their mean is
    Student's t with J - 1 degrees of freedom, location `mean` and scale

        sqrt((1 / J + rho / (1 - rho)) * s^2),   where rho / (1 - rho) = n_test / n_train

    so that P(mean difference > 0) is 1 - p / 2 of `corrected_resampled_t` where that favours the
    first cell. None for fewer than two folds. Parameters and errors as for
    `corrected_resampled_interval`.

    Parameters
    ----------
    rope : half the width of the region: differences of at most this size do not matter in practice.

    References
    ----------
    Corani and Benavoli (2015), A Bayesian approach for comparing cross-validated algorithms on
    multiple data sets, Machine Learning 100, 285-304.
    Benavoli, Corani, Demsar and Zaffalon (2017), Time for a change: a tutorial for comparing
    multiple classifiers through Bayesian analysis, JMLR 18(77), 1-36.
    """
    if not 0 <= rope < np.inf:
        raise ValueError(f"rope must be a finite number, 0 at least; got {rope}")
    mean, scale, count = _corrected(differences, n_train, n_test)
    if scale is None:
        return None
    freedom = freedom or count - 1
    better, worse = (
        float(scipy.special.stdtr(freedom, (side - rope) / scale)) for side in (mean, -mean)
    )
    return Posterior(better, max(0.0, 1 - better - worse), worse, rope)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given.

    Those at most alpha may all be called at level alpha. Sorted p_(1) <= ... <= p_(m), the
    adjusted p_(i) is the largest of (m - j + 1) p_(j) over j <= i, at most 1. It keeps the
    chance of any false alarm among the m at alpha whatever their dependence.

    Raises
    ------
    ValueError
        If a p value does not lie between 0 and 1.

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian J. of
    Statistics 6, 65-70.
    """
    values = np.asarray(p_values, dtype=float)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"p values must lie between 0 and 1; got {values.tolist()}")
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * values[order]), 1)
    return [float(value) for value in adjusted]


def _corrected(
    differences: Sequence[float], n_train: Sequence[int], n_test: Sequence[int]
) -> tuple[float, float | None, int]:
    """Mean difference, its corrected standard error (None for one fold), number of folds."""
    values = np.asarray(differences, dtype=float)
    _check(values, n_train, n_test)
    if len(values) < 2:
        return float(values.mean()), None, len(values)
    factor = 1 / len(values) + float(np.mean(n_test)) / float(np.mean(n_train))
    scale = float(np.sqrt(factor * values.var(ddof=1)))
    if np.ptp(values) <= EQUAL:
        scale = 1 / min(sum(n_test), n_train[0] + n_test[0])
    return float(values.mean()), scale, len(values)


def _check(values: NDArray[np.float64], n_train: Sequence[int], n_test: Sequence[int]) -> None:
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"differences must be finite numbers, at least one; got {values.tolist()}")
    if len(n_train) != len(values) or len(n_test) != len(values) or min(*n_train, *n_test) < 1:
        raise ValueError(
            "n_train and n_test must give a size of at least 1 for every difference; "
            f"got {list(n_train)} and {list(n_test)} for {len(values)} differences"
        )
