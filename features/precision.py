"""In which precision a network computes on this machine, settled without loading torch where there is no GPU."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

Precision = Literal["auto", "float32", "bfloat16"]
CPU_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})  # x86's two, and Arm's


def settled(precision: Precision) -> Literal["float32", "bfloat16"]:
    """The precision itself, or for "auto" bfloat16 where the device multiplies it natively and float32 elsewhere.

    bfloat16 has float32's range and 8 bits of precision; where it is emulated it is slower than float32.
    """
    if precision != "auto":
        return precision
    return "bfloat16" if _native_bfloat16() else "float32"


@cache
def _native_bfloat16() -> bool:
    if Path("/proc/driver/nvidia").exists():
        import torch

        if torch.cuda.is_available():
            return torch.cuda.get_device_capability()[0] >= 8  # Ampere and later
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return bool(CPU_FLAGS & set(flags.split()))
