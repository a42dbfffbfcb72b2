"""What a time limit left out, in the record and in the lock file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from pipeline.plan.reached import Reached
from reports.record import ScoredRecord
from reports.retrieval_record import RetrievalRecord
from reports.sentences.not_chosen import some
from reports.sentences.unreached import all_unreached
from reports.unreached_record import UnreachedRecord
from reports.wording import listed

Record = TypeVar("Record", ScoredRecord, RetrievalRecord)


@dataclass(frozen=True)
class Unasked:
    """What was not asked once all was scored, for want of time.

    Parameters
    ----------
    unchosen : cells that were not fitted on the inner folds that cells are chosen on.
    uncompared : cells whose rows were not looked for among those of the same class.
    attending, altered : cells that were not asked what they attend to, and about altered rows.
    shares : points of the learning curve.
    """

    unchosen: Sequence[str] = ()
    uncompared: Sequence[str] = ()
    attending: Sequence[str] = ()
    altered: Sequence[str] = ()
    shares: Sequence[float] = ()

    def sentences(self) -> Iterator[str]:
        """Each piece in words."""
        if self.unchosen:
            yield f"the inner folds that cells are chosen on, of {some(self.unchosen)}"
        if self.uncompared:
            yield f"hits of the same class of {some(self.uncompared)}"
        if self.attending:
            yield f"what {some(self.attending)} attended to"
        if self.altered:
            yield f"altered rows of {some(self.altered)}"
        if self.shares:
            of_labels = listed([f"{share:.4g}" for share in self.shares])
            yield f"the learning curve with {of_labels} of the labels"


def follow_ups(whole: Reached, unasked: Unasked) -> UnreachedRecord | None:
    """What was not reached, with what was not asked afterwards; None where all is there."""
    named = tuple(unasked.sentences())
    limit = whole.comparison.limit
    if limit is None or not named:
        return whole.unreached
    repeats = len({fold.repeat for fold in whole.comparison.folds})
    unreached = whole.unreached or UnreachedRecord(limit.text, repeats, repeats)
    return replace(unreached, follow_ups=named)


def with_unreached(record: Record, unreached: UnreachedRecord | None) -> Record:
    """The record with what was not reached, which its lock file says too."""
    if unreached is None:
        return record
    line = " ".join(all_unreached(unreached).split())
    return replace(record, unreached=unreached, grid=f"{record.grid}# {line}\n")
