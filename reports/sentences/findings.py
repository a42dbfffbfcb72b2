"""What a run has shown, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from reports.analysis.ranking import Comparison, Ranking
from reports.analysis.standing import NOUNS, Modality, Standing
from reports.answer.choice import Choice, choice
from reports.answer.verdict import Verdict
from reports.sentences.choosing import behind
from reports.sentences.decision import compared, decision
from reports.sentences.intervals import between, plus_minus
from reports.units import duration
from reports.wording import chance, count, figure, metric_label, quoted, signed

COST_OF = "encode all rows once, and fit and predict a fold"
LEAST_SAVING = 0.1  # share of the best cell's time: timings vary by more than less


def sentences(verdict: Verdict, ranking: Ranking, unseen_classes: bool = False) -> Iterator[str]:
    """What a run has shown.

    In order: the comparison that decides, the cell to choose, the cheapest choice, single
    modalities and fusion, the runner-up, encoders, classifiers, the baseline.
    """
    to_choose = choice(verdict, ranking)
    yield from decision(verdict, ranking)
    if to_choose is not None:
        yield from filter(None, [behind(to_choose, verdict, ranking)])
        yield from cheapest(to_choose.standing, ranking)
    yield from _further(ranking, unseen_classes)


def further(verdict: Verdict, ranking: Ranking, unseen_classes: bool = False) -> Iterator[str]:
    """What stands behind the answer's lines (see `lines`).

    In order: the comparison that decides, the cell to choose, single modalities and fusion, the
    runner-up, encoders, classifiers, the baseline.
    """
    to_choose: Choice | None = choice(verdict, ranking)
    yield from compared(verdict)
    yield from filter(None, [to_choose and behind(to_choose, verdict, ranking)])
    yield from _further(ranking, unseen_classes)


def _further(ranking: Ranking, unseen_classes: bool) -> Iterator[str]:
    if ranking.modality is None:  # else the answer says it
        yield from _best_cells(ranking)
        yield from _runner_up(ranking)
    for modality in ("image", "text"):
        yield from _encoders(ranking, modality)
    if ranking.modality is not None:
        yield from _best_part(ranking, ranking.ranked(ranking.modality), "classifier", "classifier")
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
        score = plus_minus(single.score) + (spread if position == 0 else "")
        yield (
            f"{which} the {NOUNS[single.kind]}: {quoted(single.cell.name)} reaches "
            f"{_article(metric)} {metric} of {score}."
        )
    fusion = ranking.best("fusion")
    if fusion:
        ending = "" if singles else spread
        score = plus_minus(fusion.score)
        yield f"The best fusion is {quoted(fusion.cell.name)} with {score}{ending}."


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def cheapest(chosen: Standing, ranking: Ranking) -> Iterator[str]:
    """The cheapest cell as good on average as the one to choose, where it is another."""
    equal: list[tuple[float, Comparison]] = []
    for standing in ranking.ranked("image", "text", "fusion"):
        if standing is chosen:
            continue
        comparison, cost = ranking.compare(chosen, standing), _seconds(standing)
        saves = cost <= (1 - LEAST_SAVING) * _seconds(chosen)
        if comparison and comparison.interval.mean <= ranking.metric.rope and saves:
            equal.append((cost, comparison))
    if not equal:
        return
    cost, comparison = min(equal, key=lambda choice: choice[0])
    sure = ""
    if comparison.posterior is not None:
        sure = f"; P(it is worse by more) {chance(comparison.posterior.better)}"
    near = f"The cheapest choice within {ranking.metric.rope:g} of it"
    yield (
        f"{near} is {quoted(comparison.other)}: {duration(cost)} instead of "
        f"{duration(_seconds(chosen))} to {COST_OF}; its {metric_label(ranking.metric.name)} "
        "differs by "
        f"{figure(comparison.interval.mean)} on average{sure}."
    )


def _seconds(standing: Standing) -> float:
    """Mean over folds of the seconds to encode all rows once, and fit and predict a fold."""
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


def _encoders(ranking: Ranking, modality: Modality) -> Iterator[str]:
    """The best encoder of a modality, judged alone where it was tried alone."""
    alone = ranking.ranked(modality)
    how = " alone" if alone else " in a fusion"
    yield from _best_part(
        ranking,
        alone or ranking.ranked("fusion"),
        modality,
        f"{NOUNS[modality]} encoder",
        "" if ranking.modality else how,
    )


def _best_part(
    ranking: Ranking, standings: Sequence[Standing], part: str, noun: str, how: str = ""
) -> Iterator[str]:
    """The best of several encoders or classifiers, each by its best cell."""
    best: dict[str, Standing] = {}
    for standing in standings:
        name = getattr(standing.cell, part)
        if name is not None:
            best.setdefault(name, standing)
    if len(best) < 2:
        return
    (first, top), (second, next_best), *_ = best.items()
    comparison = ranking.compare(top, next_best)
    if comparison and not float(figure(abs(comparison.interval.mean))):
        yield (
            f"Of {len(best)} {noun}s {quoted(first)} and {quoted(second)} do best{how}, equally "
            "well on average."
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
    yield f"Of {len(best)} {noun}s {quoted(first)} does best{how}{lead}{ends}."


def _baseline(ranking: Ranking, why: str) -> Iterator[str]:
    baseline, best = ranking.best("baseline"), ranking.best("image", "text", "fusion")
    gain = ranking.compare(best, baseline) if baseline and best else None
    if gain is None or baseline is None:
        return
    name, score = quoted(baseline.cell.name), plus_minus(baseline.score)
    if not gain.is_clear:
        yield (
            f"No cell is clearly better than the baseline {name} ({score}): "
            "the features may say nothing about the classes."
        )
    else:
        yield f"The baseline {name} reaches {score}{why}."
