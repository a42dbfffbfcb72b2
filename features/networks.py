"""Picture networks in torch: building them with their weights, and tapping their features.

Importing this module imports torch; `features.cnn` does so when a picture must really be encoded.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from math import isqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from features.encoder import FloatArray
from features.images import PixelArray
from features.pretrained import LITE0, Pretrained

RANDOM_SEED = 0


class Network:
    """A classification network whose features are read off just before its classifier.

    One forward pass over a blank picture, watched by hooks, finds the two places:

    - the head: the linear layer (or, in SqueezeNet, the convolution) that runs last. What enters it are
      the `pooled` features (n, d); for most networks that is the average over the regions, for VGG the
      second hidden layer, for a vision transformer the class token.
    - the last map: the last module before the head that gives a square map (n, d, h, w), or tokens
      (n, t, d). Its h * w positions, or its tokens without the class token, are the `regions`.

    Parameters
    ----------
    net : the network, ending in its classification head.
    chosen : its name, weights and preparation.

    Attributes
    ----------
    shapes : of one picture's features, (d,) for "pooled" and (t, d) for "regions".
    """

    def __init__(self, net: nn.Module, chosen: Pretrained) -> None:
        self.preparation = chosen.preparation
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        # Channels-last makes convolutions on a CPU nearly three times as fast (55 against 20 pictures/s).
        self.net = net.eval().requires_grad_(False).to(self.device).to(memory_format=torch.channels_last)
        mean, std = (torch.tensor(values, device=self.device).view(1, 3, 1, 1)
                     for values in (chosen.preparation.mean, chosen.preparation.std))
        self._scale, self._shift = 1.0 / (255.0 * std), -mean / std
        self._tapped: dict[str, Tensor] = {}
        blank = np.zeros((1, self.preparation.size, self.preparation.size, 3), dtype=np.uint8)
        head, last_map = self._find_taps(blank, chosen.model)
        head.register_forward_pre_hook(self._keep_pooled)
        last_map.register_forward_hook(self._keep_regions)
        self._forward(blank)
        self.shapes = {output: tuple(features.shape[1:]) for output, features in self._tapped.items()}

    def __call__(self, pixels: PixelArray, outputs: Sequence[str]) -> dict[str, FloatArray]:
        """Features of prepared pictures, uint8 (b, size, size, 3), by output: float32 (b, d) or (b, t, d)."""
        self._forward(pixels)
        features = {output: np.asarray(self._tapped[output].float().cpu().numpy(), dtype=np.float32)
                    for output in outputs}
        self._tapped.clear()
        return features

    def _forward(self, pixels: PixelArray) -> None:
        # The transposed view of (b, h, w, 3) is a channels-last (b, 3, h, w): nothing is copied.
        images = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2).float()
        with torch.inference_mode(), _full_precision():
            self.net(images * self._scale + self._shift)

    def _keep_pooled(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        features: Tensor = inputs[0]
        self._tapped["pooled"] = features.mean(dim=(2, 3)) if features.dim() == 4 else features

    def _keep_regions(self, module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        if output.dim() == 4:
            self._tapped["regions"] = output.flatten(2).transpose(1, 2)
            return
        tokens = output.shape[1]
        # A vision transformer puts one class token before the tokens of its square grid of patches.
        has_class_token = isqrt(tokens) ** 2 != tokens and isqrt(tokens - 1) ** 2 == tokens - 1
        self._tapped["regions"] = output[:, 1:] if has_class_token else output

    def _find_taps(self, blank: PixelArray, model: str) -> tuple[nn.Module, nn.Module]:
        """The head and the module that gives the last map."""
        maps: list[nn.Module] = []
        found: list[tuple[nn.Module, nn.Module]] = []

        def before(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            if maps and isinstance(module, nn.Linear | nn.Conv2d):
                found.append((module, maps[-1]))

        def after(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            if isinstance(output, Tensor) and _is_map(output):
                maps.append(module)

        hooks = [hook for module in self.net.modules()
                 for hook in (module.register_forward_pre_hook(before), module.register_forward_hook(after))]
        self._forward(blank)
        for hook in hooks:
            hook.remove()
        if not found:
            raise ValueError(f"model {model}: no classification head behind a feature map was found")
        return found[-1]


def _is_map(output: Tensor) -> bool:
    if output.dim() == 4:
        return output.shape[2] == output.shape[3] > 1
    return output.dim() == 3 and output.shape[1] > 1


@contextmanager
def _full_precision() -> Iterator[None]:
    """Real float32 on a GPU too, whose convolutions would otherwise round their inputs to 10 bits (TF32).

    Features from a CPU and a GPU then agree to about 1e-6 and may share a key.
    """
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


@lru_cache(maxsize=1)
def network(chosen: Pretrained) -> Network:
    """The network, built and loaded; the last one stays in memory for the next call."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # Some torchvision builders warn about their own defaults for initial weights.
        warnings.simplefilter("ignore")
        torch.manual_seed(RANDOM_SEED)
        net = _lite0(chosen) if chosen.model == LITE0 else _torchvision(chosen)
    return Network(net, chosen)


def _lite0(chosen: Pretrained) -> nn.Module:
    import timm

    net: nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    if chosen.path is not None:
        stored = torch.load(chosen.path, map_location="cpu", weights_only=True)
        net.load_state_dict(_renamed(stored, net.state_dict(), chosen))
    return net


def _renamed(
    stored: dict[str, Tensor], wanted: dict[str, Tensor], chosen: Pretrained
) -> dict[str, Tensor]:
    """Entries of `stored` under the names of `wanted`: both list the same layers in the same order."""
    found, expected = _kinds(stored), _kinds(wanted)
    if found != expected:
        differing = sum(a != b for a, b in zip(found, expected, strict=False))
        raise ValueError(
            f"the weights in {chosen.path} do not fit timm's tf_efficientnet_lite0: {len(found)} entries for "
            f"{len(expected)}, {differing} of different kind or shape; the package or timm has changed"
        )
    return dict(zip(wanted, stored.values(), strict=True))


def _kinds(entries: dict[str, Tensor]) -> list[tuple[str, tuple[int, ...]]]:
    """Each entry's kind (weight, bias, running_mean, ...), which both name alike, and its shape."""
    return [(name.rpartition(".")[2], tuple(entry.shape)) for name, entry in entries.items()]


def _torchvision(chosen: Pretrained) -> nn.Module:
    from torchvision import models

    if chosen.path is not None and chosen.path.exists():
        chosen.check_file()
    weights = None if chosen.path is None else chosen.weights
    try:
        net: nn.Module = models.get_model(chosen.model, weights=weights, progress=False)
    except OSError as error:
        url = models.get_model_weights(chosen.model)[chosen.weights].url
        raise FileNotFoundError(
            f"the weights of {chosen.model} are not on this machine and cannot be downloaded "
            f"({error}): put {url} at {chosen.path}"
        ) from error
    return net
