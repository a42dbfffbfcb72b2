"""Fits as tasks: which ones a process takes together, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from models.fusion import Fusion, solves_jointly
from pipeline.plan.needs import Needs
from pipeline.tasks.fit import FitTask
from pipeline.tasks.unit import Unit


def fit_tasks(
    units: Sequence[Unit],
    context: str,
    needs: Needs,
    slots: int,
    task: type[FitTask] = FitTask,
) -> list[FitTask]:
    """A task for each unit; those that one process takes together stand side by side.

    Parameters
    ----------
    context : key of the Context that holds their folds.
    slots : processes side by side.
    task : what is done on each fold.
    """
    return [
        task(
            unit.without_rows(), context, bool(unit.fold.inner), needs.of(unit), together,
            float(unit.fitted_rows),
        )
        for unit, together in side_by_side(units, slots, needs.work)
    ]


def side_by_side(
    units: Sequence[Unit], slots: int, work: Callable[[Unit], float]
) -> Iterator[tuple[Unit, int | None]]:
    """The units in the order of their tasks, each with what its task says of `together`.

    Parameters
    ----------
    slots, work : see `tasks_of`.
    """
    for number, positions in enumerate(tasks_of(units, slots, work)):
        together = number if len(positions) > 1 else None
        for position in positions:
            yield units[position], together


def tasks_of(units: Sequence[Unit], jobs: int, work: Callable[[Unit], float]) -> list[list[int]]:
    """Positions of the units in tasks: together what shares its work on the same pictures.

    That is what solves jointly, and what reduces the same regions.

    Tasks of several units go first, the largest before the others. One that is larger than each
    process's share of what comes after it is taken apart, so that all processes end at about the
    same time.

    Parameters
    ----------
    jobs : processes that take the tasks, one after the other.
    work : how much there is to do for a unit, in any measure.
    """
    groups = _groups(units)
    sizes = [sum(work(units[position]) for position in group) for group in groups]
    by_size = {
        number: -size if len(group) > 1 else 0.0
        for number, (group, size) in enumerate(zip(groups, sizes, strict=True))
    }
    left, tasks = sum(sizes), list[list[int]]()
    for number in sorted(by_size, key=lambda number: by_size[number]):
        group, size = groups[number], sizes[number]
        left -= size
        tasks += [[position] for position in group] if size > left / jobs else [group]
    return tasks


def _groups(units: Sequence[Unit]) -> list[list[int]]:
    """Units that one process may take together, fold after fold.

    Those of texts alone go with the first pictures of their fold.
    """
    folds = [(unit.fold.repeat, unit.fold.fold) for unit in units]
    pictures = [[form.key for form in unit.features.get("image", ())][:1] for unit in units]
    first = dict[object, list[str]]()
    for fold, of_unit in zip(folds, pictures, strict=True):
        if of_unit:
            first.setdefault(fold, of_unit)
    groups: dict[object, list[int]] = {}
    for position in sorted(range(len(units)), key=lambda position: folds[position]):
        fold = folds[position]
        shared = _shared_work(units[position].estimator)
        shown = pictures[position] or first.get(fold, [])
        group = position if shared is None else (shared, *fold, *shown)
        groups.setdefault(group, []).append(position)
    return list(groups.values())


def _shared_work(estimator: Fusion) -> str | None:
    """What fits of a fold do once for all of them that have the same pictures."""
    if solves_jointly(estimator):
        return "solving"
    return "reducing" if estimator.needs.get("image") == "sequence" else None
