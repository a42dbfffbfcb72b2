"""What a run of one modality says: which cell is best, how surely, and against guessing."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from reports.analysis.ranking import FEWEST_UNITS, Comparison, Ranking
from reports.answer.verdict import BESIDE, OTHERWISE, Verdict
from reports.sentences.intervals import between, ends
from reports.wording import (
    capitalize_first,
    chance,
    count,
    figure,
    metric_label,
    quoted,
    signed,
)


def headline(verdict: Verdict, ranking: Ranking) -> str:
    """The best cell and what choosing it reaches; or that nothing beats guessing."""
    best, baseline = ranking.best("image", "text"), ranking.best("baseline")
    assert best is not None
    label = metric_label(ranking.metric.name)
    reached = f"{label} {figure((verdict.score or best.score).mean)}"
    over = verdict.over_baseline
    if over is not None and baseline is not None and not over.is_clear:
        return (
            f"Not shown that any cell is better than guessing: {reached}, and "
            f"{figure(baseline.score.mean)} by the baseline {quoted(baseline.cell.name)}"
        )
    name, lead = quoted(best.cell.name), verdict.lead
    if lead is None:
        return f"{name} reaches {reached}"
    if lead.interval.direction == 1:
        return f"{name} is best: {reached}"
    return f"{name} leads, {quoted(lead.other)} may do as well: {reached}"


def evidence(verdict: Verdict, ranking: Ranking) -> str | None:
    """The interval of the headline's score, and its distance from the baseline."""
    if ranking.units < FEWEST_UNITS:
        return None
    score, over = verdict.score, verdict.over_baseline
    said = []
    if score is not None and score.low is not None:
        said.append(f"95 % interval {ends(score)}")
    if over is not None and over.positive is not None:
        said.append(
            f"{signed(over.interval.mean)} over the baseline ({between(over.interval)}); "
            f"P(better than it) {chance(over.positive)}"
        )
    return "; ".join(said) or None


def over_baseline(verdict: Verdict, ranking: Ranking) -> Iterator[str]:
    """How far the baseline is."""
    over, baseline = verdict.over_baseline, ranking.best("baseline")
    best = ranking.best("image", "text")
    if over is None or baseline is None or best is None:
        return
    reached, folds = (verdict.score or best.score).mean, count(over.interval.folds, "fold")
    yield (
        f"{capitalize_first(metric_label(ranking.metric.name))} goes from "
        f"{figure(baseline.score.mean)} by the baseline {quoted(baseline.cell.name)} to "
        f"{figure(reached)}; better on {over.ahead} of {folds}."
    )


def steadiness(verdict: Verdict, ranking: Ranking) -> Iterator[str]:
    """Whether the next cells are told apart from the best, and what a second metric says."""
    lead = verdict.lead
    if lead is not None:
        yield _next(lead, ranking)
    yield from _second(ranking)


def _next(lead: Comparison, ranking: Ranking) -> str:
    by = f"{signed(lead.interval.mean)} ahead of the next, {quoted(lead.other)}"
    if lead.interval.direction is None:
        return f"On the only fold it is {by}, which one fold cannot tell from chance."
    ends_of_lead = f" ({between(lead.interval)})"
    if lead.interval.direction == 1:
        return f"It is {by}{ends_of_lead}, which is more than the folds' noise."
    first, *others = ranking.ranked("image", "text")
    leads = [ranking.compare(first, other) for other in others[1:]]
    more = sum(not further.is_clear for further in leads if further is not None)
    also = f", nor is it from {count(more, 'other cell')}" if more else ""
    return f"It is {by}{ends_of_lead}: not told apart from it{also}."


def _second(ranking: Ranking) -> Iterator[str]:
    """Which cell is best by another metric, where that is known of all."""
    name = BESIDE.get(ranking.metric.name, OTHERWISE)
    first, *others = ranking.ranked("image", "text")
    scores = {standing.cell.name: standing.mean_of(name) for standing in (first, *others)}
    if not others or not all(map(isfinite, scores.values())):
        return
    best = max(scores, key=scores.__getitem__)
    if scores[best] == scores[first.cell.name]:
        yield f"By {metric_label(name)} it is the best, too."
    else:
        yield (
            f"By {metric_label(name)} {quoted(best)} is the best: {figure(scores[best])}, and "
            f"{figure(scores[first.cell.name])} for it."
        )
