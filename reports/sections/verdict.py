"""The answer: whether the second modality pays, with which encoders and fusion, how surely."""

from __future__ import annotations

from dataclasses import dataclass

from reports.analysis.contrasts import contrasts
from reports.analysis.ranking import Comparison, Ranking, rank_cells
from reports.analysis.standing import Kind, Standing
from reports.analysis.statistics import Interval
from reports.answer.verdict import Answer, verdict
from reports.record import RunRecord
from reports.section import Section
from reports.sentences.cautions import cautions
from reports.sentences.findings import further, sentences
from reports.sentences.headline import evidence, headline
from reports.sentences.lines import AnswerLine, answer_lines

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
    answer : see `reports.answer.verdict.Verdict`, and `reports.answer.rules` for the five of them.
    gain : choosing among the cells with both modalities over choosing among those with one.
    winner : name of the cell with the best mean score.
    score : what choosing among all cells reaches: what to expect of the winner.
    bars : best cell of each kind, single modalities first.
    headline : the answer in a line; `evidence`, the interval and probability that decide it.
    lines : labelled: whether it pays, what to choose, what is as good for less, how sure that is.
    further : sentences on what stands behind them; `sentences` is all of it for programs.
    cautions : what the figures do not say.
    alarms : those of the cautions for which the verdict may be worthless.
    """

    metric: str
    greater_is_better: bool
    answer: Answer
    gain: Comparison | None
    winner: str | None
    score: Interval | None
    bars: tuple[Bar, ...]
    headline: str
    evidence: str | None
    lines: tuple[AnswerLine, ...]
    further: tuple[str, ...]
    sentences: tuple[str, ...]
    cautions: tuple[str, ...]
    alarms: tuple[str, ...]


def facts(record: RunRecord) -> VerdictFacts:
    """What the run answers, with what it rests on."""
    ranking, reached = rank_cells(record), verdict(record)
    best = ranking.best("image", "text", "fusion")
    return VerdictFacts(
        metric=record.metric,
        greater_is_better=ranking.metric.greater_is_better,
        answer=reached.answer,
        gain=reached.gain,
        winner=None if best is None else best.cell.name,
        score=reached.score,
        bars=_bars(ranking),
        headline=headline(reached, ranking),
        evidence=evidence(reached),
        lines=tuple(answer_lines(reached, ranking)),
        further=tuple(further(reached, ranking, record.unseen_classes)),
        sentences=tuple(sentences(reached, ranking, record.unseen_classes)),
        cautions=tuple(cautions(record, ranking, reached, contrasts(record))),
        alarms=tuple(record.alarms),
    )


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
