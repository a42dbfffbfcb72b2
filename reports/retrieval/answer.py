"""Which space finds best, by how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from reports.analysis.bootstrap import Pooled, PooledInterval
from reports.analysis.checks import Check
from reports.analysis.ranking import FEWEST_UNITS, ranking_metric
from reports.record import MetricRecord
from reports.retrieval.choice import Choice, Pool, choices, complete_cells
from reports.retrieval.contrasts import Contrast, contrasts
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
from reports.wording import count, figure

Judgement = Literal[
    "pays", "no difference shown", "no difference that matters", "costs", "few units"
]
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
class Gain:
    """Choosing among learned spaces against choosing among the simplest: fixed before the run.

    Both choose on inner folds and are asked the same of the same folds, so that further spaces in
    a grid take nothing from the difference, and its interval decides.

    Parameters
    ----------
    choices, scores : of both sides; scores by the run's metric, both ways.
    difference : how much better learned spaces are, paired on the same pictures.
    judged : "few units" has no interval; else the first that holds: the interval lies within
        [-rope, rope] of the metric, above zero, below it, none of these.
    """

    choices: Mapping[Pool, Choice]
    scores: Mapping[Pool, PooledInterval]
    difference: PooledInterval
    judged: Judgement


@dataclass(frozen=True, eq=False)
class RetrievalAnswer:
    """All complete cells, best first, what choosing among them gets, and what random orders find.

    Parameters
    ----------
    choices : choosing among all spaces, among learned ones, among the simplest; see Choice.
    expected : by (way, metric), what choosing among all reaches; the best cell's own scores where
        there is no choice.
    gain : of learned spaces over the simplest; None without either.
    contrasts : each learned space against the simplest one of its encoders.
    failed_inside : cells that failed on inner folds.
    without_simplest : whether the grid has no space that others are held against.
    queries, candidates : mean numbers in a fold, by direction.
    chance : hits at k of random orders, by direction and k; means over folds.
    units : pictures, or groups, that intervals are drawn from.
    unreached : what a time limit left out; None where all is there.
    """

    metric: MetricRecord
    standings: tuple[Standing, ...]
    choices: Mapping[Pool, Choice]
    expected: Mapping[tuple[Ways, str], PooledInterval]
    gain: Gain | None
    contrasts: tuple[Contrast, ...]
    failed_inside: frozenset[str]
    without_simplest: bool
    queries: Mapping[Direction, float]
    candidates: Mapping[Direction, float]
    chance: Mapping[Direction, Mapping[int, float]]
    units: int
    folds: int
    unreached: UnreachedRecord | None = None

    @property
    def choice(self) -> Choice | None:
        """Choosing among all spaces; None where there are not several to choose from."""
        return _among_several(self.choices)

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


def answer_of(record: RetrievalRecord) -> RetrievalAnswer:
    """The answer of a run, worked out once for what was scored: checks and steps come to it."""
    return _answer(_Scored(record))


class _Scored:
    """A record, equal to another one in all that the answer depends on."""

    def __init__(self, record: RetrievalRecord) -> None:
        self.record = record
        metrics = (record.metric, record.metrics, record.median)
        sides = (record.simplest, record.failed_inside, record.unreached)
        self._settings = (*metrics, *sides, record.cells, record.failures, record.seed)
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
    by_cell, metric = complete_cells(record), ranking_metric(record)
    first, made = next(iter(by_cell.values()), ()), choices(record, by_cell)
    columns: dict[str, Sequence[MatchRecord]] = dict(by_cell)
    columns |= {choice.column: choice.folds for choice in made.values()}
    scores = pooled_scores(record, columns) if by_cell else {}
    standings = tuple(_standings(scores, tuple(by_cell), metric))
    ranked = [standing.name for standing in standings]
    choice = _among_several(made)
    expected = next(iter(ranked), "") if choice is None else choice.column
    return RetrievalAnswer(
        metric=metric,
        standings=standings,
        choices=made,
        expected={key: of.score(expected) for key, of in scores.items()},
        gain=_gain(made, scores["both", metric.name]) if scores else None,
        contrasts=tuple(contrasts(record, scores["both", metric.name], ranked) if scores else ()),
        failed_inside=record.failed_inside,
        without_simplest=not record.simplest,
        queries={way: _mean([len(fold.queries[way].rows) for fold in first]) for way in DIRECTIONS},
        candidates={
            way: _mean([fold.queries[way].candidates for fold in first]) for way in DIRECTIONS
        },
        chance={
            way: {k: _mean([fold.queries[way].chance[k] for fold in first]) for k in CUTOFFS}
            for way in DIRECTIONS
        },
        units=next(iter(scores.values())).units if scores else 0,
        folds=len(first),
        unreached=record.unreached,
    )


def _among_several(made: Mapping[Pool, Choice]) -> Choice | None:
    choice = made.get("all")
    return choice if choice is not None and len(choice.candidates) > 1 else None


def _gain(made: Mapping[Pool, Choice], scores: Pooled) -> Gain | None:
    if not {"learned", "simplest"} <= made.keys():
        return None
    sides: dict[Pool, Choice] = {"learned": made["learned"], "simplest": made["simplest"]}
    difference = scores.difference(sides["learned"].column, sides["simplest"].column)
    return Gain(
        sides,
        {pool: scores.score(choice.column) for pool, choice in sides.items()},
        difference,
        _judged(difference, scores.metric.rope),
    )


def _judged(gain: PooledInterval, rope: float) -> Judgement:
    """What the interval of a gain comes to; see Gain."""
    if gain.low is None or gain.high is None:
        return "few units"
    if -rope <= gain.low and gain.high <= rope:
        return "no difference that matters"
    if gain.low > 0:
        return "pays"
    return "costs" if gain.high < 0 else "no difference shown"


def _standings(
    scores: Mapping[tuple[Ways, str], Pooled], names: Sequence[str], metric: MetricRecord
) -> Iterator[Standing]:
    if not names:
        return
    ranking = scores["both", metric.name]
    sign = -1 if metric.greater_is_better else 1
    estimates = ranking.estimates[[ranking.cells.index(name) for name in names]]
    order = np.argsort(sign * estimates, kind="stable")
    best = names[int(order[0])]
    for rank, position in enumerate(order, start=1):
        name = names[int(position)]
        behind = None if name == best else ranking.difference(best, name)
        yield Standing(name, rank, {key: of.score(name) for key, of in scores.items()}, behind)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else 0.0
