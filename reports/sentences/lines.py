"""The answer in four labelled lines: what a reader must know before anything else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from reports.analysis.ranking import Ranking
from reports.answer.choice import Choice, choice
from reports.answer.verdict import Verdict
from reports.sentences.choosing import chosen
from reports.sentences.decision import steadiness
from reports.sentences.findings import LEAST_SAVING, cheapest
from reports.sentences.one_modality import over_baseline
from reports.wording import capitalize_first, count, figure, metric_label


class AnswerLine(NamedTuple):
    """A short label, and what is to be said under it."""

    label: str
    text: str


def answer_lines(verdict: Verdict, ranking: Ranking) -> Iterator[AnswerLine]:
    """Whether it pays, what to choose, what is as good for less, how sure all that is.

    With one modality the first is whether the best is better than guessing. A line without anything
    to say is left out.
    """
    alone, to_choose = verdict.answer == "one modality", choice(verdict, ranking)
    yield from labelled(
        ("Does it pay", _pays(verdict, ranking)),
        ("Better than guessing", over_baseline(verdict, ranking) if alone else ()),
        ("What to choose", [chosen(to_choose, verdict, ranking)] if to_choose else ()),
        ("As good for less", _for_less(to_choose, ranking) if to_choose else ()),
        ("How sure", steadiness(verdict, ranking)),
    )


def labelled(*given: tuple[str, Iterable[str]]) -> Iterator[AnswerLine]:
    """A line for each label that has a text, its sentences one after the other."""
    for label, texts in given:
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
        f"{capitalize_first(metric_label(ranking.metric.name))} goes from {before} by one modality "
        f"to {after} by both; both do better on {ahead} of {folds}."
    )


def _for_less(to_choose: Choice, ranking: Ranking) -> Iterator[str]:
    if len(ranking.ranked("image", "text", "fusion")) < 2:
        return
    saving = list(cheapest(to_choose.standing, ranking))
    share = f"{100 * LEAST_SAVING:.0f} %"
    nothing = f"Nothing that costs {share} less comes within {ranking.metric.rope:g} of it."
    yield from saving or [nothing]
