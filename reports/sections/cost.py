"""What the run spent, and what it did not have to compute again."""

from __future__ import annotations

from dataclasses import dataclass

from reports.record import RunRecord
from reports.section import Section
from reports.work_record import StageRecord, StepRecord, WorkerRecord


@dataclass(frozen=True)
class CostFacts:
    """Time of this run.

    Parameters
    ----------
    steps : in the order they ran, one after the other.
    stages : work that processes did side by side.
    seconds : sum over steps: what the run took.
    work_seconds : sum over stages, of what was computed and of what was reused, as it took when it
        was computed; `saved_seconds`, of the latter alone.
    machines : what the work was done on, now or in an earlier run; empty where nobody knows.
    workers : what workers of a cluster did, where there was one.
    computed, reused : results of cells on folds, by whether this run computed them.
    """

    steps: tuple[StepRecord, ...]
    stages: tuple[StageRecord, ...]
    seconds: float
    work_seconds: float
    saved_seconds: float
    computed: int
    reused: int
    workers: tuple[WorkerRecord, ...] = ()
    machines: tuple[str, ...] = ()

    def share(self, part: StepRecord | StageRecord) -> float:
        """A step's part of the run's time, or a stage's of the work, 0 to 1."""
        if isinstance(part, StepRecord):
            return part.seconds / self.seconds if self.seconds else 0.0
        return part.cost_seconds / self.work_seconds if self.work_seconds else 0.0


def facts(record: RunRecord) -> CostFacts | None:
    """Sums over steps and stages; None if no step was recorded."""
    if not record.steps:
        return None
    reused = sum(entry.reused for entry in record.folds)
    return CostFacts(
        record.steps,
        record.stages,
        sum(step.seconds for step in record.steps),
        sum(stage.cost_seconds for stage in record.stages),
        sum(stage.saved_seconds for stage in record.stages),
        len(record.folds) - reused,
        reused,
        record.workers,
        record.machines,
    )


SECTION = Section("Cost", facts)
