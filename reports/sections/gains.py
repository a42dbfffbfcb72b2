"""What each part brings: pairs of encoders, what a fusion adds, what a further encoder adds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from reports.analysis.combinations import Combinations, combinations
from reports.analysis.contrasts import contrasts
from reports.analysis.contribution import Contribution, contributions
from reports.analysis.ranking import Comparison, Ranking, rank_cells
from reports.analysis.standing import Standing
from reports.charts.fold_strips import fold_strips
from reports.record import RunRecord
from reports.section import Chart, Section
from reports.sentences.intervals import between
from reports.wording import clean, count, metric_label, signed

CHART_ROWS = 30


@dataclass(frozen=True)
class Gain:
    """One fusion cell against the best single-modality cell of its encoders, and the best of all.

    `over_half` is None where none of its encoders was tried alone; `adjusted` is Holm's p value of
    `overall` over all declared contrasts, None on a single fold.
    """

    name: str
    over_half: Comparison | None
    overall: Comparison
    adjusted: float | None


@dataclass(frozen=True)
class Addition:
    """A cell with several encoders of a modality against the best one with one of them fewer.

    All else is the same. `encoder` is what the other cell lacks. `loss` compares their log loss,
    where the cells are ranked by another metric.
    """

    name: str
    encoder: str
    gain: Comparison
    loss: Comparison | None


@dataclass(frozen=True)
class GainsFacts:
    """Gains of all complete fusion cells, best first; positive means that the fusion is better.

    `combinations` are the scores of all pairs of encoders; `contributions` what each modality
    brings to a fitted fusion, where that was looked at. `additions` say what a further encoder
    brings, where cells have several of a modality. Without a fusion there are these alone.
    """

    metric: str
    greater_is_better: bool
    best_single: str
    rows: tuple[Gain, ...]
    combinations: Combinations
    contributions: tuple[Contribution, ...]
    additions: tuple[Addition, ...] = ()


def facts(record: RunRecord) -> GainsFacts | None:
    """Gains over the single modalities; None without a single-modality cell, or without a gain."""
    ranking = rank_cells(record)
    best = ranking.best("image", "text")
    if best is None:
        return None
    rows, declared = [], contrasts(record)
    for fusion in ranking.ranked("fusion"):
        overall = ranking.compare(fusion, best)
        if overall is not None:
            half = better_half(fusion, ranking)
            contrast = declared.of(overall.cell, overall.other)
            rows.append(
                Gain(
                    fusion.cell.name,
                    ranking.compare(fusion, half) if half else None,
                    overall,
                    contrast.adjusted if contrast else None,
                )
            )
    additions = tuple(_additions(ranking, record))
    if not rows and not additions:
        return None
    return GainsFacts(
        ranking.metric.name,
        ranking.metric.greater_is_better,
        best.cell.name,
        tuple(rows),
        combinations(ranking),
        contributions(record),
        additions,
    )


def _additions(ranking: Ranking, record: RunRecord) -> Iterator[Addition]:
    """What a further encoder brings to every cell with several, the best cell first."""
    losses = [metric for metric in record.metrics if metric.name == "log_loss" != record.metric]
    ranked = ranking.ranked()
    for standing, modality in product(ranked, ("image", "text")):
        if len(standing.cell.encoders(modality)) < 2:
            continue
        others = (other for other in ranked if _is_without(other, standing, modality))
        other = next(others, None)
        gain = ranking.compare(standing, other) if other else None
        if other is None or gain is None:
            continue
        (encoder,) = set(standing.cell.encoders(modality)) - set(other.cell.encoders(modality))
        by_loss = [replace(ranking, metric=metric).compare(standing, other) for metric in losses]
        yield Addition(standing.cell.name, encoder, gain, by_loss[0] if by_loss else None)


def _is_without(other: Standing, standing: Standing, modality: str) -> bool:
    """Whether a cell is another one without one of that one's encoders of a modality."""
    cell, fewer = standing.cell, other.cell
    encoders = set(cell.encoders(modality))
    beside = "text" if modality == "image" else "image"
    return (
        set(fewer.encoders(modality)) < encoders
        and len(fewer.encoders(modality)) == len(encoders) - 1
        and set(fewer.encoders(beside)) == set(cell.encoders(beside))
        and (fewer.fusion, fewer.classifier) == (cell.fusion, cell.classifier)
    )


def better_half(fusion: Standing, ranking: Ranking) -> Standing | None:
    """Best complete cell that uses one of the fusion's encoders alone (or is one of its parts)."""
    cell = fusion.cell
    for single in ranking.ranked("image", "text"):
        encoder = (
            (single.cell.image, cell.image)
            if single.kind == "image"
            else (single.cell.text, cell.text)
        )
        if encoder[0] == encoder[1] or single.cell.name in cell.parts:
            return single
    return None


def charts(gains: GainsFacts) -> dict[str, Chart]:
    """Gain over the best single modality: a dot per fold, the mean and its interval."""
    if not gains.rows:
        return {}
    shown = gains.rows[:CHART_ROWS]
    metric = metric_label(gains.metric)
    spec = fold_strips(
        [(row.name, "fusion", row.overall.interval.mean, row.overall.gains) for row in shown],
        f"gain in {metric}",
        zero=True,
        intervals=[(row.overall.interval.low, row.overall.interval.high) for row in shown],
    )
    best = shown[0].overall.interval
    label = (
        f"Gain in {metric} of {count(len(shown), 'fusion cell')} over {clean(gains.best_single)} "
        f"on each fold; {clean(shown[0].name)} gains {signed(best.mean)} on average, "
        f"95 % interval {between(best)}."
    )
    several = best.low is not None
    caption = (
        "One mark for each fold"
        + (", a bar at the mean, a line for its 95 % interval" if several else "")
        + ". Right of zero the fusion is better."
    )
    return {"gains": Chart(spec, label, caption)}


SECTION = Section("What each part brings", facts, charts)
