"""Time limits without a clock: so many tasks may be computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.engine.task import Batch, Task


@dataclass
class Counted:
    """Allows work until so many tasks have been computed; what runs then may end."""

    tasks: int
    text: str = "10m"
    computed: int = 0

    @property
    def for_work(self) -> float:
        """Seconds that --plan reckons with."""
        return float(self.tasks)

    def allows(self, batch: Batch) -> bool:
        return self.computed < self.tasks

    def took(self, task: Task, seconds: float) -> None:
        self.computed += 1

    def patience(self) -> None:
        return None


def count_tasks(patch: Any, tasks: int) -> list[Counted]:
    """Let every time limit of a run be one of so many tasks; those that were made."""
    made: list[Counted] = []

    def counted(text: str, begun: float | None = None) -> Counted:
        made.append(Counted(tasks, text))
        return made[-1]

    patch.setattr("pipeline.run.TimeLimit", counted)
    return made


class Impatient(Counted):
    """Leaves what runs as soon as something does."""

    def patience(self) -> float:
        return 0.0
