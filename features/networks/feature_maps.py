"""Where a network's features are: its classification head, its last map, and their positions."""

from __future__ import annotations

from math import isqrt
from typing import Any, Literal

from torch import Tensor, nn

from features.machine.nearest import nearest_few
from features.networks.inference.fused_activations import ActivatedConvolution
from features.networks.modules import watch

Pooling = Literal["model", "avg", "max", "gem"]
GEM_POWER, GEM_FLOOR = 3.0, 1e-6


def head_and_last_map(
    net: nn.Module, images: Tensor, model: str
) -> tuple[nn.Module | None, nn.Module]:
    """The classification head, and the module that gives the last map before it.

    The head is the linear layer (or, in SqueezeNet, the convolution) that runs last, None where the
    network has none. The last map is square, (n, d, h, w) or (n, h, w, d), or tokens (n, t, d). One
    forward pass, watched by hooks, tells both.

    Parameters
    ----------
    images : float32 (b, 3, h, w), not constant.
    model : the network's name, for the error.

    Raises
    ------
    ValueError
        Where no head follows a map.
    """
    maps: list[nn.Module] = []
    heads: list[tuple[nn.Module, nn.Module]] = []

    def before(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if maps and isinstance(module, nn.Linear | nn.Conv2d | ActivatedConvolution):
            heads.append((module, maps[-1]))

    def after(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(output, Tensor) and _is_map(output):
            maps.append(module)

    watch(net, images, before, after)
    if maps and getattr(net, "num_classes", None) == 0:  # timm's way of saying so
        return None, maps[-1]
    if not heads:
        raise ValueError(f"model {model}: no classification head behind a feature map was found")
    return heads[-1]


def _is_map(output: Tensor) -> bool:
    if output.dim() == 4:
        _, first, second, third = output.shape
        return second == third > 1 or first == second > 1
    return output.dim() == 3 and output.shape[1] > 1


def positions_of(output: Tensor, prefix: int | None) -> Tensor:
    """The positions (n, t, d) of a map, or of tokens without the class token.

    Parameters
    ----------
    output : (n, d, h, w), (n, h, w, d) or (n, t, d).
    prefix : how many of the tokens stand before those of the patches; None where the network does
        not say so.
    """
    if output.dim() == 4:
        _, first, second, third = output.shape
        if first == second != third:
            return output.flatten(1, 2)
        return output.flatten(2).transpose(1, 2)
    tokens = output.shape[1]
    if prefix is None:
        # A vision transformer puts one class token before the tokens of its square grid of patches.
        prefix = int(isqrt(tokens) ** 2 != tokens and isqrt(tokens - 1) ** 2 == tokens - 1)
    return output[:, prefix:]


def pooled(positions: Tensor, pooling: Pooling) -> Tensor:
    """One vector (n, d) of the positions (n, t, d); see FeatureExtractor for `pooling`."""
    if pooling == "max":
        return positions.amax(dim=1)
    if pooling == "gem":
        return positions.clamp(min=GEM_FLOOR).pow(GEM_POWER).mean(dim=1).pow(1 / GEM_POWER)
    return positions.mean(dim=1)


def named_layer(net: nn.Module, layer: str) -> nn.Module:
    """The module of this name.

    Raises
    ------
    ValueError
        Where there is none, with the nearest names.
    """
    modules: dict[str, nn.Module] = dict(net.named_modules())
    if layer not in modules or not layer:
        raise ValueError(f"layer must be the name of a module of the network, not {layer!r}"
                         f"{nearest_few(layer, filter(None, modules))}")
    return modules[layer]


