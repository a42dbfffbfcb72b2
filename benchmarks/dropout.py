"""Dropout by random bytes beside torch's own, alone and in fits of the networks.

    python -m benchmarks.dropout [--rows 1000] [--seeds 5]

On one core, in turns; seconds are of the processor. Samples are those of benchmarks.train: accuracy
is that on 1,000 others, its mean and standard deviation over the seeds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import fmean, median, stdev
from unittest.mock import patch

import numpy as np
import torch
from torch import nn

from benchmarks.train import CLASSES, views_of
from features.training.dropout import Dropout
from models import FUSIONS

SIDES = {"torch's own": nn.Dropout, "random bytes": Dropout}
NETWORKS = ("attention", "cross_attention", "gated", "co_training")
WHERE = ("models.neural.attention_network.Dropout", "models.neural.pooled_network.Dropout")
TIMES = 200


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the medians and the accuracies."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dropout", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    x = torch.randn(64, 1664)
    for name, kind in SIDES.items():
        module = kind(0.3)
        print(f"64 x 1,664, {name}: {_seconds(lambda m=module: m(x)) * 1e6:.0f} us")
    codes = np.arange(options.rows) % CLASSES
    others = np.arange(1000) % CLASSES
    for fusion in NETWORKS:
        train, test = views_of(fusion, codes, 0), views_of(fusion, others, 7)
        seconds: dict[str, list[float]] = {name: [] for name in SIDES}
        right: dict[str, list[float]] = {name: [] for name in SIDES}
        for seed in range(options.seeds):
            for name, kind in SIDES.items():
                with patch(WHERE[0], kind), patch(WHERE[1], kind):
                    begun = time.process_time()
                    model = FUSIONS[fusion](random_state=seed).fit(train, codes)
                    epochs = len(model.history_.fitted)
                    seconds[name].append((time.process_time() - begun) / epochs)
                predicted = model.classes_[model.predict_proba(test).argmax(axis=1)]
                right[name].append(float(np.mean(predicted == others)))
        for name in SIDES:
            spread = f" ({stdev(right[name]):.3f})" if len(right[name]) > 1 else ""
            print(
                f"{fusion}, {name}: {median(seconds[name]) * 1e3:.1f} ms an epoch, accuracy "
                f"{fmean(right[name]):.3f}{spread}", flush=True
            )


def _seconds(work: Callable[[], object]) -> float:
    work()
    begun = time.process_time()
    for _ in range(TIMES):
        work()
    return (time.process_time() - begun) / TIMES


if __name__ == "__main__":
    main()
