"""The number format of networks here: bfloat16 where the processor or GPU has it natively."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from features.machine.extras import is_installed
from features.machine.facts import cached_fact
from features.machine.identity import versions

DRIVER = Path("/proc/driver/nvidia")  # where Linux shows it
Precision = Literal["auto", "float32", "bfloat16"]
# What Linux calls processors' instructions that multiply bfloat16 numbers: x86's two, and Arm's.
# Without them torch emulates it, slower than float32.
NATIVE = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


class Chosen(NamedTuple):
    """A number format, "float32" or "bfloat16", and the kind of device that computes in it."""

    name: Literal["float32", "bfloat16"]
    device: Literal["cpu", "cuda"]

    def identity(self) -> str:
        """What stands for it in a key.

        Features in float32 of a CPU and a GPU agree to about 1e-6, in bfloat16 they do not.
        """
        return self.name if self.name == "float32" else f"{self.name} on {self.device}"


def trained_on() -> dict[str, str]:
    """What a key says of where a network is trained: nothing for a CPU.

    A GPU trains in mixed precision, and adds in another order: other weights come out.
    """
    device = chosen_precision("float32").device
    return {} if device == "cpu" else {"device": device}


def chosen_precision(asked: Precision) -> Chosen:
    """The format that stands for "auto" on this machine, or the one asked for.

    Imports torch only if there is a GPU.
    """
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
    """Whether the GPU has bfloat16; None where torch sees no GPU, or is not here to see it."""
    is_without = shutil.which("nvidia-smi") is None and not DRIVER.exists()
    if is_without or not is_installed("torch"):
        return None
    gpus = [
        path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(DRIVER.glob("gpus/*/information"))
    ]
    try:
        if not gpus:  # another system than Linux: nothing tells this GPU from another one
            return _asked_torch()
        question = {"question": "bfloat16 on a GPU", "libraries": versions("torch"), "gpus": gpus,
                    "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
                    "driver": (DRIVER / "version").read_text(encoding="utf-8", errors="replace")}
        return cached_fact(question, "bfloat16", _asked_torch, bool)
    except _NoGPU:  # now: a driver that does not work is no answer to remember
        return None


class _NoGPU(Exception):
    """torch sees none."""


def _asked_torch() -> bool:
    import torch

    if not torch.cuda.is_available():
        raise _NoGPU
    return torch.cuda.get_device_capability() >= (8, 0)  # bfloat16 in hardware since Ampere
