"""Convolutions that apply the activation behind them: one pass over memory in place of two."""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from features.networks.inference.folding import TOLERANCE
from features.networks.modules import replace_module, same_outcome, watch


class Activation(NamedTuple):
    """An activation as oneDNN names it, and its numbers."""

    name: str
    numbers: list[float]


class Padded(NamedTuple):
    """A kernel (c', c, h, w) with the zeros that it puts above and below, left and right of a map.

    `ahead` is put around it in a copy before: left, right, top, bottom.
    """

    weight: Tensor
    padding: tuple[int, ...]
    ahead: tuple[int, ...] = ()


class ActivatedConvolution(nn.Module):
    """An activation of a convolution's output, of maps (b, c, h, w), in one kernel of oneDNN.

    torch has it for its own compiler (torch.ops.mkldnn._convolution_pointwise), whose output is
    rounded once, after the activation.

    Parameters
    ----------
    convolution : whose bias, stride, dilation and groups it has.
    padded : its kernel and padding, zeros.
    activation : what is applied to its output.
    """

    def __init__(self, convolution: nn.Conv2d, padded: Padded, activation: Activation) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(padded.weight, requires_grad=False), convolution.bias
        self.ahead, self.activation = padded.ahead, activation
        self.how = padded.padding, convolution.stride, convolution.dilation, convolution.groups

    def forward(self, maps: Tensor) -> Tensor:
        """Activated maps (b, c', h', w')."""
        maps = pad(maps, self.ahead) if self.ahead else maps
        activated: Tensor = torch.ops.mkldnn._convolution_pointwise(
            maps,
            self.weight,
            self.bias,
            *self.how,
            self.activation.name,
            self.activation.numbers,
            "",
        )
        return activated


class Pair(NamedTuple):
    """A convolution and the activation that takes its output, by name, and the (h, w) it saw."""

    convolution: str
    activation: str
    size: tuple[int, int]


def fused(net: nn.Module, pictures: Tensor, needed: Collection[str] = ()) -> nn.Module:
    """The network with every activation that follows a convolution computed by it.

    Which convolution feeds which activation is watched in a forward pass. Where oneDNN has no such
    kernel here, or the outcome differs, the network is given back as it was.

    Parameters
    ----------
    net : in evaluation mode, on the processor, in the format it will compute in.
    pictures : (b, 3, h, w) in that format, of the size it will see, not constant, to watch and to
        compare by.
    needed : names of modules whose own output is read off: they stay as they are.
    """
    try:
        changed = _changed(net, _pairs(net, pictures, needed))
        same = same_outcome(
            net, changed, pictures, max(TOLERANCE, 8 * torch.finfo(pictures.dtype).eps)
        )
    # a build of torch without oneDNN, or a processor that it does not serve
    except (AttributeError, RuntimeError):
        return net
    return changed if same else net


def _changed(net: nn.Module, pairs: list[Pair]) -> nn.Module:
    changed = deepcopy(net)
    modules = dict(changed.named_modules())
    for pair in pairs:
        activation = _activation(modules[pair.activation])
        assert activation is not None
        convolution: Any = modules[pair.convolution]
        padded = _padded_evenly(convolution, pair.size)
        replace_module(
            changed, pair.convolution, ActivatedConvolution(convolution, padded, activation)
        )
        replace_module(changed, pair.activation, nn.Identity())
    return changed


def _pairs(net: nn.Module, pictures: Tensor, needed: Collection[str]) -> list[Pair]:
    """Each convolution and the activation that takes its output, each used once."""
    names = {module: name for name, module in net.named_modules()}
    runs: dict[nn.Module, int] = {}
    last: list[tuple[nn.Module, Tensor, tuple[int, int]]] = []
    pairs: list[tuple[nn.Module, nn.Module, tuple[int, int]]] = []

    def before(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        runs[module] = runs.get(module, 0) + 1
        if last and _activation(module) and inputs[0] is last[0][1]:
            pairs.append((last[0][0], module, last[0][2]))

    def after(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if names[module] in needed:  # its own output, not what becomes of it
            last.clear()
        elif _is_plain(module):
            last[:] = [(module, output, tuple(inputs[0].shape[2:]))]

    watch(net, pictures, before, after)
    return [
        Pair(names[convolution], names[activation], size)
        for convolution, activation, size in pairs
        if runs[convolution] == runs[activation] == 1
    ]


def _activation(module: nn.Module) -> Activation | None:
    """The activation that a module is, where oneDNN has it."""
    if isinstance(module, nn.Hardtanh):  # ReLU6 is one
        return Activation("hardtanh", [float(module.min_val), float(module.max_val)])
    if isinstance(module, nn.ReLU):
        return Activation("relu", [])
    return Activation("swish", []) if isinstance(module, nn.SiLU) else None


def _is_plain(module: nn.Module) -> bool:
    """Whether a convolution pads with zeros and by numbers, or as TensorFlow does."""
    return (
        type(module) is nn.Conv2d
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    ) or type(module).__name__ == "Conv2dSame"


def _padded_evenly(convolution: nn.Conv2d, size: tuple[int, int]) -> Padded:
    """A convolution's kernel, and padding that is alike on opposite sides.

    TensorFlow pads a map of even sides by one more on the right and below (timm's Conv2dSame), in a
    copy of it. A row and a column of zeros before a depthwise kernel do the same, and cost less.
    """
    if type(convolution) is nn.Conv2d:
        return Padded(convolution.weight, tuple(map(int, convolution.padding)))
    both = [
        max((-(-side // stride) - 1) * stride + (kernel - 1) * dilation + 1 - side, 0)
        for side, stride, kernel, dilation in zip(
            size, convolution.stride, convolution.kernel_size, convolution.dilation, strict=True
        )
    ]
    depthwise = convolution.groups == convolution.in_channels and convolution.dilation == (1, 1)
    if depthwise and all(zeros % 2 for zeros in both):
        return Padded(
            pad(convolution.weight, (1, 0, 1, 0)), tuple((zeros + 1) // 2 for zeros in both)
        )
    (top, bottom), (left, right) = ((zeros // 2, zeros - zeros // 2) for zeros in both)
    return Padded(convolution.weight, (0, 0), (left, right, top, bottom))
