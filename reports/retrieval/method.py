"""How the figures of retrieval came about: enough to judge them, and to make them again."""

from __future__ import annotations

from dataclasses import dataclass

from reports.fold_record import FailureRecord
from reports.retrieval.answer import answer_of
from reports.retrieval_record import RetrievalRecord
from reports.section import Section
from reports.wording import metric_label
from reports.work_record import StageRecord, StepRecord


@dataclass(frozen=True)
class MethodFacts:
    """What was done; `units` is what intervals draw: pictures, or groups by their column."""

    split: str
    seed: int
    metric: str
    units: str
    folds: int
    data: tuple[tuple[str, str], ...]
    fingerprint: str
    command: str
    grid: str
    versions: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    dropped: tuple[str, ...]
    failures: tuple[FailureRecord, ...]
    steps: tuple[StepRecord, ...]
    stages: tuple[StageRecord, ...]
    machines: tuple[str, ...]


def facts(record: RetrievalRecord) -> MethodFacts:
    """Everything the record says about how the run was made."""
    grouped = record.group_name not in (None, "image")
    return MethodFacts(
        record.split,
        record.seed,
        metric_label(record.metric),
        f"groups ({record.group_name})" if grouped else "pictures",
        answer_of(record).folds,
        tuple((str(name), str(value)) for name, value in record.data.items()),
        record.fingerprint,
        record.command,
        record.grid,
        tuple(record.versions.items()),
        record.warnings,
        record.dropped,
        record.failures,
        record.steps,
        record.stages,
        record.machines,
    )


SECTION = Section("Method", facts)
