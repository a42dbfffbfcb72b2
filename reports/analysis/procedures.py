"""What somebody gets who chooses a cell: the choice on inner folds, the score on the outer ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite, nan, sqrt
from statistics import fmean
from typing import Literal

from reports.analysis.ranking import Ranking, rank_cells
from reports.analysis.standing import Kind, Standing, spread
from reports.fold_record import CellRecord, FoldKey
from reports.record import ScoredRecord

Pool = Literal["both", "single", "all"]
POOLS: dict[Pool, tuple[Kind, ...]] = {
    "both": ("fusion",),
    "single": ("image", "text"),
    "all": ("image", "text", "fusion"),
}
NAMES: dict[Pool, str] = {
    "both": "chosen among cells with both modalities",
    "single": "chosen among cells with one modality",
    "all": "chosen among all cells",
}
# A cell is within reach of the choice while it is behind the best by at most so many standard
# deviations of what inner folds can mistake.
REACH = 2.0


@dataclass(frozen=True, eq=False)
class Procedure:
    """Choosing among the cells of a pool, on the inner folds of every outer fold.

    Each outer fold is scored with the cell that its own inner folds choose: the best mean of the
    run's metric over them (equals: the first by name). Its test rows have no part in that, so the
    scores say what a user gets who runs the grid and takes the best (Cawley and Talbot 2010, JMLR
    11; Varma and Simon 2006, BMC Bioinformatics 7). Outer folds have a say only in which cells with
    nothing to tune are worth fitting on inner folds: see `within_reach`.

    Parameters
    ----------
    standing : its name, and the records of the chosen cells, as those of a cell.
    candidates : names of the cells that could be chosen.
    left_out : complete cells of the pool without scores on the inner folds: out of reach, or, for
        those in `failed`, because they failed there or their scores are not defined.
    """

    pool: Pool
    standing: Standing
    candidates: tuple[str, ...]
    left_out: tuple[str, ...]
    failed: tuple[str, ...]

    @property
    def chosen(self) -> Mapping[FoldKey, str]:
        """The cell that was chosen on each fold."""
        return {key: record.cell for key, record in self.standing.folds.items()}

    @property
    def favourite(self) -> tuple[str, int]:
        """The cell chosen most often, and on how many folds."""
        return Counter(self.chosen.values()).most_common(1)[0]


@lru_cache(maxsize=1)  # several sections ask for it
def procedures(record: ScoredRecord) -> Mapping[Pool, Procedure]:
    """The procedure of every pool that has a candidate."""
    ranking = rank_cells(record)
    made = {pool: procedure(ranking, pool) for pool in POOLS}
    return {pool: choosing for pool, choosing in made.items() if choosing is not None}


def procedure(ranking: Ranking, pool: Pool) -> Procedure | None:
    """Choosing among the complete cells of a pool; None without a candidate.

    The only cell of a pool needs no choice. Of several, those can be chosen that have a score on
    the inner folds of every fold.
    """
    complete = sorted(ranking.ranked(*POOLS[pool]), key=lambda standing: standing.cell.name)
    candidates = [standing for standing in complete if _inner_scores(standing, ranking)]
    candidates = complete if len(complete) == 1 else candidates
    if not candidates:
        return None
    names = [standing.cell.name for standing in candidates]
    left_out = [standing.cell.name for standing in complete if standing.cell.name not in names]
    reach = within_reach(ranking)
    return Procedure(
        pool,
        _standing(pool, candidates, ranking),
        tuple(names),
        tuple(left_out),
        tuple(name for name in left_out if name in reach),
    )


def within_reach(ranking: Ranking) -> tuple[str, ...]:
    """Complete cells that are worth fitting on inner folds where they have no predictions there.

    Of each pool with several cells these are the best and those near it. The scores of two cells on
    n_train inner test rows differ from what they do on the outer ones by chance: with s the
    standard deviation of their difference over outer folds of n_test rows, by about
    s sqrt(n_test / n_train). A cell that is behind the best of its pool by more than REACH times
    that, and by more than matters twice, is out of reach: it would hardly ever be chosen.
    """
    names: dict[str, None] = {}
    for kinds in POOLS.values():
        best, *others = ranking.ranked(*kinds) or (None,)
        if best is None or not others:
            continue
        near = [other for other in others if _near(best, other, ranking)]
        names |= dict.fromkeys(standing.cell.name for standing in (best, *near))
    return tuple(names)


def _near(best: Standing, other: Standing, ranking: Ranking) -> bool:
    comparison = ranking.compare(best, other)
    if comparison is None:
        return False
    deviation = spread(gain for _, gain in comparison.gains).deviation
    if deviation is None:
        return True
    records = [best.folds[key] for key, _ in comparison.gains]
    share = sqrt(fmean(len(entry.rows) / entry.n_train for entry in records))
    reach = max(REACH * deviation * share, 2 * ranking.metric.rope)
    return comparison.interval.mean <= reach


def _standing(pool: Pool, candidates: Sequence[Standing], ranking: Ranking) -> Standing:
    sign = 1 if ranking.metric.greater_is_better else -1
    folds = {}
    for key in ranking.folds:
        best = max(candidates, key=lambda standing: sign * _inner_score(standing, key))
        folds[key] = best.folds[key]
    scores = spread(entry.scores[ranking.metric.name] for entry in folds.values())
    cell = CellRecord(NAMES[pool], None, None, "choice", None)
    kind: Kind = "fusion" if pool == "both" else "baseline"
    return Standing(cell, kind, folds, scores, True, None)


def _inner_score(standing: Standing, key: FoldKey) -> float:
    """Score on the inner folds of an outer one; 0 for an only candidate, which has none."""
    score = standing.folds[key].inner_score
    return 0.0 if score is None else score


def _inner_scores(standing: Standing, ranking: Ranking) -> bool:
    """Whether it has a score on the inner folds of every fold."""
    scores = [standing.folds[key].inner_score for key in ranking.folds]
    return all(isfinite(nan if score is None else score) for score in scores)
