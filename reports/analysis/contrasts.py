"""The comparisons declared before the run, tested together, and what its folds cannot conclude."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reports.analysis.bootstrap import PooledInterval, pooled
from reports.analysis.ranking import FEWEST_UNITS, Comparison, Ranking, rank_cells
from reports.analysis.standing import Standing
from reports.analysis.statistics import holm
from reports.record import RunRecord
from reports.wording import count, first_listed, quoted

Question = Literal["fusion", "winner", "image", "text"]
FEW_FOLDS = 5
ALPHA = 0.05


@dataclass(frozen=True)
class Contrast:
    """One declared comparison.

    Parameters
    ----------
    question : "fusion": a fusion cell against the best single modality; "winner": the best cell
        against the runner-up; "image", "text": the best encoder of that modality, alone, against
        the second.
    comparison : gains on the same folds, with the corrected interval, test and posterior.
    adjusted : Holm's p value over all contrasts of the run; None on a single fold.
    pooled : difference of the pooled out-of-fold scores with its bootstrap interval.
    """

    question: Question
    comparison: Comparison
    adjusted: float | None
    pooled: PooledInterval

    @property
    def conclusive(self) -> bool:
        """Whether the difference stands after the correction for the number of contrasts."""
        return self.adjusted is not None and self.adjusted <= ALPHA


@dataclass(frozen=True)
class Contrasts:
    """All contrasts of a run, fusions first, best first.

    `limits` are sentences on what cannot be concluded.
    """

    family: tuple[Contrast, ...]
    limits: tuple[str, ...]

    def of(self, cell: str, other: str) -> Contrast | None:
        """The contrast between two cells, where it was declared."""
        return next(
            (
                contrast
                for contrast in self.family
                if (contrast.comparison.cell, contrast.comparison.other) == (cell, other)
            ),
            None,
        )


@lru_cache(maxsize=1)  # several sections ask for it
def contrasts(record: RunRecord) -> Contrasts:
    """Every declared contrast of a run, with Holm's correction over all of them.

    Each pair of cells is tested once, whichever of the two is named first: a fusion that wins
    before the best single modality, or the other way round, answers both questions.
    """
    ranking = rank_cells(record)
    compared: dict[frozenset[str], tuple[Question, Comparison]] = {}
    for question, cell, other in _declared(ranking):
        comparison = ranking.compare(cell, other)
        if comparison is not None:
            pair = frozenset((comparison.cell, comparison.other))
            compared.setdefault(pair, (question, comparison))
    tests = [comparison.test for _, comparison in compared.values()]
    adjusted = iter(holm([test.p_value for test in tests if test is not None]))
    scores = pooled(record) if compared else None
    if scores is None:
        return Contrasts((), tuple(_limits(record, ranking)))
    family = tuple(
        Contrast(
            question,
            comparison,
            next(adjusted) if comparison.test is not None else None,
            scores.difference(comparison.cell, comparison.other),
        )
        for question, comparison in compared.values()
    )
    return Contrasts(family, tuple(_limits(record, ranking)))


def _declared(ranking: Ranking) -> Iterator[tuple[Question, Standing, Standing]]:
    single = ranking.best("image", "text")
    if single is not None:
        yield from (("fusion", fusion, single) for fusion in ranking.ranked("fusion"))
    yield from (
        ("winner", first, second)
        for first, second in _first_two(ranking.ranked("image", "text", "fusion"))
    )
    for modality in ("image", "text"):
        best: dict[str | None, Standing] = {}
        for standing in ranking.ranked(modality):
            best.setdefault(getattr(standing.cell, modality), standing)
        yield from ((modality, first, second) for first, second in _first_two(tuple(best.values())))


def _first_two(standings: tuple[Standing, ...]) -> list[tuple[Standing, Standing]]:
    return [(standings[0], standings[1])] if len(standings) > 1 else []


def _limits(record: RunRecord, ranking: Ranking) -> Iterator[str]:
    folds = len(ranking.folds)
    if folds == 1:
        yield (
            "One fold (a hold-out) does not tell what other training rows would change: small "
            "differences may turn round. Use several folds."
        )
    elif 1 < folds < FEW_FOLDS:
        yield (
            f"Only {folds} folds: only large differences can be shown, and one that is not shown "
            f"may well be there. Use at least {FEW_FOLDS}, better 10."
        )
    if record.groups is not None:
        yield from _limits_of_groups(record, record.groups, ranking)


def _limits_of_groups(
    record: RunRecord, groups: NDArray[np.int64], ranking: Ranking
) -> Iterator[str]:
    number = len(np.unique(groups))
    noun, nouns = ranking.unit_names
    if number < FEWEST_UNITS:
        yield (
            f"Only {count(number, noun, nouns)}: too few to tell how scores would be on others, so "
            f"single scores have no interval (that takes {FEWEST_UNITS})."
        )
    if record.unseen_classes:
        return
    alone = [
        name
        for code, name in enumerate(record.classes)
        if len(np.unique(groups[record.labels == code])) == 1
    ]
    if alone:
        names = first_listed([quoted(name) for name in alone], 5)
        yield (
            f"One group holds all rows of {names}: each of these classes is either trained on or "
            "tested, never both, so nothing can be concluded about recognising them."
        )
