"""Scores of all queries of all folds together, and in resamples of their pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reports.analysis.bootstrap import RESAMPLES, Pooled, resample_weights
from reports.record import MetricRecord
from reports.retrieval_record import DIRECTIONS, Direction, MatchRecord, RetrievalRecord

Ways: TypeAlias = Literal["text_to_image", "image_to_text", "both"]
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Queries:
    """All queries of one direction, fold after fold: the same for all cells.

    Parameters
    ----------
    units : int (q,), which unit each query is of.
    """

    units: NDArray[np.int64]

    def means(self, weights: NDArray[np.float32], values: Floats) -> Floats:
        """Weighted means (b, c) of values (q, c) under weights (b, u) of the units."""
        sums = np.zeros((weights.shape[1], values.shape[1]))
        np.add.at(sums, self.units, values)
        sizes = np.bincount(self.units, minlength=weights.shape[1]).astype(np.float64)
        return np.asarray((weights @ sums) / (weights @ sizes)[:, None])

    def medians(self, weights: NDArray[np.float32], values: Floats) -> Floats:
        """Weighted medians (b, c): the value up to which half of the weight lies."""
        medians = np.empty((len(weights), values.shape[1]))
        for column, of_cell in enumerate(values.T):
            order = np.argsort(of_cell, kind="stable")
            ordered, units = of_cell[order], self.units[order]
            for row, drawn in enumerate(weights):
                total = np.cumsum(drawn[units], dtype=np.float64)
                ends = [
                    min(int(np.searchsorted(total, total[-1] / 2, side)), len(total) - 1)
                    for side in ("left", "right")
                ]
                medians[row, column] = ordered[ends].mean()
        return medians


def pooled_scores(
    record: RetrievalRecord, by_cell: Mapping[str, Sequence[MatchRecord]]
) -> dict[tuple[Ways, str], Pooled]:
    """Every metric of every direction, and the mean of both, over the queries of all folds.

    Whole groups are drawn with replacement, or pictures where there are none (a cluster bootstrap:
    Davison and Hinkley 1997, Bootstrap Methods and their Application, section 3.8): the texts of a
    picture are found or missed together. All repeats of a query go with it.

    Parameters
    ----------
    by_cell : records of the cells that are complete, in the same order of folds.
    """
    of_rows = record.samples["image"] if record.groups is None else record.groups
    folds = next(iter(by_cell.values()))
    rows = {
        direction: np.concatenate([fold.queries[direction].rows for fold in folds])
        for direction in DIRECTIONS
    }
    names = np.unique(of_rows[np.concatenate(list(rows.values()))])
    queries = {
        direction: _Queries(np.searchsorted(names, of_rows[asked]))
        for direction, asked in rows.items()
    }
    scores = _resampled(record, by_cell, queries, len(names))
    by_name = {metric.name: metric for metric in record.metrics}
    return {
        key: Pooled(by_name[key[1]], tuple(by_cell), of[0], of[1:], len(names), grouped=True)
        for key, of in scores.items()
    }


def _resampled(
    record: RetrievalRecord,
    by_cell: Mapping[str, Sequence[MatchRecord]],
    queries: Mapping[Direction, _Queries],
    units: int,
) -> dict[tuple[Ways, str], Floats]:
    """Scores (1 + b, c) of the cells, as they are and in b resamples, a few of these at a time."""
    keys = [(way, metric) for metric, way in product(record.metrics, DIRECTIONS)]
    values = {(way, metric.name): _values(by_cell, way, metric) for way, metric in keys}
    parts: dict[tuple[Ways, str], list[Floats]] = {(way, metric.name): [] for way, metric in keys}
    for weights in resample_weights(units, RESAMPLES, record.seed):
        for way, metric in keys:
            of_way = queries[way]
            centre = of_way.medians if metric.name in record.median else of_way.means
            parts[way, metric.name].append(centre(weights, values[way, metric.name]))
    scores = {key: np.concatenate(of_key) for key, of_key in parts.items()}
    for metric in record.metrics:
        first, second = (scores[way, metric.name] for way in DIRECTIONS)
        scores["both", metric.name] = (first + second) / 2
    return scores


def _values(
    by_cell: Mapping[str, Sequence[MatchRecord]], direction: Direction, metric: MetricRecord
) -> Floats:
    """Values (q, c) of all queries for each cell."""
    return np.stack(
        [
            np.concatenate([fold.queries[direction].values[metric.name] for fold in folds])
            for folds in by_cell.values()
        ],
        axis=1,
    )
