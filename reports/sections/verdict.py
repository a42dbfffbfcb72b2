"""The answer: whether the second modality pays, with which encoders and fusion, how surely."""

from __future__ import annotations

from dataclasses import dataclass

from reports.analysis.contrasts import contrasts
from reports.analysis.ranking import Comparison, Ranking, rank_cells
from reports.analysis.standing import NOUNS, Kind, Standing
from reports.analysis.statistics import Interval
from reports.answer.choice import choice
from reports.answer.verdict import Answer, Verdict, verdict
from reports.record import RunRecord
from reports.section import Section
from reports.sentences.cautions import cautions
from reports.sentences.choosing import why
from reports.sentences.findings import further, sentences
from reports.sentences.headline import evidence, headline
from reports.sentences.lines import AnswerLine, answer_lines

_LABELS: dict[Kind, str] = {
    "image": "Picture only",
    "text": "Text only",
    "fusion": "Best fusion",
    "baseline": "Baseline",
}
KINDS = "kind"
MOST_BARS = 6  # encoders or classifiers


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
class Chosen:
    """The cell to choose: `why` follows its name; what to expect of it, None without a choice."""

    cell: str
    why: str
    score: Interval | None


@dataclass(frozen=True)
class VerdictFacts:
    """What the run has shown.

    Parameters
    ----------
    answer : see `reports.answer.verdict.Verdict`, and `reports.answer.rules` for the five of them.
    gain : choosing among the cells with both modalities over choosing among those with one.
    winner : name of the cell with the best mean score.
    score : what choosing among all cells reaches: what to expect of the winner.
    choose : the cell that the report says to choose; None where there is none.
    bars : best cell of each of what `bars_of` says: of each kind, single modalities first; with one
        modality of each encoder or classifier.
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
    choose: Chosen | None
    bars: tuple[Bar, ...]
    bars_of: str
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
    compared = _compared(ranking)
    best = ranking.best("image", "text", "fusion")
    return VerdictFacts(
        metric=record.metric,
        greater_is_better=ranking.metric.greater_is_better,
        answer=reached.answer,
        gain=reached.gain,
        winner=None if best is None else best.cell.name,
        score=reached.score,
        choose=_chosen(reached, ranking),
        bars=_bars(ranking, compared),
        bars_of=compared,
        headline=headline(reached, ranking),
        evidence=evidence(reached, ranking),
        lines=tuple(answer_lines(reached, ranking)),
        further=tuple(further(reached, ranking, record.unseen_classes)),
        sentences=tuple(sentences(reached, ranking, record.unseen_classes)),
        cautions=tuple(cautions(record, ranking, reached, contrasts(record))),
        alarms=tuple(record.alarms),
    )


def _chosen(reached: Verdict, ranking: Ranking) -> Chosen | None:
    to_choose = choice(reached, ranking)
    if to_choose is None:
        return None
    reason = why(to_choose, reached, ranking)
    return Chosen(to_choose.standing.cell.name, reason, to_choose.score)


def _compared(ranking: Ranking) -> str:
    """What the bars compare: kinds of cells; with one modality its encoders, else classifiers."""
    if ranking.modality is None:
        return KINDS
    standings = ranking.ranked(ranking.modality)
    parts = (f"{NOUNS[ranking.modality]} encoder", "classifier")
    several = (
        part for part in parts
        if len({_part(standing, part) for standing in standings}) > 1
    )
    return next(several, parts[0])


def _part(standing: Standing, compared: str) -> str:
    """The name of a cell's encoder or classifier."""
    cell = standing.cell
    encoder = cell.image if standing.kind == "image" else cell.text
    return (cell.classifier if compared == "classifier" else encoder) or cell.fusion


def _bars(ranking: Ranking, compared: str) -> tuple[Bar, ...]:
    best: dict[str, Standing] = {}
    if compared == KINDS:
        best_of_kinds = {label: ranking.best(kind) for kind, label in _LABELS.items()}
        best |= {label: standing for label, standing in best_of_kinds.items() if standing}
    else:
        for standing in ranking.ranked("image", "text"):
            best.setdefault(_part(standing, compared), standing)
        best = dict(list(best.items())[:MOST_BARS])
        baseline = ranking.best("baseline")
        best |= {} if baseline is None else {_LABELS["baseline"]: baseline}
    axis = max((standing.score.mean for standing in best.values()), default=1.0)
    if ranking.metric.unit == "share":
        axis = max(axis, 1.0)
    return tuple(_bar(label, standing, axis) for label, standing in best.items())


def _bar(label: str, standing: Standing, axis: float) -> Bar:
    share = min(1.0, max(0.0, standing.score.mean / axis)) if axis > 0 else 0.0
    return Bar(
        label,
        standing.kind,
        standing.cell.name,
        standing.score.mean,
        standing.score.deviation,
        share,
    )


SECTION = Section("Verdict", facts)
