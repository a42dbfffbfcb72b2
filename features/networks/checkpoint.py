"""Weights from a file, safetensors or a torch state dict, read without unpickling code."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

SHOWN = 8  # names of each kind in an error
# where training scripts keep the weights among other things
WRAPPERS = ("state_dict", "model_state_dict", "model")
PREFIX = "module."  # put before every name by torch's DataParallel


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Tensors by name.

    Raises
    ------
    ValueError
        For a file that is neither safetensors nor a state dict, is damaged, or holds objects beyond
        tensors and plain values.
    """
    stored: Any
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            stored = load_file(path)
        except SafetensorError as error:
            raise ValueError(f"weights {path} are no whole safetensors file: {error}") from error
    else:
        try:
            with warnings.catch_warnings():
                # of pickles of unusual make, which are refused if they do not load
                warnings.simplefilter("ignore")
                stored = torch.load(path, map_location="cpu", weights_only=True)
        except (MemoryError, OSError):
            raise
        # Damaged and hostile files, those of torch before 1.6 above all, raise nearly every kind.
        except Exception as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise ValueError(
                f"weights {path} are no state dict that is safe to load (tensors by name, and "
                f"nothing that runs code), or damaged: {reason}"
            ) from error
    for wrapper in WRAPPERS:
        if isinstance(stored, Mapping) and isinstance(stored.get(wrapper), Mapping):
            stored = stored[wrapper]
    if not isinstance(stored, Mapping) or not all(
        isinstance(value, Tensor) for value in stored.values()
    ):
        raise ValueError(f"weights {path} hold no tensors by name; save model.state_dict()")
    return {str(name).removeprefix(PREFIX): value for name, value in stored.items()}


def load_checkpoint(net: nn.Module, path: Path, model: str) -> None:
    """Load a file's weights into a network.

    Raises
    ------
    ValueError
        With every missing, unexpected and misshapen name, where the file does not fit.
    """
    stored, expected = read_checkpoint(path), net.state_dict()
    # Counts batches during training; older files lack it, and nothing depends on it here.
    missing = [
        name for name in expected if name not in stored and not name.endswith("num_batches_tracked")
    ]
    unexpected = [name for name in stored if name not in expected]
    misshapen = [
        f"{name} {tuple(stored[name].shape)} instead of {tuple(weights.shape)}"
        for name, weights in expected.items()
        if name in stored and stored[name].shape != weights.shape
    ]
    problems = [
        _listing(kind, names)
        for kind, names in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", misshapen),
        )
        if names
    ]
    if problems:
        raise ValueError(f"weights {path} do not fit {model}: {'; '.join(problems)}")
    net.load_state_dict(stored, strict=False)


def _listing(kind: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)} {kind} ({', '.join(names[:SHOWN])}{more})"
