"""What a reader of the verdict must keep in mind, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from reports.analysis.contrasts import Contrasts
from reports.analysis.ranking import Ranking
from reports.answer.verdict import Verdict
from reports.record import RunRecord
from reports.retrieval_record import RetrievalRecord
from reports.sentences.decision import left_out
from reports.sentences.unreached import not_reached
from reports.wording import count, first_listed, listed, quoted, short

LONGEST = 300  # characters of a warning; all of it stands in Method


def cautions(
    record: RunRecord, ranking: Ranking, verdict: Verdict, declared: Contrasts
) -> Iterator[str]:
    """What a reader must keep in mind.

    In order: alarms, what was not reached, failures, few folds, what was not chosen from, rows left
    out, warnings that change what to conclude, how many others there are.
    """
    yield from record.alarms
    yield from not_reached(record.unreached)
    failed = sorted({failure.cell for failure in record.failures})
    if failed:
        names = first_listed([quoted(name) for name in failed], 3)
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
    yield from left_out(verdict)
    if record.dropped:
        rows = count(len(record.dropped), "row was", "rows were")
        yield f"{rows} left out of the run: see Method."
    yield from warned(record)


def warned(record: RunRecord | RetrievalRecord) -> Iterator[str]:
    """Warnings that change what one should conclude, and how many others there are."""
    yield from (short(doubt, LONGEST) for doubt in record.doubts)
    further = len(record.warnings) - len(record.doubts)
    if further:
        warnings = count(further, "further warning" if record.doubts else "warning")
        yield f"{warnings} about the data or the method: see Method."
    elif record.doubts:
        yield "What this rests on, and what helps: see the warnings in Method."


def _is(number: int) -> str:
    return "is" if number == 1 else "are"
