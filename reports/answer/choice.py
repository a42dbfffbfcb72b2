"""Which cell a run says to choose: the best, or a simpler one that is as good."""

from __future__ import annotations

from dataclasses import dataclass

from reports.analysis.procedures import Procedure
from reports.analysis.ranking import Ranking
from reports.analysis.standing import Standing
from reports.analysis.statistics import Interval
from reports.answer.verdict import Verdict


@dataclass(frozen=True, eq=False)
class Choice:
    """The cell to choose.

    Parameters
    ----------
    standing : the cell.
    simpler : whether it is the best with one modality, for a second is not worth having.
    choosing : the choice on inner folds among all cells, or those with one modality; None without
        any.
    score : what choosing so reaches, with its interval; None without a choice.
    """

    standing: Standing
    simpler: bool
    choosing: Procedure | None
    score: Interval | None

    @property
    def times(self) -> int:
        """On how many folds the inner ones choose this cell."""
        chosen = [] if self.choosing is None else list(self.choosing.chosen.values())
        return chosen.count(self.standing.cell.name)

    @property
    def among_several(self) -> bool:
        """Whether inner folds had anything to choose."""
        return self.choosing is not None and len(self.choosing.candidates) > 1


def choice(verdict: Verdict, ranking: Ranking) -> Choice | None:
    """What to choose; None without a complete cell that is no baseline.

    The best cell with one modality, where a second costs or makes no difference that matters; or
    where no difference is shown, and on average it is within the region of no matter: of choosing,
    or of the best cells. Else the best of all. Cost has no part in it: timings differ from machine
    to machine, and what a run says to choose must not.
    """
    single, best = ranking.best("image", "text"), ranking.best("image", "text", "fusion")
    if best is None:
        return None
    if single is not None and _is_as_good(single, best, verdict, ranking):
        choosing = verdict.procedures.get("single")
        score = None if choosing is None else ranking.interval(choosing.standing)
        return Choice(single, True, choosing, score)
    return Choice(best, False, verdict.procedures.get("all"), verdict.score)


def _is_as_good(single: Standing, best: Standing, verdict: Verdict, ranking: Ranking) -> bool:
    rope = ranking.metric.rope
    if verdict.answer in ("costs", "no difference that matters"):
        return True
    gain = verdict.gain
    if gain is None or not _is_open(verdict):
        return False
    lead = ranking.compare(best, single)
    return gain.interval.mean <= rope or (lead is not None and lead.interval.mean <= rope)


def _is_open(verdict: Verdict) -> bool:
    """Whether a gain is not shown; of a single fold, over other test rows."""
    if verdict.answer == "no difference shown":
        return True
    rows = verdict.over_test_rows
    return verdict.answer == "one fold" and rows is not None and (rows.low or 0) < 0
