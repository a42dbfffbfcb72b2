"""Durations and sizes as a reader sees them, in reports and in the terminal."""

from __future__ import annotations

import time
from math import isfinite

from reports.wording import NONE

GIGABYTE = 2**30


def duration(seconds: float) -> str:
    """Seconds in the unit a reader would choose."""
    if not isfinite(seconds):
        return NONE
    if seconds < 0.0005:
        return "0 s"
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 100 else f"{seconds / 3600:.1f} h"


def size(number: float) -> str:
    """Bytes in the unit a reader would choose (1 MB is a million bytes)."""
    if not isfinite(number):
        return NONE
    for unit, power in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= 0.9995 * power:
            digits = 0 if number >= 99.5 * power else 1
            return f"{number / power:.{digits}f} {unit}"
    return f"{number:.0f} B"


def rough_size(number: float) -> str:
    """Bytes for a column of many sizes: whole numbers, and one decimal from a gigabyte on."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def gigabytes(number: float) -> str:
    """Bytes of memory in gigabytes of 2**30 bytes, as memory is sold and reported."""
    return f"{number / GIGABYTE:.1f} GB"


def rough_duration(seconds: float) -> str:
    """Seconds as an estimate has them: whole seconds or minutes, hours with one decimal."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def elapsed(seconds: float) -> str:
    """Seconds since something began: whole seconds, minutes and seconds, or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{seconds / 3600:.1f} h"


def moment(seconds: float) -> str:
    """Seconds since 1970 as a clock on the wall shows them."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
