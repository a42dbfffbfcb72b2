"""Small fusion networks trained separately, as by the grid, against all with stacked parameters.

Run by hand: ``python -m benchmarks.stacked [--rows N] [--repeats N]``.

`gated` with its default settings, 3 inner folds x 4 settings (learning_rate, weight_decay): 12
networks on drawn features of 1,280 and 384 columns, 8 classes. One thread; repetitions alternate
the sides; medians of CPU time.

- one by one: features.training.loop.train, network after network.
- stacked: torch.func.functional_call under vmap over the networks' stacked parameters. Every
  network keeps its own rows, order of batches, optimizer and early stopping; those that have ended
  are taken out of the stack.

Without dropout both sides see the same batches, and the held-out losses must agree to rounding.
With dropout vmap draws the masks of all networks from one random state: they are other masks, so
that losses differ as they do between seeds, and the number of epochs with them; the table therefore
gives the time of one epoch of one network too.

Seen on two cores that others used at the same time, ``--repeats 5``, before training took its rows
by index_select (4 % less time one by one), CPU seconds of 12 networks:

- without dropout: one by one 9.78, stacked 7.93 (ratio 1.23), 222 epochs on both sides, losses
  6e-8 apart at most.
- with it: 13.89 and 12.54 (1.11; of one epoch 1.13), 229 and 233 epochs, mean losses .5696 and
  .5772.

So the grid trains one by one: a step is arithmetic (matrix products a third, dropout's random
numbers a quarter of the time), of which stacking saves none, and it would change the masks, or draw
them network by network.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold
from torch import Tensor
from torch.func import functional_call, stack_module_state
from torch.nn import functional

from features.training.batches import RowBatches, TrainingSamples
from features.training.held_out import split_for_stopping
from features.training.loop import Course, optimizer_of, train, warm_up
from features.training.settings import History, Training
from models.neural.losses import classification_loss
from models.neural.pooled_network import GatedUnit

PICTURES, TEXTS, CLASSES, BATCH = 1280, 384, 8, 64
SETTINGS = tuple(itertools.product((1e-3, 2e-3), (0.01, 0.1)))
Inputs = tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Problem:
    """One network to train: its inner fold's rows, and how."""

    fold: int
    inputs: Inputs
    codes: NDArray[np.int64]
    how: Training


def problems(rows: int) -> list[Problem]:
    """Inner folds x settings on features of which a few directions tell the classes apart."""
    rng = np.random.default_rng(0)
    codes = rng.integers(CLASSES, size=rows)
    made: list[Tensor] = []
    for width in (PICTURES, TEXTS):
        X = rng.normal(size=(rows, width)) + 0.2 * rng.normal(size=(CLASSES, width))[codes]
        made += [torch.from_numpy(10 * X / np.linalg.norm(X, axis=1, keepdims=True)).float(),
                 torch.from_numpy(rng.random(rows) > 0.05)]
    # so that training stops early
    codes = np.where(rng.random(rows) < 0.1, rng.integers(CLASSES, size=rows), codes)
    folds = StratifiedKFold(3, shuffle=True, random_state=0).split(codes, codes)
    training_rows = [train for train, _ in folds]
    return [
        Problem(
            fold,
            (made[0][rows], made[1][rows], made[2][rows], made[3][rows]),
            codes[rows],
            Training(60, 6, learning_rate, weight_decay, random_state=0),
        )
        for (fold, rows), (learning_rate, weight_decay) in itertools.product(
            enumerate(training_rows), SETTINGS
        )
    ]


def network(dropout: float, modality_dropout: float) -> GatedUnit:
    """The network of `gated`, with torch's own dropout: vmap cannot draw bytes."""
    unit = GatedUnit(PICTURES, TEXTS, CLASSES, 64, dropout, modality_dropout)
    unit.register_module("dropout", torch.nn.Dropout(dropout))
    return unit


def one_by_one(cases: Sequence[Problem], build: Callable[[], GatedUnit]) -> list[History]:
    """Train as the grid does."""
    return [
        train(
            build,
            TrainingSamples(RowBatches(case.inputs, BATCH), case.codes),
            classification_loss("cross_entropy", 0.0, "none", case.codes),
            case.how,
        )[1]
        for case in cases
    ]


class Stack:
    """Networks whose parameters are slices of stacked ones, with an optimizer over each slice."""

    def __init__(self, cases: Sequence[Problem], build: Callable[[], GatedUnit]) -> None:
        self.cases, self.rngs = (
            cases,
            [np.random.default_rng(case.how.random_state) for case in cases],
        )
        split = [split_for_stopping(case.codes, case.how.held_out, rng)
                 for case, rng in zip(cases, self.rngs, strict=True)]
        self.fitted, self.held_out = zip(*split, strict=True)
        self.networks = [_seeded(build, case.how.random_state) for case in cases]
        self.courses = [_Stacked(network, case.how, f"learning_rate {case.how.learning_rate:g}")
                        for network, case in zip(self.networks, cases, strict=True)]
        self.optimizers = [optimizer_of([{"params": network.parameters()}], case.how)
                           for network, case in zip(self.networks, cases, strict=True)]
        self.shape = build().to("meta")  # what functional_call takes for the module
        folds = {case.fold: case for case in cases}
        starts = np.cumsum([0, *(len(case.codes) for case in folds.values())])
        self.starts = [starts[list(folds).index(case.fold)] for case in cases]
        self.inputs = tuple(
            torch.cat(parts) for parts in zip(*(c.inputs for c in folds.values()), strict=True)
        )
        self.codes = torch.from_numpy(np.concatenate([case.codes for case in folds.values()]))
        self._take(range(len(cases)))

    def _take(self, numbers: Sequence[int]) -> None:
        """Stack the parameters of these networks only."""
        self.alive = list(numbers)
        networks = [self.networks[i] for i in self.alive]
        self.stacked, _ = stack_module_state(networks)  # type: ignore[arg-type]
        for position, i in enumerate(self.alive):
            for name, parameter in self.networks[i].named_parameters():
                parameter.data = self.stacked[name].data[position]

    def histories(self) -> list[History]:
        """Train until the last has ended."""
        while self.alive:
            self.shape.train()
            orders = [self.rngs[i].permutation(self.fitted[i]) for i in self.alive]
            losses = sum(self._step([order[start:start + BATCH] for order in orders])
                         for start in range(0, max(map(len, orders)), BATCH))
            self.shape.eval()
            with torch.no_grad():
                held_out = self._losses([self.held_out[i] for i in self.alive])
            for position, i in enumerate(self.alive):
                self.courses[i].add(
                    float(losses[position]) / len(self.fitted[i]),  # type: ignore[index]
                    float(held_out[position]),
                )
            going = [i for i in self.alive if not self.courses[i].ended]
            if going != self.alive:
                self._take(going) if going else self.alive.clear()
        return [course.end() for course in self.courses]

    def _losses(self, rows: Sequence[NDArray[np.int64]]) -> Tensor:
        """Mean loss of each network on its rows; batches are padded with rows of weight 0."""
        filled = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
        weights = np.zeros(filled.shape, dtype=np.float32)
        for position, some in enumerate(rows):
            filled[position, :len(some)] = some + self.starts[self.alive[position]]
            weights[position, :len(some)] = 1 / max(len(some), 1)
        at = torch.from_numpy(filled)
        scores = torch.vmap(
            lambda parameters, *inputs: functional_call(self.shape, parameters, inputs),
            randomness="different",
        )(self.stacked, *(values[at] for values in self.inputs))
        losses = functional.cross_entropy(
            scores.flatten(0, 1), self.codes[at].flatten(), reduction="none"
        )
        return (losses.view(at.shape) * torch.from_numpy(weights)).sum(dim=1)

    def _step(self, rows: Sequence[NDArray[np.int64]]) -> Tensor:
        """A step of every network that has rows left in this epoch; the sum of their losses."""
        losses = self._losses(rows)
        names = list(self.stacked)
        gradients = [
            gradient.contiguous()
            for gradient in torch.autograd.grad(losses.sum(), list(self.stacked.values()))
        ]
        for position, i in enumerate(self.alive):
            if len(rows[position]):
                for parameter, gradient in zip(
                    map(self.networks[i].get_parameter, names), gradients, strict=True
                ):
                    # laid out as the parameter: the fused optimizer reads memory
                    parameter.grad = gradient[position]
                self.optimizers[i].step()
        return losses.detach() * torch.tensor([len(some) for some in rows])


class _Stacked(Course):
    """A course that clones the best weights: a deep copy of a slice would take the whole stack."""

    def add(self, fitted: float, held_out: float | None) -> None:
        least = self._least
        network, self._network = self._network, torch.nn.Identity()
        super().add(fitted, held_out)
        self._network = network
        if self._least < least:
            self._best = {name: value.clone() for name, value in network.state_dict().items()}


def _seeded(build: Callable[[], GatedUnit], seed: int) -> GatedUnit:
    torch.manual_seed(seed)
    return build()


def timed(work: Callable[[], list[History]]) -> tuple[float, list[History]]:
    """CPU seconds and the histories."""
    start = time.process_time()
    histories = work()
    return time.process_time() - start, histories


def compare(cases: Sequence[Problem], dropout: float, modality_dropout: float, repeats: int) -> str:
    """One line of the table."""
    seconds: dict[str, list[float]] = {"one": [], "stacked": []}
    least: dict[str, NDArray[np.float64]] = {}
    epochs: dict[str, int] = {}
    sides: dict[str, Callable[[], list[History]]] = {
        "one": lambda: one_by_one(cases, lambda: network(dropout, modality_dropout)),
        "stacked": lambda: Stack(cases, lambda: network(dropout, modality_dropout)).histories()}
    for repeat in range(repeats):
        for side in sorted(sides, reverse=bool(repeat % 2)):
            taken, histories = timed(sides[side])
            seconds[side].append(taken)
            least[side] = np.array([min(history.held_out) for history in histories])
            epochs[side] = sum(len(history.fitted) for history in histories)
    separate, stacked = (statistics.median(seconds[side]) for side in ("one", "stacked"))
    ms = [1000 * separate / epochs["one"], 1000 * stacked / epochs["stacked"]]
    apart = np.abs(least["one"] - least["stacked"]).max()
    return (f"{dropout:7.2f}  {separate:8.2f}  {stacked:7.2f}  {separate / stacked:5.2f}  "
            f"{epochs['one']:6d}  {epochs['stacked']:7d}  "
            f"{ms[0]:8.2f}  {ms[1]:7.2f}  {ms[0] / ms[1]:5.2f}  "
            f"{least['one'].mean():8.4f}  {least['stacked'].mean():7.4f}  {apart:8.1e}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1300)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    warm_up()
    cases = problems(asked.rows)
    print(
        "         CPU seconds of 12 networks  epochs of all"
        "    ms of an epoch            held-out loss"
    )
    print(
        "dropout   one by   stacked  ratio  one by  stacked"
        "    one by  stacked  ratio    one by  stacked  at most"
    )
    for dropout, modality_dropout in ((0.0, 0.0), (0.3, 0.1)):
        print(compare(cases, dropout, modality_dropout, asked.repeats), flush=True)


if __name__ == "__main__":
    main()
