"""Batch normalisation folded into the convolutions before it: fewer passes over memory."""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from features.networks.modules import replace_module, same_outcome, watch

# float32 rounds differently once the factors are multiplied out; a wrongly folded layer is off by
# far more.
TOLERANCE = 1e-3


def folded(net: nn.Module, pictures: Tensor, needed: Collection[str] = ()) -> nn.Module:
    """The network with every batch normalisation that follows a convolution folded into it.

    Which convolution feeds which normalisation is watched in a forward pass, so any network's own
    code is followed. Where the outcome differs (a convolution whose output goes elsewhere too), the
    network is given back as it was.

    Parameters
    ----------
    net : in evaluation mode, float32.
    pictures : float32 (b, 3, h, w), not constant, to watch and to compare by.
    needed : names of convolutions whose own output is read off: they stay as they are.
    """
    pairs = _pairs(net, pictures)
    changed = deepcopy(net)
    modules = dict(changed.named_modules())
    for convolution, normalisation in pairs:
        if convolution in needed:
            continue
        norm = modules[normalisation]
        replace_module(changed, convolution, fuse_conv_bn_eval(modules[convolution], norm))
        # timm's layer has its activation inside.
        rest = (
            nn.Sequential(norm.drop, norm.act)
            if hasattr(norm, "act") and hasattr(norm, "drop")
            else nn.Identity()
        )
        replace_module(changed, normalisation, rest)
    return changed if same_outcome(net, changed, pictures, TOLERANCE) else net


def _pairs(net: nn.Module, pictures: Tensor) -> list[tuple[str, str]]:
    """Names of each convolution and the normalisation that takes its output, each used once."""
    names = {module: name for name, module in net.named_modules()}
    runs: dict[nn.Module, int] = {}
    last: list[tuple[nn.Module, Tensor]] = []
    pairs: list[tuple[nn.Module, nn.Module]] = []

    def before(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        runs[module] = runs.get(module, 0) + 1
        if isinstance(module, nn.BatchNorm2d) and last and inputs[0] is last[0][1]:
            pairs.append((last[0][0], module))

    def after(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(module, nn.Conv2d):
            last[:] = [(module, output)]

    watch(net, pictures, before, after)
    return [
        (names[convolution], names[norm])
        for convolution, norm in pairs
        if runs[convolution] == runs[norm] == 1
    ]
