"""The verdict of a run: its answer, what decides it, and how steady it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from reports.analysis.bootstrap import PooledInterval, pooled
from reports.analysis.procedures import Pool, Procedure, procedures
from reports.analysis.ranking import FEWEST_UNITS, Comparison, Ranking, rank_cells
from reports.analysis.statistics import Interval
from reports.answer.repeats import Agreement, agreement
from reports.answer.rules import DIRECTION, Judged, judged
from reports.answer.settling import Settling, settling
from reports.record import MetricRecord, RunRecord
from reports.unreached_record import UnreachedRecord

Answer = (
    Judged
    | Literal["one fold", "few units", "half compared", "no choice", "not compared", "no result"]
    | Literal["one modality", "not reached"]
)
# The metric that is looked at beside the chosen one: how many are right beside how well the classes
# are told apart, and the reverse.
BESIDE = {"accuracy": "f1_macro"}
OTHERWISE = "accuracy"


@dataclass(frozen=True)
class SecondOpinion:
    """The same comparison by another metric; the cells are chosen by the run's own."""

    metric: MetricRecord
    gain: Comparison
    answer: Judged


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a run answers, and why.

    Parameters
    ----------
    answer : one of the five of `reports.answer.rules`, or why there is none: "one fold" has no
        interval over folds, "few units" fewer than FEWEST_UNITS groups or rows, "half compared"
        lacks a modality alone, "no choice" has no predictions on inner folds to choose by, "not
        compared" no fusion or no single modality, "no result" no complete cell; "one modality" asks
        nothing of a second, but which cell is best; "not reached" may lack any of these because the
        time was over.
    gain : choosing among the cells with both modalities over choosing among those with one, fold by
        fold; it decides the answer.
    procedures : these two, and choosing among all cells.
    score : what choosing among all cells reaches, with an interval of the same kind as the gain's.
    second : by a second metric; None where it is not defined.
    agreement : of pairs of repeats.
    settling : what would settle an answer that leaves the matter open.
    over_test_rows : of the only fold, the gain and how far it would vary over other test rows.
    over_baseline : with one modality, choosing among all cells (else the best of them) over the
        best baseline.
    lead : with one modality, the best cell over the next.
    """

    answer: Answer
    gain: Comparison | None
    procedures: Mapping[Pool, Procedure]
    score: Interval | None
    second: SecondOpinion | None = None
    agreement: Agreement | None = None
    settling: Settling | None = None
    over_test_rows: PooledInterval | None = None
    over_baseline: Comparison | None = None
    lead: Comparison | None = None

    @property
    def disagree(self) -> bool:
        """Whether the second metric comes to something else."""
        if self.second is None or self.answer not in DIRECTION:
            return False
        return DIRECTION[self.answer] != DIRECTION[self.second.answer]


@lru_cache(maxsize=1)  # several sections ask for it
def verdict(record: RunRecord) -> Verdict:
    """Judge a run by the one comparison that was fixed before it."""
    ranking, choosing = rank_cells(record), procedures(record)
    both, single = choosing.get("both"), choosing.get("single")
    gain = ranking.compare(both.standing, single.standing) if both and single else None
    missing, choice = _missing(ranking, gain), choosing.get("all")
    score = None if choice is None else ranking.interval(choice.standing)
    if record.unreached is not None and _wants_time(missing, record.unreached):
        return Verdict("not reached", None, choosing if record.unreached.decides else {}, score)
    reached = Verdict(missing or "no choice", gain, choosing, score)
    if missing == "one modality":
        return replace(
            reached, over_baseline=_over_baseline(ranking, choice), lead=_lead(ranking)
        )
    if both is None or single is None or gain is None:
        return reached
    if missing == "one fold":
        return replace(reached, over_test_rows=_over_test_rows(record, both, single))
    if missing is not None:
        return reached
    answer = judged(gain)
    is_open = answer in ("probably pays", "no difference shown")
    return replace(
        reached,
        answer=answer,
        second=_second(record, ranking, both, single),
        agreement=agreement(ranking, both, single),
        settling=settling(gain, both.standing, ranking) if is_open else None,
    )


def _over_test_rows(
    record: RunRecord, both: Procedure, single: Procedure
) -> PooledInterval | None:
    """The gain on the only fold; its interval is conditional on the models that were fitted."""
    scores = pooled(record)
    (fusion,), (modality,) = both.chosen.values(), single.chosen.values()
    return None if scores is None else scores.difference(fusion, modality)


def _over_baseline(ranking: Ranking, choice: Procedure | None) -> Comparison | None:
    best, baseline = ranking.best("image", "text"), ranking.best("baseline")
    if best is None or baseline is None:
        return None
    return ranking.compare(best if choice is None else choice.standing, baseline)


def _lead(ranking: Ranking) -> Comparison | None:
    first, second, *_ = (*ranking.ranked("image", "text"), None, None)
    return ranking.compare(first, second) if first and second else None


def _missing(ranking: Ranking, gain: Comparison | None) -> Answer | None:
    """Why a run has no answer; None where it has one."""
    uncompared = _uncompared(ranking)
    if uncompared is not None:
        return uncompared
    if gain is None:
        return "no choice"
    if gain.test is None:
        return "one fold"
    if not (ranking.best("image") and ranking.best("text")):
        return "half compared"
    return "few units" if ranking.units < FEWEST_UNITS else None


def _uncompared(ranking: Ranking) -> Answer | None:
    """Why two modalities are not compared with one; None where they are."""
    if ranking.best() is None:
        return "no result"
    if ranking.modality is not None and ranking.best(ranking.modality):
        return "one modality"
    compared = ranking.ranked("fusion") and ranking.ranked("image", "text")
    return None if compared else "not compared"


def _wants_time(missing: Answer | None, unreached: UnreachedRecord) -> bool:
    """Whether what was not reached may give the answer that is missing."""
    if not unreached.decides:
        return True
    if missing == "half compared":
        return not {"image", "text"}.isdisjoint(unreached.kinds)
    is_open = missing in ("no choice", "not compared", "no result")
    return is_open and bool(unreached.cells or unreached.follow_ups)


def _second(
    record: RunRecord, ranking: Ranking, both: Procedure, single: Procedure
) -> SecondOpinion | None:
    name = BESIDE.get(record.metric, OTHERWISE)
    metric = next((metric for metric in record.metrics if metric.name == name), None)
    if metric is None:
        return None
    gain = replace(ranking, metric=metric).compare(both.standing, single.standing)
    if gain is None or gain.test is None:
        return None
    return SecondOpinion(metric, gain, judged(gain))
