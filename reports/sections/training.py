"""How the networks were trained: epochs, early stopping, and the best one's course."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from reports.analysis.ranking import rank_cells
from reports.charts.drawing import Curve, curves
from reports.record import FoldRecord, RunRecord
from reports.section import Chart, Section
from reports.wording import clean, figure


@dataclass(frozen=True)
class Trained:
    """One cell's trainings on the outer folds.

    Parameters
    ----------
    kept : mean, least and most of the epochs whose weights were kept.
    limited : of the `folds` trainings, how many kept their last epoch: only the limit of epochs
        ended them.
    most : that limit; None where none was limited.
    held_out : mean over folds of the least held-out loss; None where no rows were held out.
    """

    cell: str
    folds: int
    kept: tuple[float, int, int]
    limited: int
    most: int | None
    held_out: float | None


@dataclass(frozen=True)
class TrainingFacts:
    """All networks; and of `drawn`, the best of them, the losses of each epoch on its first fold."""

    cells: tuple[Trained, ...]
    drawn: str
    fitted: tuple[float, ...]
    held_out: tuple[float, ...]


def facts(record: RunRecord) -> TrainingFacts | None:
    """Every cell whose results have a course of training, in the order of the leaderboard; None without any."""
    ranking = rank_cells(record)
    order = [standing.cell.name for standing in ranking.ranked()]
    courses: dict[str, list[FoldRecord]] = {}
    for one in record.folds:
        if one.training is not None and one.cell in order:
            courses.setdefault(one.cell, []).append(one)
    if not courses:
        return None
    names = sorted(courses, key=order.index)
    first = courses[names[0]][0].training or {}
    return TrainingFacts(tuple(_trained(name, courses[name]) for name in names), names[0],
                         tuple(first["fitted"]), tuple(first["held_out"]))


def _trained(name: str, folds: list[FoldRecord]) -> Trained:
    found = [one.training for one in folds if one.training is not None]
    kept = [int(one["kept"]) for one in found]
    losses = [min(one["held_out"]) for one in found if one["held_out"]]
    limits = [
        epochs for epochs, one in zip(kept, found, strict=True) if epochs == len(one["fitted"])
    ]
    return Trained(
        name,
        len(found),
        (fmean(kept), min(kept), max(kept)),
        len(limits),
        max(limits, default=None),
        fmean(losses) if losses else None,
    )


def charts(found: TrainingFacts) -> dict[str, Chart]:
    """Loss of each epoch, on the rows trained on and on those held out."""
    both = (("trained on", "baseline", found.fitted), ("held out", "fusion", found.held_out))
    lines = [Curve(name, kind, [(epoch + 1, loss, None, None) for epoch, loss in enumerate(losses)])
             for name, kind, losses in both if losses]
    ends = "; ".join(
        f"{line.name}: {figure(line.points[0][1])} to {figure(line.points[-1][1])}"
        for line in lines
    )
    label = (
        f"Loss of {clean(found.drawn)} over {len(found.fitted)} epochs of its first fold; {ends}."
    )
    caption = ("Mean loss of each epoch, with dropout on the rows trained on; the weights of the least held-out loss "
               "are kept.")
    return {"training": Chart(curves(lines, "epoch", "loss"), label, caption)}


SECTION = Section("How the networks were trained", facts, charts)
