"""How much memory there is, and so how many processes may work side by side."""

from __future__ import annotations

from features.machine.cores import CONTAINER


def free() -> float:
    """Bytes that may be used now: of the machine, or of the container where it has less."""
    import psutil

    left = float(psutil.virtual_memory().available)
    try:
        most, used, kinds = (
            (CONTAINER / name).read_text()
            for name in ("memory.max", "memory.current", "memory.stat")
        )
    except OSError:  # no container, or another system
        return left
    # What was read from files, or written, stays in memory as long as nobody needs it for something
    # else.
    sizes = dict(line.split() for line in kinds.splitlines())
    cache = sum(float(sizes.get(name, 0)) for name in ("inactive_file", "active_file"))
    return left if most.strip() == "max" else min(left, float(most) - float(used) + cache)


def side_by_side_at_most(need: float, available: float, jobs: int) -> int:
    """Processes, up to `jobs`, for which memory is there; 0 where not even for a single one."""
    return min(jobs, int(available // max(need, 1.0)))
