"""What each modality contributes to a fitted model, and how its score falls without one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from statistics import fmean
from typing import Literal

from reports.analysis.ranking import ranking_metric
from reports.analysis.standing import Kind, Spread, kind_of, spread
from reports.analysis.statistics import Interval, corrected_resampled_interval
from reports.fold_record import FoldKey
from reports.follow_up_record import AdditiveRecord, ProbeRecord
from reports.record import RunRecord

Change = Literal["missing", "swapped"]
_Condition = tuple[str, tuple[str, ...], float]  # change, modalities, share


@dataclass(frozen=True)
class CurvePoint:
    """Score (over folds) with a share of the test rows altered."""

    share: float
    score: Spread


@dataclass(frozen=True)
class RobustnessCurve:
    """How one cell's score falls as more test rows lack a modality, or have that of another row.

    `points` run from share 0, the rows as they are, to 1.
    """

    cell: str
    kind: Kind
    change: Change
    modality: str
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class Contribution:
    """What the modalities contribute to a fusion cell's score, its fitted models left as they are.

    Scores are means over the folds of the first repeat. `v(S)` is the score with the modalities S
    there and the others marked missing on every test row; how a fusion treats missing ones is part
    of the answer.

    Parameters
    ----------
    both, image, text, none : v of both, of one, of none.
    shapley_image, shapley_text : Shapley values, for two players phi_image = ((v(image) - v(none))
        + (v(both) - v(text))) / 2, which add up to v(both) - v(none) (Shapley 1953; turned so that
        a positive value is a contribution also where less is better).
    permuted_image, permuted_text : fall of the score when that modality is permuted over the test
        rows, with its corrected interval over folds (Breiman 2001, Random Forests, section 10).
    additive : the cell against its additive projection, where it was computed; `interaction` is how
        much better the cell is than the projection, with its interval: about 0 means that the
        fusion only adds what each modality says by itself (Hessel and Lee 2020).
    """

    cell: str
    both: float
    image: float
    text: float
    none: float
    shapley_image: float
    shapley_text: float
    permuted_image: Interval
    permuted_text: Interval
    additive: AdditiveRecord | None
    interaction: Interval | None


def robustness(record: RunRecord) -> tuple[RobustnessCurve, ...]:
    """Curves of every probed cell, in the record's order; none where nothing was probed."""
    curves: list[RobustnessCurve] = []
    cells = {cell.name: cell for cell in record.cells}
    for name, probes in _by_cell(record.probes).items():
        whole = next(probe for probe in probes if probe.change == "none")
        altered: dict[tuple[Change, str], list[ProbeRecord]] = {}
        for probe in probes:
            if probe.change != "none" and len(probe.modalities) == 1:
                altered.setdefault((probe.change, probe.modalities[0]), []).append(probe)
        for (change, modality), with_change in altered.items():
            ordered = sorted(with_change, key=lambda probe: probe.share)
            points = tuple(map(_point, (whole, *ordered)))
            curves.append(RobustnessCurve(name, kind_of(cells[name]), change, modality, points))
    return tuple(curves)


def _point(probe: ProbeRecord) -> CurvePoint:
    return CurvePoint(probe.share, spread(score for _, score in probe.scores))


def contributions(record: RunRecord) -> tuple[Contribution, ...]:
    """Contributions in every probed cell with both modalities, in the record's order."""
    sign = 1.0 if ranking_metric(record).greater_is_better else -1.0
    sizes = {(fold.repeat, fold.fold): (fold.n_train, len(fold.rows)) for fold in record.folds}
    additive = {projected.cell: projected for projected in record.additive}
    by_cell = []
    for name, probes in _by_cell(record.probes).items():
        table: dict[_Condition, Mapping[FoldKey, float]] = {
            (probe.change, probe.modalities, probe.share): dict(probe.scores) for probe in probes
        }
        if ("missing", ("image", "text"), 1.0) in table:
            by_cell.append(_contribution(name, table, additive.get(name), sign, sizes))
    return tuple(by_cell)


def _contribution(
    name: str,
    table: Mapping[_Condition, Mapping[FoldKey, float]],
    additive: AdditiveRecord | None,
    sign: float,
    sizes: Mapping[FoldKey, tuple[int, int]],
) -> Contribution:
    whole = table["none", (), 0.0]
    both = _mean(whole)
    image, text = (_mean(table["missing", (other,), 1.0]) for other in ("text", "image"))
    none = _mean(table["missing", ("image", "text"), 1.0])
    permuted = []
    for modality in ("image", "text"):
        altered = table["swapped", (modality,), 1.0].items()
        falls = [(key, sign * (whole[key] - score)) for key, score in altered]
        permuted.append(_interval(falls, sizes))
    interaction = (
        _interval([(key, sign * gain) for key, gain in additive.gains], sizes) if additive else None
    )
    return Contribution(
        name,
        both,
        image,
        text,
        none,
        sign * ((image - none) + (both - text)) / 2,
        sign * ((text - none) + (both - image)) / 2,
        permuted[0],
        permuted[1],
        additive,
        interaction,
    )


def _interval(
    gains: Iterable[tuple[FoldKey, float]], sizes: Mapping[FoldKey, tuple[int, int]]
) -> Interval:
    known = [(key, gain) for key, gain in gains if isfinite(gain)]
    if not known:
        return Interval(float("nan"), None, None, 0)
    return corrected_resampled_interval(
        [gain for _, gain in known],
        [sizes[key][0] for key, _ in known],
        [sizes[key][1] for key, _ in known],
    )


def _mean(scores: Mapping[FoldKey, float]) -> float:
    known = [score for score in scores.values() if isfinite(score)]
    return fmean(known) if known else float("nan")


def _by_cell(probes: Iterable[ProbeRecord]) -> dict[str, list[ProbeRecord]]:
    by_cell: dict[str, list[ProbeRecord]] = {}
    for probe in probes:
        by_cell.setdefault(probe.cell, []).append(probe)
    return by_cell
