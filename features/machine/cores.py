"""How many processor cores are there for this process."""

from __future__ import annotations

import os
from pathlib import Path

CONTAINER = Path("/sys/fs/cgroup")


def cores() -> int:
    """Cores that the system lets this process run on (taskset, SLURM), at least 1.

    No more than its container's quota. joblib.cpu_count tells the same, after an import that a run
    whose results are all stored has no use for.
    """
    allowed = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        quota, period = (CONTAINER / "cpu.max").read_text(encoding="utf-8").split()
    except (OSError, ValueError):  # no container, or another system
        return allowed
    return allowed if quota == "max" else max(1, min(allowed, -(-int(quota) // int(period))))
