"""Watching a network's modules in a forward pass, and whether a changed network still computes the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Before = Callable[[nn.Module, tuple[Any, ...]], None]
After = Callable[[nn.Module, tuple[Any, ...], Any], None]


def watch(net: nn.Module, pictures: Tensor, before: Before, after: After) -> None:
    """Call `before` with every module and its inputs, and `after` with its output too, as one forward pass goes by."""
    hooks = [
        hook
        for module in net.modules()
        for hook in (module.register_forward_pre_hook(before), module.register_forward_hook(after))
    ]
    try:
        with torch.inference_mode():
            net(pictures)
    finally:
        for hook in hooks:
            hook.remove()


def same_outcome(net: nn.Module, changed: nn.Module, pictures: Tensor, tolerance: float) -> bool:
    """Whether two networks' outputs differ by no more than `tolerance` of the first one's largest number."""
    with torch.inference_mode():
        before, after = net(pictures), changed(pictures)
    return bool((before - after).abs().max() <= tolerance * before.abs().max().clamp(min=1e-6))
