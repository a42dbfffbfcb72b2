"""Which space finds best, by how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from reports.analysis.bootstrap import Pooled, PooledInterval
from reports.analysis.checks import Check
from reports.analysis.ranking import FEWEST_UNITS
from reports.record import MetricRecord
from reports.retrieval.resampled import Ways, pooled_scores
from reports.retrieval_record import (
    CUTOFFS,
    DIRECTIONS,
    Direction,
    MatchRecord,
    RetrievalRecord,
)
from reports.sentences.intervals import ends
from reports.unreached_record import UnreachedRecord
from reports.wording import count, figure, metric_label, quoted, signed

WAYS: tuple[Ways, ...] = ("both", *DIRECTIONS)
WAY_NAMES: Mapping[Ways, str] = {
    "both": "both ways",
    "text_to_image": "text to picture",
    "image_to_text": "picture to text",
}


@dataclass(frozen=True)
class Standing:
    """A complete cell: its rank by the run's metric both ways, scores, and the best one's gain.

    Parameters
    ----------
    scores : by (way, metric).
    behind : how much better the best cell is by the run's metric; None for itself.
    """

    name: str
    rank: int
    scores: Mapping[tuple[Ways, str], PooledInterval]
    behind: PooledInterval | None


@dataclass(frozen=True, eq=False)
class RetrievalAnswer:
    """All complete cells, best first, and what random orders would find.

    Parameters
    ----------
    queries, candidates : mean numbers in a fold, by direction.
    chance : hits at k of random orders, by direction and k; means over folds.
    units : pictures, or groups, that intervals are drawn from.
    unreached : what a time limit left out; None where all is there.
    """

    metric: MetricRecord
    standings: tuple[Standing, ...]
    queries: Mapping[Direction, float]
    candidates: Mapping[Direction, float]
    chance: Mapping[Direction, Mapping[int, float]]
    units: int
    folds: int
    unreached: UnreachedRecord | None = None

    def headline(self) -> str:
        """The best cell and what it finds; what was lacking where there is none."""
        if not self.standings:
            why = "every cell failed on some fold" if self.unreached is None else "time was short"
            return f"No space is complete: {why}."
        best = self.standings[0]
        finds = {way: best.scores[way, "hit_at_10"].estimate for way in DIRECTIONS}
        return (
            f"{quoted(best.name)} has the right picture among the ten best for "
            f"{finds['text_to_image']:.0%} of the texts, and a right text for "
            f"{finds['image_to_text']:.0%} of the pictures (by chance "
            f"{self.chance['text_to_image'][10]:.0%} and {self.chance['image_to_text'][10]:.0%})."
        )

    def sentences(self) -> list[str]:
        """How sure the headline is: among how many, against the next best, and its reservations."""
        if not self.standings:
            return []
        best = self.standings[0]
        label, score = metric_label(self.metric.name), best.scores["both", self.metric.name]
        among = (
            f"Asked were {self.queries['text_to_image']:,.0f} texts among "
            f"{self.candidates['text_to_image']:,.0f} pictures, and "
            f"{self.queries['image_to_text']:,.0f} pictures among "
            f"{self.candidates['image_to_text']:,.0f} texts"
            + (" in a fold" if self.folds > 1 else "")
            + ": with more candidates fewer are hit."
        )
        sentences = [
            f"Its mean {label} both ways is {figure(score.estimate)} (95 %: {ends(score)}).",
            *([self._against(self.standings[1], label)] if len(self.standings) > 1 else []),
            among,
        ]
        if len(self.standings) > 1:
            sentences.append(
                f"It is the best of {len(self.standings)} on the pairs that score it, so its "
                "score is optimistic, the more so the closer the others are."
            )
        return sentences

    def _against(self, second: Standing, label: str) -> str:
        gain = second.behind
        assert gain is not None
        if gain.low is None or gain.high is None:
            ahead = f"It is {signed(gain.estimate)} ahead of {quoted(second.name)}"
            return f"{ahead}, on too few pictures to say more."
        shown = f"{signed(gain.estimate)} ({signed(gain.low)} to {signed(gain.high)})"
        if gain.low > 0:
            return f"It is better than the next, {quoted(second.name)}: {shown} of {label}."
        return f"No difference to the next, {quoted(second.name)}, is shown: {shown} of {label}."

    def checks(self) -> list[Check]:
        """What the scores alone say against a run."""
        return list(self._checks())

    def _checks(self) -> Iterator[Check]:
        if self.standings and self.units < FEWEST_UNITS:
            yield Check(
                "few pictures",
                f"Scores rest on {count(self.units, 'picture or group', 'pictures or groups')}: "
                "too few for intervals.",
            )
        for direction in DIRECTIONS if self.standings else ():
            score = self.standings[0].scores[direction, "hit_at_10"]
            by_chance = self.chance[direction][10]
            if score.low is not None and score.low <= by_chance < 1:
                yield Check(
                    "no better than chance",
                    f"From {WAY_NAMES[direction]} the best space hits no more than random orders "
                    f"would: {figure(score.estimate)} ({ends(score)}) at 10, by chance "
                    f"{figure(by_chance)}. Are pictures and texts of one row really of one thing?",
                    severe=True,
                )

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "task": "retrieval",
            "metric": self.metric.name,
            "winner": self.standings[0].name if self.standings else None,
            "headline": self.headline(),
            "sentences": self.sentences(),
            "queries": dict(self.queries),
            "candidates": dict(self.candidates),
            "chance of a hit": {way: dict(by_k) for way, by_k in self.chance.items()},
            "units": self.units,
            "not_reached": None if self.unreached is None else asdict(self.unreached),
            "cells": [_plain(standing) for standing in self.standings],
        }


def _plain(standing: Standing) -> dict[str, Any]:
    scores: dict[str, dict[str, Any]] = {way: {} for way in WAYS}
    for (way, metric), interval in standing.scores.items():
        scores[way][metric] = _interval(interval)
    behind = None if standing.behind is None else _interval(standing.behind)
    return {"name": standing.name, "rank": standing.rank, "behind": behind, "scores": scores}


def _interval(interval: PooledInterval) -> dict[str, Any]:
    values = asdict(interval)
    return {name: values[name] for name in ("estimate", "low", "high")}


def answer_of(record: RetrievalRecord) -> RetrievalAnswer:
    """The answer of a run, worked out once for what was scored: checks and steps come to it."""
    return _answer(_Scored(record))


class _Scored:
    """A record, equal to another one in all that the answer depends on."""

    def __init__(self, record: RetrievalRecord) -> None:
        self.record = record
        metrics = (record.metric, record.metrics, record.median)
        facts = (record.cells, record.failures, record.seed, record.unreached)
        self._settings = (*metrics, *facts)
        # The record held keeps these from being freed, so that an address is one object's.
        self._arrays = tuple(map(id, (record.folds, record.samples, record.groups)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Scored) and (
            (other._arrays, other._settings) == (self._arrays, self._settings)
        )

    def __hash__(self) -> int:
        return hash(self._arrays)


@lru_cache(maxsize=1)
def _answer(scored: _Scored) -> RetrievalAnswer:
    record = scored.record
    by_cell = _complete(record)
    first = next(iter(by_cell.values()), ())
    metric = next(metric for metric in record.metrics if metric.name == record.metric)
    scores = pooled_scores(record, by_cell) if by_cell else {}
    units = next(iter(scores.values())).units if scores else 0
    return RetrievalAnswer(
        metric,
        tuple(_standings(scores, tuple(by_cell), metric)),
        {way: _mean([len(fold.queries[way].rows) for fold in first]) for way in DIRECTIONS},
        {way: _mean([fold.queries[way].candidates for fold in first]) for way in DIRECTIONS},
        {
            way: {k: _mean([fold.queries[way].chance[k] for fold in first]) for k in CUTOFFS}
            for way in DIRECTIONS
        },
        units,
        len(first),
        record.unreached,
    )


def _complete(record: RetrievalRecord) -> dict[str, list[MatchRecord]]:
    """The records of every cell that has all folds, in their order; none of one that failed."""
    expected = {(fold.repeat, fold.fold) for fold in record.folds}
    failed = {failure.cell for failure in record.failures}
    by_cell: dict[str, list[MatchRecord]] = {cell.name: [] for cell in record.cells}
    for fold in record.folds:
        by_cell[fold.cell].append(fold)
    return {
        name: sorted(folds, key=lambda fold: (fold.repeat, fold.fold))
        for name, folds in by_cell.items()
        if folds and len(folds) == len(expected) and name not in failed
    }


def _standings(
    scores: Mapping[tuple[Ways, str], Pooled], names: Sequence[str], metric: MetricRecord
) -> Iterator[Standing]:
    if not names:
        return
    ranking = scores["both", metric.name]
    sign = -1 if metric.greater_is_better else 1
    order = np.argsort(sign * ranking.estimates, kind="stable")
    best = names[int(order[0])]
    for rank, position in enumerate(order, start=1):
        name = names[int(position)]
        behind = None if name == best else ranking.difference(best, name)
        yield Standing(name, rank, {key: of.score(name) for key, of in scores.items()}, behind)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else 0.0
