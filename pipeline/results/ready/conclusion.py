"""What a run says once its report is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Conclusion:
    """Lines for a terminal.

    Parameters
    ----------
    alarms, warnings, failures : one each; warnings without those that were said before.
    closing : the answer, how steady it is, and the best cells.
    """

    alarms: tuple[str, ...]
    warnings: tuple[str, ...]
    failures: tuple[str, ...]
    closing: tuple[str, ...]

    def say(self, say: Callable[[str], object]) -> None:
        """Say what the report holds that must not be missed."""
        for line in (*self.alarms, *self.warnings, *self.failures):
            say(line)

    def say_worst(self, say: Callable[[str], object]) -> None:
        """Say alarms and failures alone."""
        for line in (*self.alarms, *self.failures):
            say(line)
