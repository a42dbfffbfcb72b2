"""Intervals for differences between cells that were scored on the same folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit


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
        """1 if the whole interval is above zero, -1 if below, 0 if it holds zero, None without one."""
        if self.low is None or self.high is None:
            return None
        return int(self.low > 0) - int(self.high < 0)


def corrected_resampled_interval(
    differences: Sequence[float], n_train: Sequence[int], n_test: Sequence[int], level: float = 0.95
) -> Interval:
    r"""Interval of a mean paired difference over cross-validation folds, with the corrected variance.

    The J = k r differences of k folds repeated r times share training rows, so their sample variance s^2
    over J is far too small a variance for their mean. Nadeau and Bengio replace 1/J:

        mean +- t(J - 1, (1 + level) / 2) * sqrt((1 / J + n_test / n_train) * s^2)

    with s^2 the sample variance (divisor J - 1). For one round of k equal folds n_test / n_train is
    1 / (k - 1). Folds of unequal size enter with the ratio of the mean sizes.

    Parameters
    ----------
    differences : (J,) one per fold, both cells scored on the same test rows.
    n_train, n_test : (J,) numbers of training and test rows of those folds.
    level : 0.95 for a 95 % interval.

    Raises
    ------
    ValueError
        If there is no difference, one is not finite, or a size is missing or below 1.

    References
    ----------
    Nadeau and Bengio (2003), Inference for the generalization error, Machine Learning 52, 239-281.
    Bouckaert and Frank (2004), Evaluating the replicability of significance tests for comparing learning
    algorithms, PAKDD: the same correction for repeated cross-validation.
    """
    values = np.asarray(differences, dtype=float)
    _check(values, n_train, n_test, level)
    mean = float(values.mean())
    count = len(values)
    if count < 2:
        return Interval(mean, None, None, count, level)
    factor = 1 / count + float(np.mean(n_test)) / float(np.mean(n_train))
    half = float(stdtrit(count - 1, (1 + level) / 2)) * float(np.sqrt(factor * values.var(ddof=1)))
    return Interval(mean, mean - half, mean + half, count, level)


def _check(values: np.ndarray, n_train: Sequence[int], n_test: Sequence[int], level: float) -> None:
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"differences must be finite numbers, at least one; got {values.tolist()}")
    if len(n_train) != len(values) or len(n_test) != len(values) or min(*n_train, *n_test) < 1:
        raise ValueError(
            "n_train and n_test must give a size of at least 1 for every difference; "
            f"got {list(n_train)} and {list(n_test)} for {len(values)} differences")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1; got {level}")
