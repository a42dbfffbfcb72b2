"""The answer: whether the second modality pays, with which encoders and fusion, how surely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reports.analysis.contrasts import Contrast, contrasts
from reports.analysis.optimism import optimism
from reports.analysis.ranking import Comparison, Ranking, rank_cells
from reports.analysis.standing import Kind, Standing
from reports.record import RunRecord
from reports.section import Section
from reports.sentences.cautions import cautions
from reports.sentences.findings import sentences
from reports.sentences.headline import headline

Answer = Literal[
    "pays",
    "costs",
    "equivalent",
    "unclear",
    "one fold",
    "half compared",
    "not compared",
    "no result",
]
EQUIVALENT = 0.95
_LABELS: dict[Kind, str] = {
    "image": "Picture only",
    "text": "Text only",
    "fusion": "Best fusion",
    "baseline": "Baseline",
}


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
    answer : "pays" or "costs" where the gain stands at 5 % after Holm's correction over the
        declared contrasts, "equivalent" where it is within the region of practical equivalence with
        a probability of EQUIVALENT, "unclear" where it is neither, "one fold" where there is no
        interval, "half compared" where one modality was not tried alone, "not compared" without a
        fusion or a single modality, "no result" without any complete cell.
    gain : best fusion against best single modality on the same folds; `adjusted` is its p value
        after Holm's correction.
    bars : best cell of each kind, single modalities first.
    headline, sentences, cautions : the same in words; cautions say what the figures do not.
    alarms : those of the cautions for which the verdict may be worthless.
    """

    metric: str
    greater_is_better: bool
    answer: Answer
    gain: Comparison | None
    adjusted: float | None
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
    declared = contrasts(record)
    contrast = declared.of(gain.cell, gain.other) if gain else None
    answer = _answer(ranking, gain, contrast)
    return VerdictFacts(
        metric=record.metric,
        greater_is_better=ranking.metric.greater_is_better,
        answer=answer,
        gain=gain,
        adjusted=contrast.adjusted if contrast else None,
        bars=_bars(ranking),
        headline=headline(answer, ranking, gain),
        sentences=tuple(sentences(answer, ranking, gain, contrast, record.unseen_classes)),
        cautions=tuple(cautions(record, ranking, declared, optimism(record))),
        alarms=tuple(record.alarms),
    )


def _answer(ranking: Ranking, gain: Comparison | None, contrast: Contrast | None) -> Answer:
    if ranking.best() is None or gain is None:
        return "no result" if ranking.best() is None else "not compared"
    if gain.posterior is None or contrast is None:
        return "one fold"
    if not (ranking.best("image") and ranking.best("text")):
        return "half compared"
    if gain.posterior.equivalent >= EQUIVALENT or not contrast.conclusive:
        return "equivalent" if gain.posterior.equivalent >= EQUIVALENT else "unclear"
    return "pays" if gain.interval.mean > 0 else "costs"


def _bars(ranking: Ranking) -> tuple[Bar, ...]:
    kinds: tuple[Kind, ...] = ("image", "text", "fusion", "baseline")
    best = [standing for kind in kinds if (standing := ranking.best(kind))]
    axis = max((standing.score.mean for standing in best), default=1.0)
    if ranking.metric.unit == "share":
        axis = max(axis, 1.0)
    return tuple(_bar(standing, axis) for standing in best)


def _bar(standing: Standing, axis: float) -> Bar:
    share = min(1.0, max(0.0, standing.score.mean / axis)) if axis > 0 else 0.0
    return Bar(
        _LABELS[standing.kind],
        standing.kind,
        standing.cell.name,
        standing.score.mean,
        standing.score.deviation,
        share,
    )


SECTION = Section("Verdict", facts)
