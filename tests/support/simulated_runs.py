"""Whole runs whose truth is known, for the report's own functions to judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.fold_record import CellRecord, FoldRecord
from reports.record import MetricRecord, RunRecord

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

CLASSES = 4
WIDTH = 4  # features of each cell
SHARED = 0.5  # part of the noise's variance that all cells see alike
OF_GROUPS = 0.25  # part of the noise's variance that the rows of a group share
FRESH = 2000  # new rows that measure what a fitted model is worth
INNER = 3


@dataclass(frozen=True)
class Truth:
    """What is true of a simulated data set.

    Parameters
    ----------
    gain : accuracy of each fusion over each single modality, known parameters taken.
    fusions, singles : cells with both modalities, and with each one.
    groups : number of groups that never straddle folds; None for independent rows.
    accuracy : of a single modality.
    """

    gain: float = 0.0
    fusions: int = 12
    singles: int = 1
    groups: int | None = None
    rows: int = 300
    accuracy: float = 0.7


class Simulated(NamedTuple):
    """A run, and the accuracy of its fitted models on fresh rows, by cell, repeat and fold."""

    record: RunRecord
    worth: dict[tuple[str, int, int], float]


def simulated_run(
    truth: Truth, data_seed: int, folds: int = 5, repeats: int = 5, seed: int = 0
) -> Simulated:
    """A run over one data set: linear discriminants of cells whose noise is partly the same.

    Class means lie on a simplex; a cell's features are normal around them, nearer for singles than
    for fusions where there is a gain. `data_seed` draws the rows, `seed` the folds.
    """
    rng = np.random.default_rng(data_seed)
    cells = _cells(truth)
    distances = np.array([_distance(truth, cell) for cell in cells])
    labels = np.tile(np.arange(CLASSES), truth.rows // CLASSES)
    groups = None if truth.groups is None else rng.permutation(np.arange(truth.rows) % truth.groups)
    X = _features(labels, groups, distances, rng)
    fresh_labels = np.tile(np.arange(CLASSES), FRESH // CLASSES)
    fresh_groups = None if groups is None else np.arange(FRESH) % (FRESH // CLASSES)
    fresh = _Rows(_features(fresh_labels, fresh_groups, distances, rng), fresh_labels, fresh_groups)
    records, worth = [], {}
    splitter = np.random.default_rng([seed, data_seed])
    rows = _Rows(X, labels, groups)
    for repeat in range(repeats):
        for fold, (train, test) in enumerate(_split(np.arange(truth.rows), rows, folds, splitter)):
            inner = _inner_scores(rows, train, splitter)
            model = _fitted(X[:, train], labels[train])
            probabilities = model.predict(X[:, test])
            values = _accuracies(model.predict(fresh.X), fresh.labels)
            outer = _OuterFold(repeat, fold, len(train), test)
            for position, cell in enumerate(cells):
                worth[cell.name, repeat, fold] = float(values[position])
                scores = _accuracies(probabilities[position][None], labels[test])
                records.append(
                    outer.record(cell, probabilities[position], float(scores[0]), inner[position])
                )
    return Simulated(_run(records, cells, labels, groups, seed), worth)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Features (C, n, d) of C cells, labels and groups (n,)."""

    X: Floats
    labels: Codes
    groups: Codes | None


@dataclass(frozen=True, eq=False)
class _OuterFold:
    """An outer fold."""

    repeat: int
    fold: int
    n_train: int
    test: Codes

    def record(
        self, cell: CellRecord, probabilities: Floats, score: float, inner_score: float
    ) -> FoldRecord:
        """What a cell predicted there."""
        return FoldRecord(
            cell.name, self.repeat, self.fold, self.n_train, self.test, probabilities, {},
            {"accuracy": score}, 0.0, 0.0, False, inner_score=float(inner_score),
        )


@dataclass(frozen=True, eq=False)
class _Discriminants:
    """Linear discriminants of C cells: weights (C, d, K) and offsets (C, K)."""

    weights: Floats
    offsets: Floats

    def predict(self, X: Floats) -> Floats:
        """Probabilities (C, n, K)."""
        logits = X @ self.weights + self.offsets[:, None]
        logits -= logits.max(axis=2, keepdims=True)
        odds = np.exp(logits)
        return np.asarray(odds / odds.sum(axis=2, keepdims=True))


def _fitted(X: Floats, labels: Codes) -> _Discriminants:
    """Classes with one covariance (Fisher 1936), all cells at once."""
    of_class = np.eye(CLASSES)[labels]  # (n, K)
    counts = of_class.sum(axis=0)
    means = np.einsum("nk,cnd->ckd", of_class, X) / counts[:, None]
    centred = X - means[:, labels]
    covariance = np.einsum("cnd,cne->cde", centred, centred) / (len(labels) - CLASSES)
    weights = np.linalg.solve(covariance, means.transpose(0, 2, 1))
    offsets = np.log(counts / len(labels)) - 0.5 * np.einsum("ckd,cdk->ck", means, weights)
    return _Discriminants(weights, offsets)


def _features(
    labels: Codes, groups: Codes | None, distances: Floats, rng: np.random.Generator
) -> Floats:
    """Features (C, n, d): class means, noise of all cells and of each, and of groups."""
    cells, rows = len(distances), len(labels)
    noise = _mixed(rng.normal(size=(rows, WIDTH)), rng.normal(size=(cells, rows, WIDTH)), SHARED)
    if groups is not None:
        of_groups = rng.normal(size=(cells, int(groups.max()) + 1, WIDTH))
        noise = _mixed(of_groups[:, groups], noise, OF_GROUPS)
    return np.asarray(distances[:, None, None] * np.eye(CLASSES, WIDTH)[labels] + noise)


def _mixed(part: Floats, rest: Floats, share: float) -> Floats:
    return np.asarray(np.sqrt(share) * part + np.sqrt(1 - share) * rest)


def _distance(truth: Truth, cell: CellRecord) -> float:
    both = cell.image is not None and cell.text is not None
    return distance_of(truth.accuracy + (truth.gain if both else 0.0))


@cache
def distance_of(accuracy: float) -> float:
    """How far class means must be from the origin for this accuracy with known parameters."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(200_000, CLASSES))
    low, high = 0.0, 10.0
    for _ in range(40):  # bisection
        middle = (low + high) / 2
        noise[:, 0] += middle
        right = float(np.mean(noise.argmax(axis=1) == 0))
        noise[:, 0] -= middle
        low, high = (middle, high) if right < accuracy else (low, middle)
    return (low + high) / 2


def _split(
    within: Codes, rows: _Rows, count: int, rng: np.random.Generator
) -> Iterator[tuple[Codes, Codes]]:
    """(train, test) positions of folds of some rows: stratified, or whole groups."""
    if rows.groups is None:
        order = within[np.lexsort((rng.random(len(within)), rows.labels[within]))]
        folds = [order[fold::count] for fold in range(count)]
    else:
        dealt = np.array_split(rng.permutation(np.unique(rows.groups[within])), count)
        folds = [within[np.isin(rows.groups[within], part)] for part in dealt]
    for test in folds:
        yield np.setdiff1d(within, test), np.sort(test)


def _inner_scores(rows: _Rows, train: Codes, rng: np.random.Generator) -> Floats:
    """Mean accuracy (C,) on the inner folds."""
    scores = [
        _accuracies(
            _fitted(rows.X[:, inside], rows.labels[inside]).predict(rows.X[:, outside]),
            rows.labels[outside],
        )
        for inside, outside in _split(train, rows, INNER, rng)
    ]
    return np.asarray(np.mean(scores, axis=0))


def _accuracies(probabilities: Floats, labels: Codes) -> Floats:
    return np.asarray((probabilities.argmax(axis=2) == labels).mean(axis=1))


def _cells(truth: Truth) -> list[CellRecord]:
    numbers = range(truth.singles)
    singles = [CellRecord(f"image {i}", f"image {i}", None, "image_only", None) for i in numbers]
    singles += [CellRecord(f"text {i}", None, f"text {i}", "text_only", None) for i in numbers]
    return singles + [
        CellRecord(f"fusion {i}", "image 0", "text 0", f"fusion {i}", None)
        for i in range(truth.fusions)
    ]


def _run(
    folds: Sequence[FoldRecord],
    cells: Sequence[CellRecord],
    labels: Codes,
    groups: Codes | None,
    seed: int,
) -> RunRecord:
    return RunRecord(
        name="simulated", created="", command="", grid="", metric="accuracy",
        metrics=(MetricRecord("accuracy", True),), seed=seed,
        classes=tuple(f"class {code}" for code in range(CLASSES)),
        ids=[str(row) for row in range(len(labels))], texts=[None] * len(labels), labels=labels,
        cells=tuple(cells), folds=tuple(folds), split="", fingerprint="", versions={},
        groups=groups, group_name=None if groups is None else "group", steps=(), stages=(),
    )
