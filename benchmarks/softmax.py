"""Softmax regression over folds and strengths: models.softmax.solve against scikit-learn.

Run by hand: ``OMP_NUM_THREADS=1 python -m benchmarks.softmax [--quick | --cases 0 3 ...]
[--same] | --ablate [PIECE ...]``; the last measures what the solver's pieces gain (see
`benchmarks.softmax_ablation`). Every repetition measures, in turn, `models.softmax.solve.solve`, a
loop over LogisticRegression (what GridSearchCV does), and LogisticRegressionCV, on the same folds,
strengths and features; the table gives medians. The products of all three run on as many threads as
OMP_NUM_THREADS says; one each is how they are run in several processes.

At its default tolerance scikit-learn stops where the mean loss is nearly flat, which with many
columns and a weak penalty is far from the solution. So the table has two ratios: to the faster of
the two at the default tolerance, and, as "same", to the loop at the tolerance that brings it within
one millionth (one fold, measured once; in large cases it takes long, and only ``--same`` asks for
it).

Excess is the distance to the smallest objective, relative to it, the largest over the strengths of
the first fold: ours, and the loop's at the default tolerance. Known weak spots: a single fit of two
classes and 500 columns is about as fast as scikit-learn's, and many fits of 100 classes, of sparse
words, or of two classes and 1,664 columns are 2 to 3 times as fast and not four: RESULTS.md says by
the last columns why. Error is the
largest difference from a coefficient of scikit-learn in float64 with tolerance 1e-9, relative to
the largest coefficient.

The last columns say how much of the machine ours uses (see `benchmarks.softmax_roofline`): shares
of its time that principal axes and products with the design matrix take, operations of both, bytes
that the products must move; of these products the share of the speed of a large float32 product
("peak") and of the bandwidth of memory ("bandw."; above 100 % they come from a cache); and the
share of the whole time that axes and products would take on a machine that wastes nothing ("roof").
The rest is arithmetic on logits and weights, and Python.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV

from benchmarks.softmax_cases import FIVE, Array, Case, features, splits, timed
from benchmarks.softmax_roofline import HEADER, machine, watched
from models.softmax.problem import Problem, Solution
from models.softmax.solve import solve

QUICK = [
    Case(300, 20, 3, 1, (0.1,)),
    Case(1000, 100, 3, 1, (0.1,)),
    Case(1000, 100, 2, 1, (0.1,)),
    Case(1000, 500, 2, 1, (0.1,)),
    Case(1000, 4000, 2, 1, (0.1,)),
    Case(1000, 4000, 3, 1, (0.1,)),
    Case(2000, 1000, 10, 1, (0.1,)),
    Case(1000, 100, 2, 5, FIVE),
    Case(1000, 1280, 8, 5, FIVE),
    Case(1640, 5000, 8, 5, FIVE, density=0.004),
]
CASES = [
    *QUICK,
    Case(1640, 1664, 8, 1, (0.01,)),
    Case(1640, 1664, 8, 5, FIVE),
    Case(5000, 300, 100, 5, FIVE, repeats=3, exact=False),
    Case(10_000, 100, 2, 5, FIVE, repeats=3, exact=False),
    Case(10_000, 100, 100, 5, FIVE, repeats=1, exact=False),
    Case(10_000, 1664, 10, 5, FIVE, repeats=3, exact=False),
    Case(10_000, 1664, 2, 5, FIVE, repeats=3, exact=False),
    Case(20_000, 10_000, 10, 5, FIVE, density=0.002, repeats=3, exact=False),
    Case(50_000, 400, 10, 5, FIVE, repeats=3, exact=False),
    Case(50_000, 4_000, 10, 5, FIVE, density=0.005, repeats=1, exact=False),
    Case(8_000, 4_000, 10, 3, FIVE, repeats=1, exact=False),
]


def loop(case: Case, X: Any, y: Array) -> list[LogisticRegression]:
    """One LogisticRegression per fold and strength."""
    models = []
    for train, _ in splits(case):
        rows, labels = X[train], y[train]
        models += [LogisticRegression(C=C, max_iter=1000).fit(rows, labels) for C in case.strengths]
    return models


def cross_validated(case: Case, X: Any, y: Array) -> None:
    """LogisticRegressionCV, which starts each strength from the last solution; no final refit."""
    LogisticRegressionCV(
        Cs=case.strengths,
        cv=splits(case),
        max_iter=1000,
        refit=False,
        l1_ratios=(0.0,),
        scoring="neg_log_loss",
        use_legacy_attributes=False,
    ).fit(X, y)


def ours(case: Case, X: Any, y: Array) -> list[Solution]:
    """All folds and strengths by models.softmax.solve."""
    training = [train for train, _ in splits(case)]
    return solve(X, y, [Problem(rows, C) for rows, C in product(training, case.strengths)])


def objective(X: Any, y: Array, C: float, coef: Array, intercept: Array) -> float:
    """Sum of cross-entropies plus penalty / C, in float64."""
    coef = np.asarray(coef, np.float64)
    logits = X.astype(np.float64) @ coef.T + intercept
    if logits.shape[1] == 1:
        logits = np.hstack([np.zeros_like(logits), logits])
    top = logits.max(axis=1)
    surprise = (
        np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top - logits[np.arange(len(y)), y]
    )
    return float(surprise.sum() + 0.5 / C * (coef**2).sum())


def excesses(case: Case, X: Any, y: Array, mine: Sequence[Solution],
             theirs: Sequence[LogisticRegression]) -> tuple[float, float]:
    """Largest distance to the smallest objective of the first fold: ours and the loop's."""
    train = splits(case)[0][0]
    tight = solve(X, y, [Problem(train, C) for C in case.strengths], tolerance=1e-9, max_iter=2000)
    pairs = []
    for C, exact, solution, model in zip(case.strengths, tight, mine, theirs, strict=False):
        values = [objective(X[train], y[train], C, coef, intercept) for coef, intercept in (
            (exact.coef, exact.intercept), (solution.coef, solution.intercept),
            (model.coef_, model.intercept_))]
        pairs.append((values[1] / min(values) - 1, values[2] / min(values) - 1))
    return max(ours for ours, _ in pairs), max(loops for _, loops in pairs)


def error(case: Case, X: Any, y: Array, mine: Sequence[Solution]) -> float:
    """Largest coefficient error against scikit-learn in float64, first fold."""
    train = splits(case)[0][0]
    errors = []
    for C, solution in zip(case.strengths, mine, strict=False):
        model = LogisticRegression(C=C, max_iter=20_000, tol=1e-9).fit(
            X[train].astype(np.float64), y[train]
        )
        errors.append(np.abs(solution.coef - model.coef_).max() / np.abs(model.coef_).max())
    return float(max(errors))


def same(case: Case, X: Any, y: Array) -> float:
    """Seconds of the loop over all folds at the loosest tolerance that comes within a millionth."""
    train = splits(case)[0][0]
    rows, labels = X[train], y[train]
    total = 0.0
    for C in case.strengths:
        smallest = solve(X, y, [Problem(train, C)], tolerance=1e-9, max_iter=2000)[0].objective
        for tol in (1e-4, 1e-5, 1e-6, 1e-7):
            seconds, model = timed(
                LogisticRegression(C=C, max_iter=5000, tol=tol).fit, rows, labels
            )
            if objective(rows, labels, C, model.coef_, model.intercept_) <= smallest * (1 + 1e-6):
                break
        total += seconds
    return total * case.folds


def compare(case: Case, X: Any, y: Array, equal: bool) -> str:
    """Measure one case; a row of the table."""
    seconds = []
    for _ in range(case.repeats):
        mine_s, mine = timed(ours, case, X, y)
        loop_s, theirs = timed(loop, case, X, y)
        seconds.append((mine_s, loop_s, timed(cross_validated, case, X, y)[0]))
    mine_s, loop_s, cv_s = np.median(seconds, axis=0)
    ratio = np.median([min(others) / own_s for own_s, *others in seconds])
    at_equal = f"{same(case, X, y) / mine_s:7.1f}" if equal or case.exact else " " * 7
    wrong = f"{error(case, X, y, mine):9.1e}" if case.exact else " " * 9
    excess = excesses(case, X, y, mine, theirs)
    with watched() as roofline:
        ours(case, X, y)
    kind = "sparse" if sparse.issparse(X) else "dense"
    return (f"{case.n:7d}{case.d:7d}{case.k:5d}{len(mine):5d} {kind:7}"
            f"{mine_s:9.3f}{loop_s:9.3f}{cv_s:9.3f}{ratio:7.1f}{at_equal}"
            f"  {excess[0]:8.1e} {excess[1]:8.1e} {wrong} {roofline.columns}")


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the small cases only")
    parser.add_argument(
        "--cases", type=int, nargs="+", default=range(len(CASES)), help="positions among all cases"
    )
    parser.add_argument(
        "--same", action="store_true", help="compare at equal accuracy in large cases too"
    )
    parser.add_argument(
        "--features", help="an .npz file of features X (n, d) and class codes y, instead"
    )
    parser.add_argument(
        "--ablate", nargs="*", metavar="PIECE", help="switch pieces of the solver off, instead"
    )
    return parser.parse_args()


def main() -> None:
    """Print the table."""
    options = arguments()
    warnings.simplefilter("ignore")
    if options.ablate is not None:
        from benchmarks.softmax_ablation import ablate

        ablate(options.ablate)
        return
    here = machine()
    print(
        f"large float32 product {here.peak / 1e9:.0f} GF/s, triad {here.bandwidth / 1e9:.1f} GB/s; "
        "seconds of the processor; ratio: to the faster of loop and CV"
    )
    print(f"{'n':>7}{'d':>7}{'k':>5}{'fits':>5} {'kind':7}{'ours s':>9}{'loop s':>9}{'CV s':>9}"
          f"{'ratio':>7}{'same':>7}  {'excess':>8} {'theirs':>8} {'error':>9} {HEADER}")
    if options.features:
        stored = np.load(options.features)
        X, y = stored["X"], stored["y"]
        X = ((X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-12)).astype(np.float32)
        case = Case(len(X), X.shape[1], int(y.max()) + 1, 5, FIVE, repeats=3, exact=len(X) <= 2000)
        print(compare(case, X, y, options.same))
        return
    for case in QUICK if options.quick else [CASES[position] for position in options.cases]:
        print(compare(case, *features(case), options.same), flush=True)


if __name__ == "__main__":
    main()
