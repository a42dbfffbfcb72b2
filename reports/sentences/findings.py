"""What a run has shown, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean
from typing import Literal

from reports.analysis.ranking import Comparison, Ranking
from reports.analysis.standing import Standing
from reports.answer.verdict import Verdict
from reports.sentences.decision import compared, decision, winner
from reports.sentences.intervals import between, plus_minus
from reports.units import duration
from reports.wording import chance, count, figure, metric_label, quoted, signed

_NOUN = {"image": "the picture", "text": "the text"}
LEAST_SAVING = 0.1  # share of the best cell's time: timings vary by more than less


def sentences(verdict: Verdict, ranking: Ranking, unseen_classes: bool = False) -> Iterator[str]:
    """What a run has shown.

    In order: the comparison that decides, the winner, the cheapest choice, single modalities and
    fusion, the runner-up, encoders, the baseline.
    """
    yield from decision(verdict, ranking)
    yield from filter(None, [winner(verdict, ranking)])
    yield from cheapest(ranking)
    yield from _behind(ranking, unseen_classes)


def further(verdict: Verdict, ranking: Ranking, unseen_classes: bool = False) -> Iterator[str]:
    """What stands behind the answer's lines (see `lines`).

    In order: the comparison that decides, the winner, single modalities and fusion, the runner-up,
    encoders, the baseline.
    """
    yield from compared(verdict)
    yield from filter(None, [winner(verdict, ranking)])
    yield from _behind(ranking, unseen_classes)


def _behind(ranking: Ranking, unseen_classes: bool) -> Iterator[str]:
    yield from _best_cells(ranking)
    yield from _runner_up(ranking)
    for modality in ("image", "text"):
        yield from _encoders(ranking, modality)
    yield from _baseline(
        ranking,
        ", which is chance: all it knows of the classes is their number" if unseen_classes else "",
    )


def _best_cells(ranking: Ranking) -> Iterator[str]:
    metric = metric_label(ranking.metric.name)
    best = filter(None, (ranking.best("image"), ranking.best("text")))
    singles = sorted(best, key=lambda single: single.rank or 0)
    folds = len(ranking.folds)
    spread = (
        f" (mean ± standard deviation over {count(folds, 'fold')})" if folds > 1 else " (one fold)"
    )
    for position, single in enumerate(singles):
        which = "The best single modality is" if position == 0 else "The best cell without it uses"
        yield (
            f"{which} {_NOUN[single.kind]}: {quoted(single.cell.name)} reaches {_article(metric)} "
            f"{metric} of {plus_minus(single.score)}{spread if position == 0 else ''}."
        )
    fusion = ranking.best("fusion")
    if fusion:
        ending = "" if singles else spread
        score = plus_minus(fusion.score)
        yield f"The best fusion is {quoted(fusion.cell.name)} with {score}{ending}."


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def cheapest(ranking: Ranking) -> Iterator[str]:
    """The cheapest cell that is equivalent to the best one on average, where it is another."""
    best, *others = ranking.ranked("image", "text", "fusion") or (None,)
    if best is None:
        return
    equal: list[tuple[float, Comparison]] = []
    for standing in others:
        comparison, cost = ranking.compare(best, standing), _seconds(standing)
        saves = cost <= (1 - LEAST_SAVING) * _seconds(best)
        if comparison and comparison.interval.mean <= ranking.metric.rope and saves:
            equal.append((cost, comparison))
    if not equal:
        return
    cost, comparison = min(equal, key=lambda choice: choice[0])
    sure = ""
    if comparison.posterior is not None:
        sure = f"; P(the best is better by more) {chance(comparison.posterior.better)}"
    near = f"The cheapest choice within {ranking.metric.rope:g} of the best"
    yield (
        f"{near} is {quoted(comparison.other)}: "
        f"{duration(cost)} instead of {duration(_seconds(best))} to encode, fit and predict a "
        f"fold; its {metric_label(ranking.metric.name)} differs by "
        f"{figure(comparison.interval.mean)} on average{sure}."
    )


def _seconds(standing: Standing) -> float:
    """Mean seconds per fold to encode, fit and predict."""
    return fmean(
        fold.encode_seconds + fold.fit_seconds + fold.predict_seconds
        for fold in standing.folds.values()
    )


def _runner_up(ranking: Ranking) -> Iterator[str]:
    first, second, *_ = (*ranking.ranked("image", "text", "fusion"), None, None)
    lead = ranking.compare(first, second) if first and second else None
    if lead is None or lead.interval.direction is None:
        return
    subject = (
        "Its lead"
        if first and first.kind == "fusion"
        else f"Best of all is {quoted(lead.cell)}; its lead"
    )
    meaning = (
        "which is more than the folds' noise."
        if lead.interval.direction == 1
        else "too little to tell them apart: take the simpler or cheaper of the two."
    )
    yield (
        f"{subject} over the runner-up {quoted(lead.other)} is {signed(lead.interval.mean)} "
        f"({between(lead.interval)}), {meaning}"
    )


def _encoders(ranking: Ranking, modality: Literal["image", "text"]) -> Iterator[str]:
    """The best encoder of a modality, judged alone where it was tried alone."""
    best: dict[str, Standing] = {}
    for standing in ranking.ranked(modality) or ranking.ranked("fusion"):
        best.setdefault(getattr(standing.cell, modality), standing)
    if len(best) < 2:
        return
    (first, top), (second, next_best), *_ = best.items()
    comparison = ranking.compare(top, next_best)
    noun, alone = ("picture" if modality == "image" else "text"), ranking.ranked(modality)
    if comparison and not float(figure(abs(comparison.interval.mean))):
        yield (
            f"Of {len(best)} {noun} encoders {quoted(first)} and {quoted(second)} do best "
            f"{'alone' if alone else 'in a fusion'}, equally well on average."
        )
        return
    lead = (
        f", ahead of {quoted(second)} by {signed(comparison.interval.mean)}" if comparison else ""
    )
    ends = (
        f" ({between(comparison.interval)})"
        if comparison and comparison.interval.low is not None
        else ""
    )
    yield (
        f"Of {len(best)} {noun} encoders {quoted(first)} does best "
        f"{'alone' if alone else 'in a fusion'}{lead}{ends}."
    )


def _baseline(ranking: Ranking, why: str) -> Iterator[str]:
    baseline, best = ranking.best("baseline"), ranking.best("image", "text", "fusion")
    gain = ranking.compare(best, baseline) if baseline and best else None
    if gain is None or baseline is None:
        return
    name, score = quoted(baseline.cell.name), plus_minus(baseline.score)
    if gain.interval.mean <= 0 or gain.interval.direction == 0:
        yield (
            f"No cell is clearly better than the baseline {name} ({score}): "
            "the features may say nothing about the classes."
        )
    else:
        yield f"The baseline {name} reaches {score}{why}."
