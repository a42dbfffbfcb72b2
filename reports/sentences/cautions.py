"""What a reader of the verdict must keep in mind, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from reports.analysis.contrasts import Contrasts
from reports.analysis.optimism import Optimism
from reports.analysis.ranking import Ranking
from reports.record import RunRecord
from reports.wording import count, figure, listed, metric_label, quoted


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
    partial = [
        standing
        for standing in ranking.standings
        if not standing.complete and standing.cell.name not in failed
    ]
    if partial:
        names = listed(quoted(standing.cell.name) for standing in partial[:3])
        yield (
            f"{count(len(partial), 'cell')} without a score on every fold {_is(len(partial))} not "
            f"ranked: {names}{' and others' if partial[3:] else ''}."
        )
    yield from declared.limits
    yield from _optimism(ranking, winner)
    if record.dropped:
        rows = count(len(record.dropped), "row was", "rows were")
        yield f"{rows} left out of the run: see Method."
    if record.warnings:
        warnings = count(len(record.warnings), "warning")
        yield f"{warnings} about the data or the method: see Method."


def _optimism(ranking: Ranking, winner: Optimism | None) -> Iterator[str]:
    """The winner's score owes something to its being picked by it."""
    compared = len(ranking.ranked("image", "text", "fusion"))
    if compared < 2:
        return
    sign = 1 if ranking.metric.greater_is_better else -1
    much = ""
    shown = winner is not None and figure(winner.optimistic) != figure(winner.corrected)
    if winner is not None and shown and sign * (winner.optimistic - winner.corrected) > 0:
        much = (
            " Corrected for the choice (bootstrap bias correction) the pooled "
            f"{metric_label(ranking.metric.name)} of the winner is {figure(winner.corrected)} "
            f"instead of {figure(winner.optimistic)}; it wins in {100 * winner.wins:.0f} % of the "
            "resamples."
        )
    yield (
        f"The winner was picked out of {compared} cells by the same folds that score it, so its "
        f"score and its lead are somewhat optimistic.{much} Confirm it on items that played no "
        "part here."
    )


def _is(number: int) -> str:
    return "is" if number == 1 else "are"
