"""What the run spent, and what it did not have to compute again."""

from __future__ import annotations

from dataclasses import dataclass

from reports.record import RunRecord, StageRecord
from reports.section import Section


@dataclass(frozen=True)
class CostFacts:
    """Time of this run.

    Parameters
    ----------
    stages : in the order they ran.
    seconds, saved_seconds : sums over stages.
    computed, reused : results of cells on folds, by whether this run computed them.
    """

    stages: tuple[StageRecord, ...]
    seconds: float
    saved_seconds: float
    computed: int
    reused: int

    def share(self, stage: StageRecord) -> float:
        """The stage's part of the run's time, 0 to 1."""
        return stage.seconds / self.seconds if self.seconds else 0.0


def facts(record: RunRecord) -> CostFacts | None:
    """Sums over stages; None if no stage was recorded."""
    if not record.stages:
        return None
    reused = sum(entry.reused for entry in record.folds)
    return CostFacts(
        tuple(record.stages), sum(stage.seconds for stage in record.stages),
        sum(stage.saved_seconds for stage in record.stages), len(record.folds) - reused, reused)


SECTION = Section("Cost", facts)
