"""What a time limit left out, in the record and in the lock file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from pipeline.plan.reached import Reached
from reports.record import ScoredRecord
from reports.retrieval_record import RetrievalRecord
from reports.sentences.not_chosen import some
from reports.sentences.unreached import all_unreached
from reports.unreached_record import UnreachedRecord
from reports.wording import first_listed

Record = TypeVar("Record", ScoredRecord, RetrievalRecord)


def follow_ups(
    whole: Reached,
    unchosen: Sequence[str],
    attending: Sequence[str],
    altered: Sequence[str],
    shares: Sequence[float],
) -> UnreachedRecord | None:
    """What was not reached, with what was not asked afterwards; None where all is there.

    Parameters
    ----------
    unchosen : cells that were not fitted on the inner folds that cells are chosen on.
    attending, altered : cells that were not asked what they attend to, and about altered rows.
    shares : points of the learning curve.
    """
    named = tuple(_named(unchosen, attending, altered, shares))
    limit = whole.comparison.limit
    if limit is None or not named:
        return whole.unreached
    repeats = len({fold.repeat for fold in whole.comparison.folds})
    unreached = whole.unreached or UnreachedRecord(limit.text, repeats, repeats)
    return replace(unreached, follow_ups=named)


def _named(
    unchosen: Sequence[str],
    attending: Sequence[str],
    altered: Sequence[str],
    shares: Sequence[float],
) -> Iterator[str]:
    if unchosen:
        yield f"the inner folds that cells are chosen on, of {some(unchosen)}"
    if attending:
        yield f"what {some(attending)} attended to"
    if altered:
        yield f"altered rows of {some(altered)}"
    if shares:
        of_labels = first_listed([f"{share:.4g}" for share in shares], len(shares))
        yield f"the learning curve with {of_labels} of the labels"


def with_unreached(record: Record, unreached: UnreachedRecord | None) -> Record:
    """The record with what was not reached, which its lock file says too."""
    if unreached is None:
        return record
    line = " ".join(all_unreached(unreached).split())
    return replace(record, unreached=unreached, grid=f"{record.grid}# {line}\n")
