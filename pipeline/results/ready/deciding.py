"""Everything that decides what a report says, as the key under which it is known to be ready."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any

from pipeline.config.plugins.active import versions as plugin_versions
from pipeline.plan.assignment import Assignment
from pipeline.plan.comparison import Comparison
from pipeline.plan.plan import Plan, make_plan
from pipeline.plan.versions import code_versions, package_versions
from pipeline.results.lock import lock_text
from pipeline.results.origin import origin_json
from pipeline.store.keys import Ingredients
from pipeline.tasks.combination import Combination
from pipeline.tasks.unit import Unit
from reports.analysis.checks import Check


def deciding(
    assignment: Assignment, comparison: Comparison, before: Sequence[Check]
) -> Ingredients | None:
    """The ingredients of a report; None where plugins take part, whose parts may look at anything.

    Of the results they have the keys on the first fold alone. What these say of encoders, models,
    metrics and procedures is the same on every fold; what they say of its rows, rows and folds have
    digests for. To describe all results takes 25 times as long: .2 of the second that a cached run
    of the default grid takes (benchmarks.start).

    Parameters
    ----------
    before : the checks that were made before the first fit.
    """
    first = comparison.of(comparison.cells, comparison.folds[:1], comparison.progress)
    plan = None if plugin_versions() else make_plan(first)
    if plan is None or plan.failures:
        return None
    grid, dataset = comparison.grid, comparison.dataset
    return {
        "kind": "report",
        **code_versions(),
        "grid": lock_text(grid, package_versions(), dataset.fingerprint),
        "command": assignment.command,
        "origin": origin_json(assignment.grid_file, comparison.store.address, assignment.folder),
        "rows": dataset.digest,
        "folds": comparison.context.key,
        "results": list(_results(plan)),
        "checks": list(map(asdict, before)),
    }


def _results(plan: Plan) -> Iterator[list[Any]]:
    for piece in chain[Unit | Combination](plan.units, plan.combinations):
        yield [piece.cell.name, piece.key]
