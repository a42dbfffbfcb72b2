"""Processes and threads: the same fits under every split of the cores.

Run by hand: ``python -m benchmarks.split [--rows N]``. A run fits models in as many processes as
there are cores, one thread each (pipeline.engine.processes). Here the same pieces of work, one for
each of eight folds, are done with every number of processes that divides the cores, each with the
threads that are left for it; and with as many threads as cores in every process, which crowd each
other. The workers are started and warmed before the clock runs; all splits alternate, and the table
gives medians of five and the accuracy, which is the same to rounding.
"""

from __future__ import annotations

import argparse
import os
import statistics
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from benchmarks.ridge import ALPHAS, scaled
from benchmarks.softmax_cases import Array, Case, timed
from models.classifier import ArrayFit, Classifier
from models.classifiers.logistic import Logistic
from models.classifiers.ridge import Ridge

FOLDS, TIMES = 8, 5
WORK: dict[str, tuple[Classifier, list[dict[str, Any]]]] = {
    "logistic": (Logistic(), [{"C": C} for C in (1.0, 3.0, 10.0, 30.0)]),
    "ridge": (Ridge(), [{"alpha": alpha} for alpha in ALPHAS]),
}


def piece(name: str, X: Array, y: Array, fold: int, threads: int) -> float:
    """Best accuracy over the strengths on one fold, computed with so many threads."""
    model, settings = WORK[name]
    test = np.arange(len(y)) % FOLDS == fold
    with threadpool_limits(threads):
        [probabilities] = model.predict_many([ArrayFit(X[~test], y[~test], X[test])], settings)
    return max(float((chosen.argmax(axis=1) == y[test]).mean()) for chosen in probabilities)


def work(name: str, X: Array, y: Array, processes: int, threads: int) -> float:
    """Mean accuracy over the folds."""
    accuracies = Parallel(n_jobs=processes, batch_size=1)(
        delayed(piece)(name, X, y, fold, threads) for fold in range(FOLDS))
    return float(np.mean(list(accuracies)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2000)
    options = parser.parse_args()
    cores = os.cpu_count() or 1
    divisors = [count for count in range(cores, 0, -1) if cores % count == 0]
    splits = [*((processes, cores // processes) for processes in divisors), (cores, cores)]
    X, y = scaled(Case(options.rows, 1664, 10, FOLDS, ALPHAS))
    print(f"{options.rows} rows, 1664 columns, {FOLDS} folds, {cores} cores")
    print(f"{'model':10}{'processes':>10}{'threads':>9}{'seconds':>9}{'accuracy':>10}")
    for name in WORK:
        seconds: dict[tuple[int, int], list[float]] = {split: [] for split in splits}
        accuracy: dict[tuple[int, int], float] = {}
        for repetition in range(TIMES + 1):  # the first one warms up
            for split in splits:
                taken, accuracy[split] = timed(work, name, X, y, *split)
                seconds[split] += [taken] if repetition else []
        for split in splits:
            median = statistics.median(seconds[split])
            print(
                f"{name:10}{split[0]:10}{split[1]:9}{median:9.2f}{accuracy[split]:10.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
