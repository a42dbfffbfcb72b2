"""Which number format a network computes in here: bfloat16 where the processor or GPU has it natively."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from features.identity import versions
from features.recall import recall

Precision = Literal["auto", "float32", "bfloat16"]
# What Linux calls processors' instructions that multiply bfloat16 numbers: x86's two, and Arm's. Without them torch
# emulates it, slower than float32.
NATIVE = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


class Chosen(NamedTuple):
    """A number format, "float32" or "bfloat16", and the kind of device that computes in it."""

    name: Literal["float32", "bfloat16"]
    device: Literal["cpu", "cuda"]

    def identity(self) -> str:
        """What stands for it in a key. float32 features of a CPU and a GPU agree to about 1e-6, bfloat16 do not."""
        return self.name if self.name == "float32" else f"{self.name} on {self.device}"


def chosen_precision(asked: Precision) -> Chosen:
    """The format that stands for "auto" on this machine, or the one asked for. Imports torch only if there is a GPU."""
    gpu = _gpu()
    device: Literal["cpu", "cuda"] = "cpu" if gpu is None else "cuda"
    native = _processor_has_bfloat16() if gpu is None else gpu
    return Chosen(asked if asked != "auto" else "bfloat16" if native else "float32", device)


@cache
def _processor_has_bfloat16() -> bool:
    try:
        words = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split()
        return not NATIVE.isdisjoint(words)
    except OSError:  # no Linux: float32 unless asked otherwise
        return False


def _gpu() -> bool | None:
    """Whether the GPU has bfloat16; None where torch sees no GPU."""
    if shutil.which("nvidia-smi") is None and not Path("/proc/driver/nvidia").exists():
        return None
    question = {"question": "bfloat16 on a GPU", "libraries": versions("torch"),
                "visible": os.environ.get("CUDA_VISIBLE_DEVICES"), "gpus": sorted(map(str, _gpu_folders()))}
    answer = recall(question, lambda: {"bfloat16": _ask_torch()})["bfloat16"]
    return None if answer is None else bool(answer)


def _gpu_folders() -> list[Path]:
    return list(Path("/proc/driver/nvidia/gpus").glob("*"))


def _ask_torch() -> bool | None:
    import torch

    if not torch.cuda.is_available():
        return None
    return torch.cuda.get_device_capability() >= (8, 0)  # bfloat16 in hardware since Ampere
