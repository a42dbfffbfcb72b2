"""Modules of a network: watched in a forward pass, replaced, and whether it computes the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

Before = Callable[[nn.Module, tuple[Any, ...]], None]
After = Callable[[nn.Module, tuple[Any, ...], Any], None]


def watch(net: nn.Module, pictures: Tensor, before: Before, after: After) -> None:
    """Run one forward pass, and see every module before and after it computes.

    Parameters
    ----------
    pictures : float32 (b, 3, h, w).
    before : is called with a module and its inputs.
    after : is called with a module, its inputs and its output.
    """
    hooks: list[RemovableHandle] = []
    for module in net.modules():
        hooks += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
    try:
        with torch.inference_mode():
            net(pictures)
    finally:
        for hook in hooks:
            hook.remove()


def same_outcome(net: nn.Module, changed: nn.Module, pictures: Tensor, tolerance: float) -> bool:
    """Whether two networks' outputs differ by at most `tolerance` of the first's largest number."""
    with torch.inference_mode():
        before, after = net(pictures), changed(pictures)
    return bool((before - after).abs().max() <= tolerance * before.abs().max().clamp(min=1e-6))


def replace_module(net: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module in the place of the one of this name."""
    parent, _, child = name.rpartition(".")
    setattr(net.get_submodule(parent), child, module)
