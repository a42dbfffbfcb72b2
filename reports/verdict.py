"""The answer: whether the second modality pays, with which encoders and fusion, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reports.ranking import Comparison, Kind, Ranking, Standing, rank_cells
from reports.record import RunRecord
from reports.section import Section
from reports.verdict_sentences import cautions, headline, sentences

Answer = Literal["pays", "costs", "unclear", "one fold", "half compared", "not compared",
                 "no result"]
_LABELS: dict[Kind, str] = {
    "image": "Picture only", "text": "Text only", "fusion": "Best fusion", "baseline": "Baseline"}


@dataclass(frozen=True)
class Bar:
    """The best cell of its kind; `share` of the axis from 0 to the longest bar or 1."""

    label: str
    kind: Kind
    cell: str
    mean: float
    deviation: float | None
    share: float


@dataclass(frozen=True)
class VerdictFacts:
    """What the run has shown.

    Parameters
    ----------
    answer : "pays" or "costs" where the 95 % interval of the gain leaves zero out, "unclear" where it
        does not, "one fold" where there is no interval, "half compared" where one modality was not tried
        alone, "not compared" without a fusion or a single modality, "no result" without any complete cell.
    gain : best fusion against best single modality on the same folds.
    bars : best cell of each kind, single modalities first.
    headline, sentences, cautions : the same in words; cautions say what the figures do not.
    alarms : those of the cautions for which the verdict may be worthless.
    """

    metric: str
    greater_is_better: bool
    answer: Answer
    gain: Comparison | None
    bars: tuple[Bar, ...]
    headline: str
    sentences: tuple[str, ...]
    cautions: tuple[str, ...]
    alarms: tuple[str, ...]


def facts(record: RunRecord) -> VerdictFacts:
    """Compare the best fusion with the best single modality."""
    ranking = rank_cells(record)
    fusion, single = ranking.best("fusion"), ranking.best("image", "text")
    gain = ranking.compare(fusion, single) if fusion and single else None
    answer = _answer(ranking, gain)
    return VerdictFacts(
        metric=record.metric, greater_is_better=ranking.metric.greater_is_better, answer=answer, gain=gain,
        bars=_bars(ranking), headline=headline(answer, ranking, gain),
        sentences=tuple(sentences(answer, ranking, gain)), cautions=tuple(cautions(record, ranking)),
        alarms=tuple(record.alarms))


def _answer(ranking: Ranking, gain: Comparison | None) -> Answer:
    if ranking.best() is None:
        return "no result"
    if gain is None:
        return "not compared"
    if gain.interval.direction is not None and not (ranking.best("image") and ranking.best("text")):
        return "half compared"
    by_direction: dict[int | None, Answer] = {1: "pays", -1: "costs", 0: "unclear", None: "one fold"}
    return by_direction[gain.interval.direction]


def _bars(ranking: Ranking) -> tuple[Bar, ...]:
    kinds: tuple[Kind, ...] = ("image", "text", "fusion", "baseline")
    best = [standing for kind in kinds if (standing := ranking.best(kind))]
    axis = max((s.score.mean for s in best), default=1.0)
    if ranking.metric.unit == "share":
        axis = max(axis, 1.0)
    return tuple(_bar(standing, axis) for standing in best)


def _bar(standing: Standing, axis: float) -> Bar:
    share = min(1.0, max(0.0, standing.score.mean / axis)) if axis > 0 else 0.0
    return Bar(_LABELS[standing.kind], standing.kind, standing.cell.name, standing.score.mean,
               standing.score.deviation, share)


SECTION = Section("Verdict", facts)
