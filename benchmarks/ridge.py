"""Ridge classification over folds and strengths: models.classifiers.least_squares, scikit-learn.

Run by hand: ``OMP_NUM_THREADS=1 python -m benchmarks.ridge [--quick]``. Every repetition measures,
in turn, ours, GridSearchCV over RidgeClassifier, and (dense rows) RidgeClassifierCV in each fold,
on the same folds, strengths and features; the table gives medians. The first two choose the
strength of the best mean accuracy over the folds and give the accuracy there; RidgeClassifierCV
chooses in each fold by leaving one row out, and gives the mean accuracy. Ours are the scores alone
here, without the held-out scores that probabilities need: "calibrated" is the time with those.

Error is the largest difference between scores of ours and of RidgeClassifier in double precision,
all strengths of the first fold, relative to the largest score. Equal is the share of rows for which
both predict the same class.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.linear_model import RidgeClassifier, RidgeClassifierCV
from sklearn.model_selection import GridSearchCV

from benchmarks.softmax_cases import Array, Case, features, splits, timed
from models.classifier import ArrayFit
from models.classifiers.least_squares import ridge
from models.classifiers.regression import Task
from models.classifiers.ridge import Ridge
from models.kept import RECENT

ALPHAS = (0.1, 0.3, 1.0, 3.0, 10.0)
QUICK = [
    Case(1000, 100, 2, 5, ALPHAS),
    Case(1000, 1280, 8, 5, ALPHAS),
    Case(1640, 5000, 8, 5, ALPHAS, density=0.004),
]
CASES = [
    *QUICK,
    Case(5000, 300, 100, 5, ALPHAS, repeats=3),
    Case(1640, 1664, 8, 5, ALPHAS, repeats=3),
    Case(10_000, 1664, 10, 5, ALPHAS, repeats=3),
    Case(20_000, 10_000, 10, 5, ALPHAS, density=0.002, repeats=3),
]


class Outcome(NamedTuple):
    """The strength chosen (None: one in each fold) and its mean accuracy over the folds."""

    alpha: float | None
    accuracy: float


def scaled(case: Case) -> tuple[Any, Array]:
    """Features whose rows have a mean squared norm of 1, as the fusions hand them over."""
    X, y = features(case)
    squares = X.multiply(X).sum() if sparse.issparse(X) else np.square(X).sum()
    return (X * np.float32(1 / np.sqrt(squares / case.n))), y


def targets(y: Array) -> Array:
    """1 for a row's class and -1 for others (n, K); one column for two classes."""
    classes = np.unique(y)
    return np.where(y[:, None] == (classes if len(classes) > 2 else classes[1:]), 1.0, -1.0)


def chosen(scores: Array) -> Array:
    """Codes of the classes with the highest scores (n, K)."""
    return scores.argmax(axis=1) if scores.shape[1] > 1 else (scores[:, 0] > 0).astype(int)


def ours(case: Case, X: Any, y: Array) -> Outcome:
    """All strengths of every fold from one set of products."""
    right = []
    for train, test in splits(case):
        task = Task(X[train], targets(y[train]), np.ones(len(train)))
        right.append(
            [
                float((chosen(solution.lines.scores(X[test])) == y[test]).mean())
                for solution in ridge(task, case.strengths)
            ]
        )
    means = np.mean(right, axis=0)
    return Outcome(case.strengths[int(means.argmax())], float(means.max()))


def calibrated(case: Case, X: Any, y: Array) -> None:
    """Probabilities of every fold and strength."""
    RECENT.clear()  # of the repetition before
    fits = (ArrayFit(X[train], y[train], X[test]) for train, test in splits(case))
    Ridge().predict_many(fits, [{"alpha": alpha} for alpha in case.strengths])


def searched(case: Case, X: Any, y: Array) -> Outcome:
    """GridSearchCV, which fits each strength of each fold anew."""
    search = GridSearchCV(
        RidgeClassifier(), {"alpha": case.strengths}, cv=splits(case), refit=False
    ).fit(X, y)
    best = int(np.argmax(search.cv_results_["mean_test_score"]))
    return Outcome(case.strengths[best], float(search.cv_results_["mean_test_score"][best]))


def left_one_out(case: Case, X: Any, y: Array) -> Outcome:
    """RidgeClassifierCV, which shares a factorisation between strengths."""
    right = [
        RidgeClassifierCV(alphas=case.strengths).fit(X[train], y[train]).score(X[test], y[test])
        for train, test in splits(case)
    ]
    return Outcome(None, float(np.mean(right)))


def difference(case: Case, X: Any, y: Array) -> tuple[float, float]:
    """Largest difference of scores, relative to the largest, and share of rows predicted alike."""
    train, test = splits(case)[0]
    errors, equal = [], []
    task = Task(X[train], targets(y[train]), np.ones(len(train)))
    exact: dict[str, Any] = {"solver": "sparse_cg", "tol": 1e-10} if sparse.issparse(X) else {}
    for alpha, solution in zip(case.strengths, ridge(task, case.strengths), strict=True):
        model = RidgeClassifier(alpha=alpha, **exact).fit(X[train].astype(np.float64), y[train])
        theirs = model.decision_function(X[test].astype(np.float64)).reshape(len(test), -1)
        scores = solution.lines.scores(X[test])
        errors.append(float(np.abs(scores - theirs).max() / np.abs(theirs).max()))
        equal.append(float((chosen(scores) == chosen(theirs)).mean()))
    return max(errors), min(equal)


def compare(case: Case) -> str:
    """Measure one case; a row of the table."""
    X, y = scaled(case)
    sides: list[Callable[[Case, Any, Array], Any]] = [ours, calibrated, searched]
    if not sparse.issparse(X):
        sides.append(left_one_out)
    seconds, outcomes = [], []
    for _ in range(case.repeats):
        measured = [timed(side, case, X, y) for side in sides]
        seconds.append([taken for taken, _ in measured])
        outcomes = [outcome for _, outcome in measured]
    mine, whole, search, *cv = np.median(seconds, axis=0)
    error, equal = difference(case, X, y)
    kind = "sparse" if sparse.issparse(X) else "dense"
    solved, chosen_by_search = outcomes[0], outcomes[2]
    return (
        f"{case.n:7d}{case.d:7d}{case.k:5d} {kind:7}{mine:9.3f}{whole:12.3f}{search:9.3f}"
        f"{cv[0] if cv else np.nan:9.3f}{search / mine:7.1f}  {solved.accuracy:.4f} "
        f"{chosen_by_search.accuracy:.4f} {outcomes[-1].accuracy if cv else np.nan:.4f} "
        f"{solved.alpha == chosen_by_search.alpha!s:>5} {error:8.1e} {equal:8.2%}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the small cases only")
    options = parser.parse_args()
    print(
        "5 folds x 5 strengths; seconds of each; ratio: search to ours; accuracies of ours, search "
        "and CV"
    )
    print(
        f"{'n':>7}{'d':>7}{'k':>5} {'kind':7}{'ours':>9}{'calibrated':>12}{'search':>9}{'CV':>9}"
        f"{'ratio':>7}  {'ours':6} {'search':6} {'CV':6} {'same':>5} {'error':>8} {'equal':>8}"
    )
    for case in QUICK if options.quick else CASES:
        print(compare(case), flush=True)


if __name__ == "__main__":
    main()
