"""Everything that decides what a report says, as the key under which it is known to be ready."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from pipeline.config.plugins.active import versions as plugin_versions
from pipeline.plan.assignment import Assignment
from pipeline.plan.comparison import Comparison
from pipeline.plan.plan import Plan
from pipeline.plan.versions import code_versions, package_versions
from pipeline.results.lock import lock_text
from pipeline.results.origin import origin_json
from pipeline.store.keys import Ingredients, key_of
from pipeline.tasks.combination import Combination
from pipeline.tasks.unit import Unit
from reports.analysis.checks import Check


def deciding(
    assignment: Assignment, comparison: Comparison, plan: Plan, before: Sequence[Check]
) -> Ingredients | None:
    """The ingredients of a report; None where plugins take part, whose parts may look at anything.

    Parameters
    ----------
    before : the checks that were made before the first fit.
    """
    if plugin_versions() or plan.failures:
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
        "results": key_of({"results": list(_results(plan))}),
        "checks": [[check.sentence, check.severe] for check in before],
    }


def _results(plan: Plan) -> Iterator[list[Any]]:
    for piece in chain[Unit | Combination](plan.units, plan.combinations):
        yield [piece.cell.name, piece.fold.repeat, piece.fold.fold, piece.key]
