"""What this machine is, in words: what a duration was measured on."""

from __future__ import annotations

import platform
import re
from collections import Counter
from functools import cache
from pathlib import Path

from features.machine.cores import cores
from features.machine.precision import DRIVER

_MODEL = re.compile(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", re.MULTILINE)


@cache
def hardware() -> str:
    """Cores, processor, memory and GPUs, as in "16 cores of Intel Xeon, 125.8 GB of memory".

    What cannot be told is left out. The cores are those this process may use.
    """
    import psutil  # for who writes to a store alone

    number = cores()
    of_processor = f" of {processor}" if (processor := _processor()) else ""
    memory = psutil.virtual_memory().total / 2**30
    parts = [
        f"{number} {'core' if number == 1 else 'cores'}{of_processor}",
        f"{memory:.1f} GB of memory",
        *_gpus(),
    ]
    return ", ".join(parts)


def _processor() -> str:
    models = _MODEL.findall(_text(Path("/proc/cpuinfo")))
    return _tidy(models[0] if models else platform.processor() or platform.machine())


def _gpus() -> list[str]:
    """The GPUs that NVIDIA's driver tells of, as in "2 x NVIDIA H100"."""
    texts = map(_text, sorted(DRIVER.glob("gpus/*/information")))
    models = Counter(_tidy(line[1]) for line in map(_MODEL.search, texts) if line)
    return [model if number == 1 else f"{number} x {model}" for model, number in models.items()]


def _tidy(text: str) -> str:
    """Without marks of trade and doubled spaces."""
    return " ".join(re.sub(r"\((?:R|TM)\)|\bCPU\b", " ", text).split())[:80]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
