"""The answer in four labelled lines: what a reader must know before anything else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from reports.analysis.ranking import Ranking
from reports.answer.verdict import Verdict
from reports.sentences.decision import steadiness
from reports.sentences.findings import LEAST_SAVING, cheapest
from reports.sentences.intervals import ends, plus_minus
from reports.wording import count, figure, metric_label, quoted


class AnswerLine(NamedTuple):
    """A short label, and what is to be said under it."""

    label: str
    text: str


def answer_lines(verdict: Verdict, ranking: Ranking) -> Iterator[AnswerLine]:
    """Whether it pays, what to choose, what is as good for less, how sure all that is.

    A line without anything to say is left out.
    """
    for label, texts in (
        ("Does it pay", _pays(verdict, ranking)),
        ("What to choose", _choice(verdict, ranking)),
        ("As good for less", _for_less(ranking)),
        ("How sure", _sure(verdict, ranking)),
    ):
        text = " ".join(texts)
        if text:
            yield AnswerLine(label, text)


def _pays(verdict: Verdict, ranking: Ranking) -> Iterator[str]:
    both, single = verdict.procedures.get("both"), verdict.procedures.get("single")
    if verdict.gain is None or both is None or single is None:
        return
    before, after = (figure(pool.standing.score.mean) for pool in (single, both))
    ahead, folds = verdict.gain.ahead, count(verdict.gain.interval.folds, "fold")
    yield (
        f"{metric_label(ranking.metric.name).capitalize()} goes from {before} by one modality to "
        f"{after} by both; both do better on {ahead} of {folds}."
    )


def _choice(verdict: Verdict, ranking: Ranking) -> Iterator[str]:
    """The winner and what it is worth; the best cell where nothing was chosen among several."""
    choosing, best = verdict.procedures.get("all"), ranking.best("image", "text", "fusion")
    if best is None:
        return
    label = metric_label(ranking.metric.name)
    if choosing is None or verdict.score is None or len(choosing.candidates) < 2:
        score = f"{label} {plus_minus(best.score)} over {count(len(ranking.folds), 'fold')}"
        yield f"{quoted(best.cell.name)}, best with {score}."
        return
    times, folds = list(choosing.chosen.values()).count(best.cell.name), len(choosing.chosen)
    interval = "" if verdict.score.low is None else f" (95 % interval {ends(verdict.score)})"
    expected = f"{label} {figure(verdict.score.mean)}{interval}"
    if 2 * times < folds:
        yield (
            f"No cell stands out; best on these folds is {quoted(best.cell.name)}, which inner "
            f"folds choose on {times} of {folds}. Expect {expected}."
        )
        return
    yield (
        f"{quoted(best.cell.name)}, which inner folds choose on {times} of {folds}. "
        f"Expect {expected}."
    )


def _for_less(ranking: Ranking) -> Iterator[str]:
    if len(ranking.ranked("image", "text", "fusion")) < 2:
        return
    saving = list(cheapest(ranking))
    share = f"{100 * LEAST_SAVING:.0f} %"
    nothing = f"Nothing that costs {share} less comes within {ranking.metric.rope:g} of the best."
    yield from saving or [nothing]


def _sure(verdict: Verdict, ranking: Ranking) -> Iterator[str]:
    yield from steadiness(verdict, ranking)
