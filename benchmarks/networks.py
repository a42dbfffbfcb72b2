"""Fits of the network fusions, their parts and their plain forms, beside concat.

Run by hand: ``OMP_NUM_THREADS=1 python -m benchmarks.networks GRID [--cells PATTERN] [--folds N]
[--seeds N] [--sides NAME ...] [--keep] [--store FOLDER]``. Each cell of concat and of a network
fusion whose name matches is fitted on the first outer folds; sides of a network take turns. Nothing
is kept between fits (models/kept.py), or with --keep what a run would keep. Features come from the
store, or go there; results are not put there.
Printed are seconds of the processor for a fit (median), epochs and milliseconds an epoch, mean
score and log loss on the test rows, their differences to the first side with the corrected 95 %
interval of the folds, and the share of a fit that each part takes.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.attention import interval_of, planned
from features.training.dropout import IN_A_NUMBER, LEVELS, Dropout
from features.training.loop import _Steps
from features.training.settings import Training
from models.kept import RECENT
from models.neural.attention import Attention, SequenceAttention
from models.neural.co_training import CoTraining
from models.neural.cross_attention_network import CoAttention
from models.neural.fusion import NeuralFusion, PooledNetwork
from models.neural.gated import Gated
from models.neural.pooled_network import GatedUnit
from models.softmax.linear_part import PooledRows
from pipeline.config.cells import Cell
from pipeline.metrics import METRICS
from pipeline.store.opening import DEFAULT_STORE, store_at
from pipeline.store.store import Store
from pipeline.tasks.context import Context
from pipeline.tasks.unit import Unit
from pipeline.tasks.views import aligned, fit_of, loaded_blocks

FUSIONS = ("concat", "attention", "cross_attention", "gated", "co_training")
Side = Callable[[ExitStack], None]  # patches what the fits of a side do without


class Part(NamedTuple):
    """Work within a fit, by the method that does it."""

    name: str
    owner: Any
    method: str


PARTS = (
    Part("preparation", SequenceAttention, "_prepare"),
    Part("preparation", PooledNetwork, "_prepare"),
    Part("preparation", SequenceAttention, "_inputs"),
    Part("preparation", PooledNetwork, "_inputs"),
    Part("linear part", PooledRows, "linear_part"),
    Part("steps", _Steps, "descend"),
    Part("held-out rows", _Steps, "measure"),
    Part("backward", torch.autograd, "backward"),
    Part("optimizer", torch.optim.AdamW, "step"),
)
WITHIN_STEPS = ("backward", "optimizer")


def plain_block(
    block: CoAttention, looking: Tensor, other: Tensor, other_mask: Tensor
) -> Tensor:
    """CoAttention with queries, keys and values of all vectors."""
    seen, _ = block.attend(looking, other, other, key_padding_mask=~other_mask, need_weights=False)
    attended = block.after_attention(looking + seen)
    vectors: Tensor = block.after_layers(attended + block.layers(attended))
    return vectors


def plain_unit(unit: GatedUnit, *inputs: Tensor) -> Tensor:
    """GatedUnit with a gradient to all features, and dropout of what stands for missing ones."""
    x, y = map(unit.dropout, unit.missing(*inputs))
    z = unit.gate(torch.cat([x, y], dim=1)).sigmoid()
    combined = z * unit.of_picture(x).tanh() + (1 - z) * unit.of_text(y).tanh()
    scores: Tensor = unit.head(unit.dropout(combined))
    return scores


def plain_steps(patches: ExitStack) -> None:
    """Each network's plain form."""
    patches.enter_context(patch.object(CoAttention, "forward", plain_block))
    patches.enter_context(patch.object(GatedUnit, "forward", plain_unit))


def all_epochs(patches: ExitStack) -> None:
    """Training that ends by `patience` alone."""
    for cls in (Gated, CoTraining):
        patches.enter_context(patch.object(cls, "stops_rising", False))


def small_batches(patches: ExitStack) -> None:
    """Training with the batches and the learning rate of the other networks."""
    for cls in (SequenceAttention, Gated):
        training = cls._training

        def slower(fusion: Any, training: Callable[[Any], Training] = training) -> Training:
            return replace(training(fusion), learning_rate=NeuralFusion.learning_rate)

        patches.enter_context(patch.object(cls, "batch_size", NeuralFusion.batch_size))
        patches.enter_context(patch.object(cls, "_training", slower))


def as_version_7(patches: ExitStack) -> None:
    """Attention that learns at .004, and waits for as many epochs as it took to the best."""
    training = SequenceAttention._training

    def slower(fusion: Any) -> Training:
        how = replace(training(fusion), least_patience=-(-fusion.patience // 2))
        return replace(how, learning_rate=4e-3) if isinstance(fusion, Attention) else how

    def waits(how: Training, best_epoch: int) -> int:
        return min(how.patience, max(how.least_patience or how.patience, best_epoch))

    patches.enter_context(patch.object(SequenceAttention, "_training", slower))
    patches.enter_context(patch.object(Training, "waits", waits))


def plain_dropout(patches: ExitStack) -> None:
    """Dropout that compares its random bytes."""
    patches.enter_context(patch.object(Dropout, "forward", compared))


def compared(dropout: Dropout, x: Tensor) -> Tensor:
    """See features.training.dropout.Dropout."""
    if not dropout.training or not dropout.share:
        return x
    left_out = round(LEVELS * dropout.share)
    drawn = torch.empty(-(-x.numel() // IN_A_NUMBER), dtype=torch.int64)
    drawn.random_(-(2**63), None)
    levels = drawn.view(torch.uint8)[: x.numel()].view(x.shape)
    return x * (levels >= left_out).to(x.dtype).mul_(LEVELS / (LEVELS - left_out))


def plain(patches: ExitStack) -> None:
    """None of it."""
    for side in (plain_steps, all_epochs, small_batches, plain_dropout):
        side(patches)


SIDES: dict[str, Side] = {
    "plain": plain,
    "plain steps": plain_steps,
    "plain dropout": plain_dropout,
    "all epochs": all_epochs,
    "small batches": small_batches,
    "attention 7": as_version_7,
    "now": lambda patches: None,
}


@dataclass(frozen=True)
class Measured:
    """A fit: seconds of the processor, in all and by part, epochs, score and log loss."""

    seconds: float
    parts: dict[str, float]
    epochs: int
    score: float
    log_loss: float


@contextmanager
def timed_parts() -> Iterator[dict[str, float]]:
    """Seconds of the processor by part, while it lasts."""
    seconds: dict[str, float] = defaultdict(float)

    def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def with_time(*given: Any, **named: Any) -> Any:
            begun = time.process_time()
            try:
                return work(*given, **named)
            finally:
                seconds[name] += time.process_time() - begun

        return with_time

    with ExitStack() as patches:
        for part in PARTS:
            work = timed(part.name, getattr(part.owner, part.method))
            patches.enter_context(patch.object(part.owner, part.method, work))
        yield seconds


@dataclass(frozen=True, eq=False)
class Bench:
    """What the measurements need, and what they are of."""

    context: Context
    store: Store
    metric: str
    rows: int
    keeps: bool

    def fitted(self, unit: Unit, side: Side, seed: int) -> Measured:
        """Fit a cell on a fold."""
        blocks = loaded_blocks(unit, self.context, self.store)
        fit = fit_of(unit, 0, blocks, self.context)
        parameters = unit.estimator.get_params(deep=False)
        if "random_state" in parameters:
            parameters["random_state"] = seed
        if not self.keeps:
            RECENT.clear()
        with ExitStack() as patches:
            side(patches)
            model: Any = type(unit.estimator)(**parameters)
            seconds = patches.enter_context(timed_parts())
            begun = time.process_time()
            model.learn(fit)
            taken = time.process_time() - begun
            predicted = model.predict_proba(fit.test)
        probabilities = aligned(predicted, model.classes_, self.context.classes)
        labels = self.context.labels[unit.fold.test]
        return Measured(
            taken,
            dict(seconds),
            len(model.history_.fitted) if hasattr(model, "history_") else 0,
            METRICS[self.metric](labels, probabilities),
            METRICS["log_loss"](labels, probabilities),
        )

    def compare(self, units: list[Unit], sides: dict[str, Side], seeds: int) -> None:
        """Print the lines of a cell, a line for each side."""
        is_network = isinstance(units[0].estimator, NeuralFusion)
        sides = sides if is_network else {"": SIDES["now"]}
        measured: dict[str, list[list[Measured]]] = {name: [] for name in sides}
        for unit in units:
            of_fold: dict[str, list[Measured]] = {name: [] for name in sides}
            for seed in range(seeds if is_network else 1):
                for name, side in sides.items():
                    of_fold[name].append(self.fitted(unit, side, seed))
            for name in sides:
                measured[name].append(of_fold[name])
        first = next(iter(sides))
        for name in sides:
            differences = "" if name == first else "  over " + first + ": " + ", ".join(
                self.interval(units, measured[name], measured[first], kind)
                for kind in ("score", "log_loss")
            )
            print(f"{units[0].cell.name} {name}: {line(measured[name])}{differences}", flush=True)

    def interval(
        self,
        units: list[Unit],
        of_side: list[list[Measured]],
        of_first: list[list[Measured]],
        kind: str,
    ) -> str:
        """Mean difference, over the seeds of each fold; with its interval, of several folds."""
        differences = [
            fmean(getattr(fit, kind) for fit in fold) - fmean(getattr(fit, kind) for fit in first)
            for fold, first in zip(of_side, of_first, strict=True)
        ]
        n_test = [len(unit.fold.test) for unit in units]
        return interval_of(differences, [self.rows - n for n in n_test], n_test, digits=4)


def line(folds: list[list[Measured]]) -> str:
    """What was measured of a side, in a line."""
    fits = list(chain.from_iterable(folds))
    seconds = median(fit.seconds for fit in fits)
    text = f"{seconds:.2f} s"
    if fits[0].epochs:
        epochs = fmean(fit.epochs for fit in fits)
        training = fmean(
            fit.parts["steps"] + fit.parts["held-out rows"] for fit in fits
        )
        text += f", {epochs:.1f} epochs of {1e3 * training / epochs:.1f} ms"
    text += f", score {fmean(fit.score for fit in fits):.4f}"
    text += f", log loss {fmean(fit.log_loss for fit in fits):.4f}"
    shares = {
        name: fmean(fit.parts.get(name, 0.0) / fit.seconds for fit in fits)
        for name in dict.fromkeys(part.name for part in PARTS)
    }
    if fits[0].epochs:
        shares["forward"] = shares.pop("steps") - sum(shares[name] for name in WITHIN_STEPS)
        text += "; " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items() if share)
    return text


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("grid", type=Path)
    parser.add_argument("--cells", default="", help="regular expression that names must hold")
    parser.add_argument("--folds", type=int, default=1, help="the first of the outer folds")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES), metavar="NAME")
    parser.add_argument("--keep", action="store_true", help="what earlier fits have prepared")
    parser.add_argument("--store", default=DEFAULT_STORE)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    store = store_at(asked.store)

    def is_asked(cell: Cell) -> bool:
        return cell.fusion.name in FUSIONS and re.search(asked.cells, cell.name) is not None

    comparison, plan = planned(asked.grid, store, asked.folds, is_asked)
    metric = comparison.grid.metric
    bench = Bench(comparison.context, store, metric, len(comparison.dataset), asked.keep)
    by_cell: dict[str, list[Unit]] = {}
    for unit in plan.units:
        unit.estimator.warm_up()
        by_cell.setdefault(unit.cell.name, []).append(unit)
    for units in by_cell.values():
        bench.compare(units, {name: SIDES[name] for name in asked.sides}, asked.seeds)


if __name__ == "__main__":
    main()
