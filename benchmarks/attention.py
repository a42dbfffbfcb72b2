"""Why attention lost to concat on classes that pooled features tell, and what each part does.

Run by hand: ``OMP_NUM_THREADS=1 python -m benchmarks.attention GRID [--cells PATTERN] [--folds N]
[--seeds N] [--designs NAME ...] [--store FOLDER]``. For each pair of encoders of which the grid has
concat and attention (cells whose names match), every design below learns from the training rows of
the first outer folds and is held against concat on the same test rows: mean score, mean gain with
the corrected 95 % interval, folds better, log loss and its difference (below 0: lower than
concat's), and seconds of the processor for a fit. Features come from the store, or go there;
results are not put there. A design is the cell's attention, with the setting that its name says, or
one of these:

- a single network: as version 5 of Attention, stopped by 15 % of the rows, in place of the mean of
  three that are stopped by a third each; "inner folds" then take three further fits.
- patience alone: training waits for `patience` passes, however early it was best.
- trained together: as version 4 of Attention, where the weights of the pooled features, too, were
  trained, with dropout, until the rows held out showed no more gain.
- trained together, all rows: the same once more, for as many epochs, with no rows held out.
- on scores of rows seen: the network learns on top of scores of regressions that have seen the row.
- linear part alone: without v.
- regions pooled: the picture is a single region, the mean of all; tokens pooled: likewise.
- 4 heads: v of four attentions of a quarter of the width, side by side.
- mean of 3: probabilities of three networks whose seeds differ.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from features.training.dropout import Dropout
from models.fusion import Fit, Fusion
from models.neural.attention import Attention
from models.neural.attention_network import (
    OnTop,
    PairAttention,
    ScoresBesidePooled,
    pair_attention,
)
from models.neural.fusion import NeuralFusion
from models.preparation.principal_components import mean_vectors
from models.softmax.linear_part import PooledRows
from models.views import Views
from pipeline.config.cells import Cell
from pipeline.config.parse import read_grid
from pipeline.engine.processes import Processes
from pipeline.engine.progress import progress
from pipeline.metrics import METRICS
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import encoded
from pipeline.plan.load import load
from pipeline.plan.plan import Plan, make_plan
from pipeline.store.opening import DEFAULT_STORE, store_at
from pipeline.store.store import Store
from pipeline.tasks.context import Context
from pipeline.tasks.fit import _result
from pipeline.tasks.unit import Unit
from pipeline.tasks.views import aligned, fit_of, loaded_blocks
from reports.analysis.statistics import corrected_resampled_interval

Design = Callable[..., Fusion]  # by its seed and the cell's settings


@dataclass(kw_only=True, eq=False, repr=False)
class Together(Attention):
    """All weights trained together: see the first design."""

    _learned = NeuralFusion._learned
    _training = NeuralFusion._training

    def _network(self, inputs: Sequence[Tensor]) -> nn.Module:
        network: Any = super()._network(inputs)
        network.head.of_attended.reset_parameters()
        network.head.of_pooled = nn.Sequential(Dropout(self.dropout), network.head.of_pooled)
        return network  # type: ignore[no-any-return]


@dataclass(kw_only=True, eq=False, repr=False)
class TogetherOnAllRows(Together):
    """Trained again with no rows held out, for as many epochs."""

    def _trained(self, *given: Any) -> Any:
        _, history = super()._trained(*given)
        how = replace(self._training(), held_out=0.0, epochs=history.best_epoch)
        with patch.object(self, "_training", lambda: how):
            return super()._trained(*given)


@dataclass(kw_only=True, eq=False, repr=False)
class SingleNetwork(Attention):
    """A network that stops by a share of the rows, on top of the same scores."""

    _training = NeuralFusion._training

    def _learned(self, views: Views, inputs: Any, codes: Any) -> Any:
        *sequences, _ = inputs
        part = self._linear_part(views, codes)
        given = (*sequences, torch.from_numpy(part.scores))
        trained, history = self._trained(
            lambda: OnTop(self._network(inputs)), given, codes, views.groups
        )
        return trained.finished(part), history


@dataclass(kw_only=True, eq=False, repr=False)
class Patient(Attention):
    """Training waits as long as `patience` says, however early it was best."""

    _training = NeuralFusion._training


@dataclass(kw_only=True, eq=False, repr=False)
class OnSeen(Attention):
    """The known scores are those of the regression on all rows."""

    def fit(self, views: Views, y: NDArray[Any]) -> OnSeen:
        """See NeuralFusion.fit."""
        solve = PooledRows.linear_part

        def seen(rows: PooledRows, *given: Any) -> Any:
            part = solve(rows, *given)
            scores = np.hstack(rows.blocks) @ part.weight.T + part.bias
            return part._replace(scores=scores.astype(np.float32))

        with patch.object(PooledRows, "linear_part", seen):
            return super().fit(views, y)


@dataclass(kw_only=True, eq=False, repr=False)
class LinearAlone(Attention):
    """v is left out of what was learned."""

    epochs: int = 1

    def fit(self, views: Views, y: NDArray[Any]) -> LinearAlone:
        """See NeuralFusion.fit."""
        super().fit(views, y)
        for member in self.network_.networks:  # type: ignore[operator, union-attr]
            nn.init.zeros_(member.head.of_attended.weight)
        return self


@dataclass(kw_only=True, eq=False, repr=False)
class Pooling(Attention):
    """A modality as a sequence of one vector."""

    modality: str = "image"

    def fit(self, views: Views, y: NDArray[Any]) -> Pooling:
        """See NeuralFusion.fit."""
        return super().fit(self._pooled(views), y)

    def predict_proba(self, views: Views) -> NDArray[np.float64]:
        """See NeuralFusion.predict_proba."""
        return super().predict_proba(self._pooled(views))

    def _pooled(self, views: Views) -> Views:
        blocks = views.blocks()
        if blocks[self.modality].is_sequence:
            blocks[self.modality] = mean_vectors(blocks[self.modality])
        return Views.of(blocks, views.groups)


class Heads(PairAttention):
    """Four attentions side by side."""

    def _attend(self, sequences: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        x, h, x_mask, h_mask = self.sequences(*sequences)
        parts = [
            pair_attention(of_x, of_h, x_mask, h_mask, self.similarity, of_x.shape[2] ** -0.5)
            for of_x, of_h in zip(x.chunk(4, dim=2), h.chunk(4, dim=2), strict=True)
        ]
        return torch.cat([v for v, _ in parts], dim=1), parts[0][1]


@dataclass(kw_only=True, eq=False, repr=False)
class FourHeads(Attention):
    """See Heads."""

    def _network(self, inputs: Sequence[Tensor]) -> ScoresBesidePooled:
        network: Any = super()._network(inputs)
        return Heads(**network.arguments)


class MeanOfThree:
    """Mean probabilities of three seeds."""

    def __init__(self, random_state: int, **parameters: Any) -> None:
        seeds = [3 * random_state + number for number in range(3)]
        self.members = [Attention(random_state=seed, **parameters) for seed in seeds]

    def fit(self, views: Views, y: NDArray[Any]) -> MeanOfThree:
        """Fit each."""
        for member in self.members:
            member.fit(views, y)
        self.classes_ = self.members[0].classes_
        return self

    def predict_proba(self, views: Views) -> NDArray[np.float64]:
        """Mean of the members' (n, K)."""
        predicted = [member.predict_proba(views) for member in self.members]
        return np.asarray(np.mean(predicted, axis=0))


SETTINGS: dict[str, dict[str, Any]] = {
    "attention": {},
    "cosine": {"similarity": "cosine"},
    "hidden": {"projection": "hidden"},
    "pooled: false": {"pooled": False},
    "width: 8": {"width": 8},
    "width: 128": {"width": 128},
    "reduce: 16": {"reduce": 16},
    "reduce: 256": {"reduce": 256},
    "dropout: 0": {"dropout": 0.0},
    "dropout: .6": {"dropout": 0.6},
    "weight_decay: 1": {"weight_decay": 1.0},
    "learning_rate: .0005": {"learning_rate": 5e-4},
    "patience: 20": {"patience": 20},
}
OTHERS: dict[str, Design] = {
    "a single network": SingleNetwork,
    "patience alone": Patient,
    "trained together": Together,
    "trained together, all rows": TogetherOnAllRows,
    "on scores of rows seen": OnSeen,
    "linear part alone": LinearAlone,
    "regions pooled": partial(Pooling, modality="image"),
    "tokens pooled": partial(Pooling, modality="text"),
    "4 heads": FourHeads,
    "mean of 3": MeanOfThree,
}


def designs() -> dict[str, Design]:
    """All of them by name."""
    of_settings = {name: partial(_with, changes) for name, changes in SETTINGS.items()}
    return of_settings | OTHERS


def _with(changes: Mapping[str, Any], **parameters: Any) -> Attention:
    return Attention(**{**parameters, **changes})


@dataclass(frozen=True, eq=False)
class Pair:
    """An attention cell on some folds, and concat of the same encoders on the same ones."""

    concat: list[Unit]
    attention: list[Unit]


def pairs(units: Sequence[Unit]) -> list[Pair]:
    """What of the units can be compared."""
    by_cell: dict[Cell, list[Unit]] = {}
    for unit in units:
        by_cell.setdefault(unit.cell, []).append(unit)
    concat = {
        (cell.image, cell.text): of_cell
        for cell, of_cell in by_cell.items()
        if cell.fusion.name == "concat"
    }
    return [
        Pair(concat[cell.image, cell.text], of_cell)
        for cell, of_cell in by_cell.items()
        if cell.fusion.name == "attention"
    ]


@dataclass(frozen=True, eq=False)
class Bench:
    """What the measurements need, and what they are of."""

    context: Context
    store: Store
    metric: str
    rows: int

    def of_concat(self, unit: Unit) -> tuple[float, float, float]:
        """Score, log loss and seconds, with the settings chosen on inner folds."""
        begun = time.process_time()
        probabilities: Any = _result(unit, self.context, self.store).arrays["probabilities"]
        return *self._scores(unit, probabilities), time.process_time() - begun

    def of_design(self, unit: Unit, fit: Fit, design: Design, seeds: int) -> NDArray[np.float64]:
        """The same of a design, the mean over its seeds."""
        measured = []
        parameters = unit.estimator.get_params(deep=False)
        for seed in range(seeds):
            begun = time.process_time()
            model: Any = design(**{**parameters, "random_state": seed}).fit(fit.train, fit.y)
            seconds = time.process_time() - begun
            probabilities = aligned(
                model.predict_proba(fit.test), model.classes_, self.context.classes
            )
            measured.append((*self._scores(unit, probabilities), seconds))
        return np.asarray(np.mean(measured, axis=0))

    def _scores(self, unit: Unit, probabilities: NDArray[np.float64]) -> tuple[float, float]:
        labels = self.context.labels[unit.fold.test]
        return METRICS[self.metric](labels, probabilities), METRICS["log_loss"](
            labels, probabilities
        )


def compare(pair: Pair, bench: Bench, chosen: dict[str, Design], seeds: int) -> None:
    """Print the table of a pair of encoders."""
    concat = np.array([bench.of_concat(unit) for unit in pair.concat])
    n_test = [len(unit.fold.test) for unit in pair.concat]
    of_concat = f"{fmean(concat[:, 0]):.3f}, log loss {fmean(concat[:, 1]):.3f}"
    print(f"\n{pair.attention[0].cell.name}: concat {of_concat}, {median(concat[:, 2]):.2f} s\n")
    print(f"| design | {bench.metric} | over concat | folds better | log loss | over concat | s |")
    print("|:--|--:|--:|--:|--:|--:|--:|", flush=True)
    for name, design in chosen.items():
        rows = []
        for unit in pair.attention:
            fit = fit_of(unit, 0, loaded_blocks(unit, bench.context, bench.store), bench.context)
            rows.append(bench.of_design(unit, fit, design, seeds))
        measured = np.array(rows)
        gains = measured[:, :2] - concat[:, :2]
        texts = [
            interval_of(gains[:, column].tolist(), [bench.rows - n for n in n_test], n_test)
            for column in range(2)
        ]
        print(f"| {name} | {fmean(measured[:, 0]):.3f} | {texts[0]} "
              f"| {int((gains[:, 0] > 0).sum())} of {len(gains)} | {fmean(measured[:, 1]):.3f} "
              f"| {texts[1]} | {median(measured[:, 2]):.2f} |", flush=True)


def interval_of(
    differences: list[float], n_train: list[int], n_test: list[int], digits: int = 3
) -> str:
    """Mean and corrected interval; the mean alone of a single fold."""
    if len(differences) < 2:
        return f"{differences[0]:+.{digits}f}"
    given = corrected_resampled_interval(differences, n_train, n_test)
    return f"{given.mean:+.{digits}f} ({given.low:+.{digits}f} to {given.high:+.{digits}f})"


def planned(
    path: Path, store: Store, folds: int, is_asked: Callable[[Cell], bool]
) -> tuple[Comparison, Plan]:
    """Some cells of a grid on its first outer folds, with their features in the store."""
    whole = load(read_grid(path), store, Processes(1), progress)
    cells = list(filter(is_asked, whole.cells))
    comparison = whole.of(cells, whole.folds[:folds], progress)
    plan = make_plan(comparison)
    encoded(plan.features.values(), comparison)
    return comparison, plan


def main() -> None:
    """Measure and print."""
    known = designs()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("grid", type=Path)
    parser.add_argument("--cells", default="", help="regular expression that names must hold")
    parser.add_argument("--folds", type=int, default=5, help="the first of the outer folds")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--designs", nargs="+", choices=known, default=list(known), metavar="NAME")
    parser.add_argument("--store", default=DEFAULT_STORE)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    store = store_at(asked.store)

    def is_asked(cell: Cell) -> bool:
        named = cell.fusion.name in ("concat", "attention")
        return named and re.search(asked.cells, cell.name) is not None

    comparison, plan = planned(asked.grid, store, asked.folds, is_asked)
    metric = comparison.grid.metric
    bench = Bench(comparison.context, store, metric, len(comparison.dataset))
    Attention().warm_up()
    for pair in pairs(plan.units):
        compare(pair, bench, {name: known[name] for name in asked.designs}, asked.seeds)


if __name__ == "__main__":
    main()
