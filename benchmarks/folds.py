"""Stratified folds of whole groups beside scikit-learn's (models/preparation/group_folds.py).

Run by hand: ``python -m benchmarks.folds``. Both draw the same five folds of 1,315 rows, in turn;
printed are medians of five of the seconds of a draw, and whether the folds are the same.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from models.preparation.group_folds import GroupFolds

ROWS, CLASSES, GROUPS, FOLDS, TIMES = 1315, 8, 1090, 5, 5


def main() -> None:
    """Print the table."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, ROWS)
    groups = np.concatenate([np.arange(GROUPS), rng.integers(0, GROUPS, ROWS - GROUPS)])
    seconds: dict[str, list[float]] = {}
    folds: dict[int, set[bytes]] = {}
    for seed in range(TIMES):
        for kind in (StratifiedGroupKFold, GroupFolds):
            begun = time.perf_counter()
            drawn = list(kind(FOLDS, shuffle=True, random_state=seed).split(labels, labels, groups))
            seconds.setdefault(kind.__name__, []).append(time.perf_counter() - begun)
            tests = np.concatenate([test for _, test in drawn])
            folds.setdefault(seed, set()).add(tests.tobytes())
    for name, times in seconds.items():
        print(f"{name:22}{median(times):8.3f} s")
    same = all(len(different) == 1 for different in folds.values())
    print("the same folds" if same else "the folds DIFFER")


if __name__ == "__main__":
    main()
