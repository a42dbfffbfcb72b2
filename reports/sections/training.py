"""How the networks were trained: epochs, early stopping, and the best one's course."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from reports.analysis.ranking import rank_cells
from reports.charts.curves import Curve, curves, legend
from reports.fold_record import FoldRecord
from reports.record import RunRecord
from reports.section import Chart, Section
from reports.wording import clean, count, figure


@dataclass(frozen=True)
class Trained:
    """One cell's trainings on the outer folds.

    Parameters
    ----------
    epochs : mean, least and most of the epochs whose weights were kept.
    limited : of the `folds` trainings, how many kept their last epoch: only the limit of epochs
        ended them.
    most : that limit; None where none was limited.
    held_out : mean over folds of the least held-out loss; None where no rows were held out.
    """

    cell: str
    folds: int
    epochs: tuple[float, int, int]
    limited: int
    most: int | None
    held_out: float | None


@dataclass(frozen=True)
class TrainingFacts:
    """All networks; and of `drawn`, the best, the losses of each epoch on its first fold."""

    cells: tuple[Trained, ...]
    drawn: str
    fitted: tuple[float, ...]
    held_out: tuple[float, ...]


def facts(record: RunRecord) -> TrainingFacts | None:
    """Every cell with courses of training, in the order of the leaderboard; None without any."""
    ranking = rank_cells(record)
    order = [standing.cell.name for standing in ranking.ranked()]
    courses: dict[str, list[FoldRecord]] = {}
    for fold in record.folds:
        if fold.training is not None and fold.cell in order:
            courses.setdefault(fold.cell, []).append(fold)
    if not courses:
        return None
    names = sorted(courses, key=order.index)
    first = courses[names[0]][0].training or {}
    return TrainingFacts(
        tuple(_trained(name, courses[name]) for name in names),
        names[0],
        tuple(first["fitted"]),
        tuple(first["held_out"]),
    )


def _trained(name: str, folds: list[FoldRecord]) -> Trained:
    courses = [fold.training for fold in folds if fold.training is not None]
    epochs = [int(course["kept"]) for course in courses]
    losses = [min(course["held_out"]) for course in courses if course["held_out"]]
    limits = [len(course["fitted"]) for course in courses if _limited(course)]
    return Trained(
        name,
        len(courses),
        (fmean(epochs), min(epochs), max(epochs)),
        len(limits),
        max(limits, default=None),
        fmean(losses) if losses else None,
    )


def _limited(course: Mapping[str, Any]) -> bool:
    """Whether the last epoch's weights were kept, so that only the limit ended the training."""
    return bool(int(course["kept"]) == len(course["fitted"]))


def charts(trained: TrainingFacts) -> dict[str, Chart]:
    """Loss of each epoch, on the rows trained on and on those held out."""
    losses = (("trained on", "baseline", trained.fitted), ("held out", "fusion", trained.held_out))
    lines = [_curve(name, kind, values) for name, kind, values in losses if values]
    ends = "; ".join(
        f"{line.name}: {figure(line.points[0][1])} to {figure(line.points[-1][1])}"
        for line in lines
    )
    label = (
        f"Loss of {clean(trained.drawn)} over {count(len(trained.fitted), 'epoch')} of its first "
        f"fold; {ends}."
    )
    caption = (
        "Mean loss of each epoch, with dropout on the rows trained on; the weights of the least "
        "held-out loss are kept."
    )
    return {"training": Chart(curves(lines, "epoch", "loss"), label, caption, legend(lines))}


def _curve(name: str, kind: str, losses: Sequence[float]) -> Curve:
    points = [(epoch, loss, None, None) for epoch, loss in enumerate(losses, start=1)]
    return Curve(name, kind, points)


def _gist(trained: TrainingFacts) -> str:
    """Whether any training should have gone on."""
    limited = sum(cell.limited for cell in trained.cells)
    folds = sum(cell.folds for cell in trained.cells)
    stopped = "all stopped by themselves" if not limited else f"{limited} ended at their limit"
    return f"{count(folds, 'training')} of {count(len(trained.cells), 'cell')}: {stopped}"


SECTION = Section("Training", facts, charts, collapsed=True, gist=_gist)
