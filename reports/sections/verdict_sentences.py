"""The verdict in plain sentences, each made from figures that stand in it."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean
from typing import Literal

from reports.analysis.contrasts import Contrast, Contrasts
from reports.analysis.interval_wording import between, plus_minus
from reports.analysis.optimism import Optimism
from reports.analysis.ranking import ROPE, Comparison, Ranking, Standing
from reports.record import RunRecord
from reports.wording import (
    chance,
    count,
    duration,
    figure,
    listed,
    metric_label,
    p_value,
    quoted,
    signed,
)

_OTHER = {"image": "the text", "text": "the picture"}
_NOUN = {"image": "the picture", "text": "the text"}


def headline(answer: str, ranking: Ranking, gain: Comparison | None) -> str:
    """One sentence that answers the question of the run."""
    single, metric = ranking.best("image", "text"), metric_label(ranking.metric.name)
    if answer == "no result":
        return "No cell has a complete set of scores, so nothing can be compared."
    if gain is None or single is None:
        return f"{_untested(ranking)} does a second modality pay? This run did not compare the two."
    added, gain_by, size = _OTHER[single.kind], gain.interval.mean, figure(abs(gain.interval.mean))
    # A gain raises a score of which more is better, and lowers a loss.
    raises = (gain_by > 0) == ranking.metric.greater_is_better
    change = (f"{'changes' if not float(size) else 'raises' if raises else 'lowers'} {metric} by {size}"
              f"{_from_to(ranking, gain)}")
    if answer == "half compared":
        return (f"Adding {added} {change}, but {added} alone was not compared and may do as well: add "
                f"{_alone(single)} to the grid.")
    return {
        "pays": f"Adding {added} pays: it {change}.",
        "costs": f"Adding {added} does not pay: it {change}.",
        "equivalent": f"Adding {added} makes no difference in practice: it {change}.",
        "unclear": f"These folds do not show that adding {added} pays: it {change}.",
        "one fold": f"On the only fold, adding {added} {change}; one fold cannot tell that from chance.",
    }[answer]


def _alone(single: Standing) -> str:
    """What would compare the other modality by itself."""
    other = "text" if single.kind == "image" else "image"
    return f"{other}_only" if single.cell.recognised_by is None else f"recognised_by: {other}"


def _from_to(ranking: Ranking, gain: Comparison) -> str:
    """The two means, and how sure their difference is: ", from .61 to .74 (95 % interval ...; P(better) .98)"."""
    means = {standing.cell.name: figure(standing.score.mean) for standing in ranking.ranked()}
    between_them = f", from {means[gain.other]} to {means[gain.cell]}"
    if gain.posterior is None:
        return between_them
    better = gain.posterior.better >= gain.posterior.worse
    which, probability = (
        ("better", gain.posterior.better) if better else ("worse", gain.posterior.worse)
    )
    if gain.posterior.equivalent > probability:
        which, probability = "equivalent", gain.posterior.equivalent
    return f"{between_them} (95 % interval of the gain {between(gain.interval)}; P({which}) {chance(probability)})"


def sentences(
    answer: str,
    ranking: Ranking,
    gain: Comparison | None,
    contrast: Contrast | None,
    unseen_classes: bool = False,
) -> Iterator[str]:
    """What was found: single modalities, fusion, its gain, the cheapest choice, the runner-up, encoders, baseline."""
    yield from _best_cells(ranking)
    if gain is not None:
        yield _gain(answer, ranking, gain, contrast)
    yield from _cheapest(ranking)
    yield from _runner_up(ranking, gain)
    for modality in ("image", "text"):
        yield from _encoders(ranking, modality)
    yield from _baseline(
        ranking,
        ", which is chance: all it knows of the classes is their number" if unseen_classes else "",
    )


def cautions(
    record: RunRecord, ranking: Ranking, declared: Contrasts, winner: Optimism | None
) -> Iterator[str]:
    """What a reader must keep in mind: failures, few folds, choosing the best of many, warnings."""
    yield from record.alarms
    failed = sorted({failure.cell for failure in record.failures})
    if failed:
        names = listed(
            [quoted(name) for name in failed[:3]]
            + ([f"{len(failed) - 3} more"] if failed[3:] else [])
        )
        yield f"{count(len(failed), 'cell')} failed and {_is(len(failed))} not ranked: {names}."
    partial = [s for s in ranking.standings if not s.complete and s.cell.name not in failed]
    if partial:
        yield (f"{count(len(partial), 'cell')} without a score on every fold {_is(len(partial))} not ranked: "
               f"{listed(quoted(s.cell.name) for s in partial[:3])}{' and others' if partial[3:] else ''}.")
    yield from declared.limits
    yield from _optimism(ranking, winner)
    if record.dropped:
        yield f"{count(len(record.dropped), 'row was', 'rows were')} left out of the run: see Method."
    if record.warnings:
        yield f"{count(len(record.warnings), 'warning')} about the data or the method: see Method."


def _optimism(ranking: Ranking, winner: Optimism | None) -> Iterator[str]:
    """The winner's score owes something to its being picked by it."""
    compared = len(ranking.ranked("image", "text", "fusion"))
    if compared < 2:
        return
    sign = 1 if ranking.metric.greater_is_better else -1
    much = "" if winner is None or sign * (winner.optimistic - winner.corrected) <= 0 else (
        f" Corrected for the choice (bootstrap bias correction) the pooled {metric_label(ranking.metric.name)} of the "
        f"winner is {figure(winner.corrected)} instead of {figure(winner.optimistic)}; it wins in "
        f"{100 * winner.wins:.0f} % of the resamples.")
    yield (f"The winner was picked out of {compared} cells by the same folds that score it, so its score and its lead "
           f"are somewhat optimistic.{much} Confirm it on items that played no part here.")


def _cheapest(ranking: Ranking) -> Iterator[str]:
    """The cheapest cell that is equivalent to the best one on average, where it is another."""
    models = ranking.ranked("image", "text", "fusion")
    best, costs = models[0] if models else None, {one.cell.name: _seconds(one) for one in models}
    if best is None:
        return
    equal = [
        (costs[one.cell.name], comparison)
        for one in models[1:]
        if (comparison := ranking.compare(best, one)) is not None
        and comparison.interval.mean <= ROPE
        and costs[one.cell.name] < costs[best.cell.name]
    ]
    if equal:
        cost, comparison = min(equal, key=lambda one: one[0])
        sure = "" if comparison.posterior is None else (
            f"; P(the best is better by more) {chance(comparison.posterior.better)}")
        cheap, dear = duration(cost), duration(costs[best.cell.name])
        yield (f"The cheapest choice within {ROPE:g} of the best is {quoted(comparison.other)}: {cheap} instead of "
               f"{dear} to encode, fit and predict a fold; its {metric_label(ranking.metric.name)} differs by "
               f"{figure(comparison.interval.mean)} on average{sure}.")


def _seconds(standing: Standing) -> float:
    """Mean seconds per fold to encode, fit and predict."""
    return fmean(
        one.encode_seconds + one.fit_seconds + one.predict_seconds
        for one in standing.folds.values()
    )


def _untested(ranking: Ranking) -> str:
    missing = "no fusion" if ranking.best("fusion") is None else "no single modality"
    return f"With {missing} to compare,"


def _best_cells(ranking: Ranking) -> Iterator[str]:
    metric = metric_label(ranking.metric.name)
    singles = sorted(filter(None, (ranking.best("image"), ranking.best("text"))),
                     key=lambda s: s.rank or 0)
    folds = len(ranking.folds)
    spread = (
        f" (mean ± standard deviation over {count(folds, 'fold')})" if folds > 1 else " (one fold)"
    )
    for place, single in enumerate(singles):
        which = "The best single modality is" if place == 0 else "The best cell without it uses"
        yield (f"{which} {_NOUN[single.kind]}: {quoted(single.cell.name)} reaches {_article(metric)} {metric} of "
               f"{plus_minus(single.score)}{spread if place == 0 else ''}.")
    fusion = ranking.best("fusion")
    if fusion:
        yield f"The best fusion is {quoted(fusion.cell.name)} with {plus_minus(fusion.score)}" + (
            f"{spread}." if not singles else ".")


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def _gain(answer: str, ranking: Ranking, gain: Comparison, contrast: Contrast | None) -> str:
    folds, metric = count(gain.interval.folds, "fold"), metric_label(ranking.metric.name)
    better = (
        ""
        if ranking.metric.greater_is_better
        else " (lower is better; a positive gain is an improvement)"
    )
    if answer == "one fold":
        return (f"Against the best single modality the fusion gains {signed(gain.interval.mean)} {metric}{better}. "
                "A single hold-out gives one difference and no idea of its spread: use several folds.")
    conclusion = {
        "pays": "Here the second modality pays.",
        "costs": "Here the second modality does harm.",
        "equivalent": "The two are equivalent in practice.",
        "unclear": "That is not enough to tell it from the folds' noise.",
        "half compared": "The other modality alone was not compared: all of the gain may be its own.",
    }[answer]
    return (f"On the same {folds} it gains {signed(gain.interval.mean)} over the best single modality{better}, 95 % "
            f"interval {between(gain.interval)}, and is ahead on {gain.ahead} of {gain.interval.folds}"
            f"{_holm(contrast)}. {conclusion}")


def _runner_up(ranking: Ranking, gain: Comparison | None) -> Iterator[str]:
    first, second, *_ = (*ranking.ranked("image", "text", "fusion"), None, None)
    lead = ranking.compare(first, second) if first and second else None
    said = (
        gain is not None and lead is not None and (gain.cell, gain.other) == (lead.cell, lead.other)
    )
    if lead is None or lead.interval.direction is None or said:
        return
    told_apart = ("which is more than the folds' noise." if lead.interval.direction == 1 else
                  "too little to tell them apart: take the simpler or cheaper of the two.")
    yield (f"Its lead over the runner-up {quoted(lead.other)} is {signed(lead.interval.mean)} "
           f"({between(lead.interval)}), {told_apart}" if first and first.kind == "fusion" else
           f"Best of all is {quoted(lead.cell)}; its lead over the runner-up {quoted(lead.other)} is "
           f"{signed(lead.interval.mean)} ({between(lead.interval)}), {told_apart}")


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
    lead = (
        f", ahead of {quoted(second)} by {signed(comparison.interval.mean)}" if comparison else ""
    )
    ends = (
        f" ({between(comparison.interval)})"
        if comparison and comparison.interval.low is not None
        else ""
    )
    yield (f"Of {len(best)} {noun} encoders {quoted(first)} does best {'alone' if alone else 'in a fusion'}"
           f"{lead}{ends}.")


def _baseline(ranking: Ranking, why: str) -> Iterator[str]:
    baseline, best = ranking.best("baseline"), ranking.best("image", "text", "fusion")
    gain = ranking.compare(best, baseline) if baseline and best else None
    if gain is None or baseline is None:
        return
    if gain.interval.mean <= 0 or gain.interval.direction == 0:
        yield (f"No cell is clearly better than the baseline {quoted(baseline.cell.name)} "
               f"({plus_minus(baseline.score)}): the features may say nothing about the classes.")
    else:
        yield f"The baseline {quoted(baseline.cell.name)} reaches {plus_minus(baseline.score)}{why}."


def _holm(contrast: Contrast | None) -> str:
    if contrast is None or contrast.adjusted is None:
        return ""
    return (
        f" (p {p_value(contrast.adjusted)} after Holm's correction over the declared comparisons)"
    )


def _is(number: int) -> str:
    return "is" if number == 1 else "are"
