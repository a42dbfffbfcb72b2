"""How often, and by how much, a fusion loses to the better one of its halves.

Run by hand: ``python -m benchmarks.halves GRID [GRID ...] [--store FOLDER] [--shares .01 .1 1]
[--cells PATTERN] [--over FUSION] [--scores FILE] [--before FILE]``. Every cell with both
modalities is held against the single-modality cells of its classifier (of any, where it takes
none) that use none but its encoders: against the one that inner folds choose on each outer fold
("chosen"), which is what somebody would have used in its place, and against the one that is best
on the outer folds, which is known only afterwards ("best"). Printed are, for each cell, the mean
differences in the grid's metric over the same outer folds with the corrected 95 % interval, the
folds lost, and that of the log loss (below 0: the fusion's is lower); then, by fusion, how many
cells lose, how many clearly (the interval is below 0), and by how much at worst.

Features and results come from the store, or go there. With --shares, the training rows of each
fold keep that share of their labels, as in a learning curve. --scores writes all scores as JSON,
--before prints, too, what each cell gained on those of such a file; --over, what each gained on the
cell of the same encoders with another fusion, such as "late(product)".
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np

from models import FUSIONS
from pipeline.config.cells import Cell
from pipeline.config.components import Component, Encoders, members_of
from pipeline.config.parse import read_grid
from pipeline.engine.processes import Processes
from pipeline.engine.progress import progress
from pipeline.folds.few_labels import few_labels
from pipeline.followup.learning_curve import _OfWholeFolds
from pipeline.metrics import METRICS
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import encoded, run_plan
from pipeline.plan.load import load
from pipeline.plan.plan import Plan, make_plan
from pipeline.results.inner_scores import with_inner_scores
from pipeline.results.record import scored_record
from pipeline.results.scores import Scores
from pipeline.store.opening import DEFAULT_STORE, store_at
from pipeline.tasks.unit import Requests
from reports.analysis.statistics import Interval, corrected_resampled_interval
from reports.fold_record import FoldRecord

Written = dict[str, dict[str, list[list[float]]]]  # grid -> cell -> folds of metric and log loss


@dataclass(frozen=True, eq=False)
class Scored:
    """A grid's cells on its outer folds.

    Parameters
    ----------
    name : of the grid, and the share of the labels.
    folds : of each cell, in the same order.
    inner : what halves score on inner folds, by cell, repeat and fold.
    rows : of the data set.
    """

    name: str
    cells: tuple[Cell, ...]
    metric: str
    folds: Mapping[Cell, Sequence[FoldRecord]]
    inner: Mapping[tuple[str, int, int], float]
    rows: int


@dataclass(frozen=True)
class Row:
    """A fusion against its halves.

    Parameters
    ----------
    chosen, best : gain over the half that inner folds choose, and that is best afterwards.
    log_loss : its log loss less that of the half which is best afterwards.
    lost : folds that it loses to the latter.
    """

    grid: str
    cell: Cell
    chosen: Interval
    best: Interval
    log_loss: Interval
    lost: int


def scored(path: Path, store: str, share: float, pattern: str) -> Scored:
    """All cells of a grid, fitted or found in the store."""
    grid = read_grid(path)
    if not METRICS[grid.metric].greater_is_better:
        raise SystemExit(f"{path}: the metric must be one of which more is better")
    whole = load(grid, store_at(store), Processes(1), progress)
    asked = [cell for cell in whole.cells if is_half(cell) or re.search(pattern, cell.name)]
    parts = itertools.chain.from_iterable(cell.parts for cell in asked)
    whole = whole.of(list(dict.fromkeys([*parts, *asked])), whole.folds, progress)
    comparison, requests = whole, None
    if share < 1:
        folds = [few_labels(fold, share, grid, whole.dataset) for fold in whole.folds]
        comparison = whole.of(whole.cells, folds, progress)
        encoded(make_plan(whole).features.values(), whole)
        requests = _OfWholeFolds(make_plan(whole), comparison)
    of_cells = _scored_cells(comparison, requests)[0]
    name = grid.name if share == 1 else f"{grid.name}, {share:.0%} of the labels"
    inner = _inner_scores(comparison, requests)
    return Scored(name, comparison.cells, grid.metric, of_cells, inner, len(whole.dataset))


def _scored_cells(
    comparison: Comparison, requests: Requests | None
) -> tuple[dict[Cell, Sequence[FoldRecord]], Scores, Plan]:
    """All cells of a comparison on its folds."""
    plan = make_plan(comparison, requests)
    made = Scores(plan, run_plan(plan, comparison), comparison)
    if made.failures:
        raise SystemExit(made.failures[0].traceback)
    return {cell: made.ordered([cell]) for cell in comparison.cells}, made, plan


def _inner_scores(
    comparison: Comparison, requests: Requests | None
) -> dict[tuple[str, int, int], float]:
    """What halves score on the inner folds, by cell, repeat and fold."""
    cells = [cell for cell in comparison.cells if is_half(cell)]
    of_halves = comparison.of(cells, comparison.folds, progress)
    _, made, plan = _scored_cells(of_halves, requests)
    record = with_inner_scores(scored_record(of_halves, made, ""), made, plan, of_halves).record
    return {
        (fold.cell, fold.repeat, fold.fold): fold.inner_score
        for fold in record.folds
        if fold.inner_score is not None
    }


def is_half(cell: Cell) -> bool:
    """Whether it classifies by one modality."""
    return cell.fusion.name in ("image_only", "text_only")


def halves(cell: Cell, cells: Sequence[Cell]) -> list[Cell]:
    """Single-modality cells that use none but its encoders, and its classifier."""
    combined = cell.parts or (cell,)
    of_image = set[Component]().union(*(_members(part.image) for part in combined))
    of_text = set[Component]().union(*(_members(part.text) for part in combined))
    takes_classifier = cell.classifier is not None
    return [
        half
        for half in cells
        if is_half(half)
        and _members(half.image) <= of_image
        and _members(half.text) <= of_text
        and (half.classifier == cell.classifier or not takes_classifier)
    ]


def _members(encoders: Encoders | None) -> set[Component]:
    return set() if encoders is None else set(members_of(encoders))


def rows_of(run: Scored) -> list[Row]:
    """Every cell with both modalities against its halves."""
    return [
        _row(run, cell, of_cell)
        for cell in run.cells
        if not is_half(cell)
        and set(FUSIONS[cell.fusion.name].needs) == {"image", "text"}
        and (of_cell := halves(cell, run.cells))
    ]


def _row(run: Scored, cell: Cell, of_cell: Sequence[Cell]) -> Row:
    folds = run.folds[cell]
    best = run.folds[max(of_cell, key=lambda half: _mean(run.folds[half], run.metric))]
    by_fold = zip(*(run.folds[half] for half in of_cell), strict=True)
    chosen = [max(of_fold, key=partial(_inner_score, run)) for of_fold in by_fold]
    gains = gained(folds, best, run.metric)
    return Row(
        run.name,
        cell,
        interval(gained(folds, chosen, run.metric), run),
        interval(gains, run),
        interval(gained(folds, best, "log_loss"), run),
        sum(gain < 0 for gain in gains),
    )


def _inner_score(run: Scored, fold: FoldRecord) -> float:
    return run.inner.get((fold.cell, fold.repeat, fold.fold), -np.inf)


def _mean(folds: Sequence[FoldRecord], metric: str) -> float:
    return fmean(fold.scores[metric] for fold in folds)


def gained(
    folds: Sequence[FoldRecord], others: Sequence[FoldRecord], metric: str
) -> list[float]:
    """Difference of the scores on each fold."""
    pairs = zip(folds, others, strict=True)
    return [fold.scores[metric] - other.scores[metric] for fold, other in pairs]


def interval(differences: Sequence[float], run: Scored) -> Interval:
    """Mean difference over the folds with the corrected interval.

    Training sets that overlap are what it is corrected for: folds of which few rows keep a label
    share no more of these than whole ones do, whose sizes count.
    """
    n_test = [len(fold.rows) for fold in next(iter(run.folds.values()))]
    return corrected_resampled_interval(differences, [run.rows - n for n in n_test], n_test)


def text_of(given: Interval) -> str:
    """Mean and interval."""
    return f"{given.mean:+.3f} ({given.low:+.3f} to {given.high:+.3f})"


def print_cells(rows: Sequence[Row]) -> None:
    """A line for each cell."""
    print("\n| grid | cell | over the chosen half | over the best half | folds lost | log loss |")
    print("|:--|:--|--:|--:|--:|--:|")
    for row in rows:
        numbers = (text_of(row.chosen), text_of(row.best), f"{row.lost} of {row.best.folds}")
        cells = (row.grid, row.cell.name, *numbers, text_of(row.log_loss))
        print(f"| {' | '.join(cells)} |")


def print_fusions(rows: Sequence[Row]) -> None:
    """A line for each fusion: how often it loses, and by how much."""
    by_fusion: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_fusion[row.cell.fusion.label].append(row)
    print("\n| fusion | cells | lose to the best half | clearly | at worst | mean | folds lost "
          "| lose to the chosen half | at worst | log loss, mean | at worst |")
    print("|:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for fusion, of_fusion in by_fusion.items():
        best = [row.best for row in of_fusion]
        chosen = [row.chosen.mean for row in of_fusion]
        losses = [row.log_loss.mean for row in of_fusion]
        means = [given.mean for given in best]
        print(
            f"| {fusion} | {len(of_fusion)} | {sum(mean < 0 for mean in means)} "
            f"| {sum(given.direction == -1 for given in best)} | {min(means):+.3f} "
            f"| {fmean(means):+.3f} "
            f"| {sum(row.lost for row in of_fusion)} of {sum(given.folds for given in best)} "
            f"| {sum(gain < 0 for gain in chosen)} | {min(chosen):+.3f} "
            f"| {fmean(losses):+.3f} | {max(losses):+.3f} |"
        )


def written(runs: Sequence[Scored]) -> Written:
    """Scores as they are written."""
    return {run.name: {cell.name: _pairs(run, cell) for cell in run.cells} for run in runs}


def _pairs(run: Scored, cell: Cell) -> list[list[float]]:
    """Metric and log loss of a cell on each fold."""
    return [[fold.scores[run.metric], fold.scores["log_loss"]] for fold in run.folds[cell]]


def print_gains(runs: Sequence[Scored], before: Written) -> None:
    """What each cell gained on what was written of it, where its scores are others now."""
    print("\n| grid | cell | gained on before | folds better | log loss |\n|:--|:--|--:|--:|--:|")
    for run in runs:
        for cell in run.cells:
            now = _pairs(run, cell)
            then = before.get(run.name, {}).get(cell.name, now)
            if now == then:
                continue
            gains, losses = (np.array(now) - np.array(then)).T.tolist()
            print(
                f"| {run.name} | {cell.name} | {text_of(interval(gains, run))} "
                f"| {sum(gain > 0 for gain in gains)} of {len(gains)} "
                f"| {text_of(interval(losses, run))} |"
            )


def print_over(runs: Sequence[Scored], label: str) -> None:
    """What each cell gained on the cell of the same encoders with a fusion.

    And of the same classifier, where both take one.
    """
    print(f"\n| grid | cell | score | over {label} | folds better | log loss | over {label} |")
    print("|:--|:--|--:|--:|--:|--:|--:|")
    for run in runs:
        others = [cell for cell in run.cells if cell.fusion.label == label]
        for cell, other in itertools.product(run.cells, others):
            if cell is other or not _same_but_fusion(cell, other):
                continue
            folds = run.folds[cell]
            gains = gained(folds, run.folds[other], run.metric)
            losses = gained(folds, run.folds[other], "log_loss")
            print(
                f"| {run.name} | {cell.name} | {_mean(folds, run.metric):.3f} "
                f"| {text_of(interval(gains, run))} "
                f"| {sum(gain > 0 for gain in gains)} of {len(gains)} "
                f"| {_mean(folds, 'log_loss'):.3f} | {text_of(interval(losses, run))} |"
            )


def _same_but_fusion(cell: Cell, other: Cell) -> bool:
    classifiers = {cell.classifier, other.classifier} - {None}
    return (cell.image, cell.text) == (other.image, other.text) and len(classifiers) < 2


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("grids", type=Path, nargs="+")
    parser.add_argument("--store", default=DEFAULT_STORE)
    parser.add_argument("--shares", type=float, nargs="+", default=[1.0])
    parser.add_argument("--cells", default="", help="regular expression that names must hold")
    parser.add_argument("--scores", type=Path, help="write all scores to this file")
    parser.add_argument("--before", type=Path, help="a file of scores to compare with")
    parser.add_argument("--over", help="a fusion as it is called in cells: late(product)")
    asked = parser.parse_args()
    runs = [
        scored(path, asked.store, share, asked.cells)
        for path, share in itertools.product(asked.grids, asked.shares)
    ]
    rows = list(itertools.chain.from_iterable(map(rows_of, runs)))
    print_cells(rows)
    print_fusions(rows)
    if asked.scores:
        asked.scores.write_text(json.dumps(written(runs)), encoding="utf-8")
    if asked.over:
        print_over(runs, asked.over)
    if asked.before:
        print_gains(runs, json.loads(asked.before.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
