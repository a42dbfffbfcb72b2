"""Picture networks in torch: building them with their weights, and tapping their features.

Importing this module imports torch; `features.encoders.cnn` does so when a picture must really be
encoded.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from math import isqrt
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from features.block import FloatArray
from features.machine.precision import Chosen, chosen_precision
from features.networks.catalogue import LITE0, TIMM, library, listed, nearest
from features.networks.checkpoint import load_checkpoint, read_checkpoint
from features.networks.folding import folded
from features.networks.fused_activations import ActivatedConvolution, fused
from features.networks.inputs import network_inputs, scale_and_shift
from features.networks.pretrained import Pretrained
from features.networks.watching import watch
from features.pictures.images import PixelArray

Pooling = Literal["model", "avg", "max", "gem"]
RANDOM_SEED = 0
# Pixels of a batch on a CPU: eight pictures of 224 x 224. The maps of larger batches leave the
# processor's caches (on two cores 208 pictures/s in batches of 8, 148 in batches of 16 and 145 of
# 32).
CPU_PIXELS = 8 * 224 * 224
# A GPU's batch may take this share of its free memory, and is no larger than this; beyond, nothing
# is gained.
GPU_SHARE, LARGEST = 0.4, 256
GEM_POWER, GEM_FLOOR = 3.0, 1e-6


class Network:
    """A classification network whose features are read off inside it.

    One forward pass, watched by hooks, finds the two places:

    - the head: the linear layer (or, in SqueezeNet, the convolution) that runs last. What enters it are
      the `pooled` features (n, d); for most networks that is the average over the regions, for VGG
      the second hidden layer, for a vision transformer the class token. A network without one gives
      them itself.
    - the last map: the last module before the head that gives a square map (n, d, h, w), or tokens
      (n, t, d). Its h * w positions, or its tokens without the class token, are the `regions`.

    Parameters
    ----------
    net : the network, in float32, ending in its classification head.
    chosen : its name, weights and preparation.
    layer : name of a module whose output is taken instead of both.
    pooling : what makes one vector of the positions: their mean, maximum, or generalised mean
        (Radenovic et al., Fine-tuning CNN image retrieval with no human annotation, 2018); "model"
        for what enters the head, or the mean where a layer is named.
    precision : the number format to compute in, and where.

    Attributes
    ----------
    shapes : of one picture's features, (d,) for "pooled" and (t, d) for "regions", where there are
        such.
    batch_size : pictures to give it at once.
    """

    def __init__(
        self,
        net: nn.Module,
        chosen: Pretrained,
        layer: str | None = None,
        pooling: Pooling = "model",
        precision: Chosen | None = None,
    ) -> None:
        self.preparation, self.pooling, self.layer = chosen.preparation, pooling, layer
        self.precision = precision or chosen_precision("float32")
        self.device = torch.device(self.precision.device)
        self._dtype = torch.bfloat16 if self.precision.name == "bfloat16" else torch.float32
        self._scale, self._shift = scale_and_shift(chosen.preparation, self.device)
        self._pass = threading.local()
        self.net = net.eval().requires_grad_(False)
        self._prepare(chosen.model)
        self.shapes = {
            output: tuple(features.shape[1:])
            for output, features in self.features(self._noise(1), ["pooled", "regions"]).items()
        }
        self.batch_size = self._batch_size()

    def _prepare(self, model: str) -> None:
        """Fold, fuse, tap, and bring the network to its device and format."""
        images = network_inputs(self._noise(1), self._scale, self._shift).cpu()
        kept = [] if self.layer is None else [self.layer]
        try:
            net = folded(self.net, images, kept)
        except (RuntimeError, AssertionError, ValueError) as error:
            size = self.preparation.size
            raise ValueError(
                f"model {model} cannot take pictures of {size} x {size} pixels: {error}"
            ) from error
        # Channels-last makes convolutions on a CPU nearly three times as fast (55 against 20
        # pictures/s).
        net = net.to(self.device, self._dtype).to(memory_format=torch.channels_last)
        images = images.to(self.device, self._dtype)
        self.net = fused(net, images, kept) if self.device.type == "cpu" else net
        head, last_map = (find_taps(self.net, images, model) if self.layer is None
                          else (None, _named(self.net, self.layer)))
        if head is not None:
            head.register_forward_pre_hook(self._keep_head)
        elif self.layer is None:
            self.net.register_forward_hook(self._keep_result)
        last_map.register_forward_hook(self._keep_positions)

    def __call__(self, pixels: PixelArray, outputs: Sequence[str]) -> dict[str, FloatArray]:
        """Features of prepared pictures, uint8 (b, size, size, 3), by output: float32 (b, d) or (b, t, d)."""
        features = self.features(torch.from_numpy(pixels).to(self.device), outputs)
        return {
            output: np.asarray(tensor.cpu().numpy(), dtype=np.float32)
            for output, tensor in features.items()
        }

    def features(self, pixels: Tensor, outputs: Sequence[str]) -> dict[str, Tensor]:
        """The same for uint8 pictures on the network's device, whose float32 results stay there."""
        self._pass.outputs, self._pass.found = outputs, {}
        with torch.inference_mode(), _full_precision():
            self.net(network_inputs(pixels, self._scale, self._shift).to(self._dtype))
        found: dict[str, Tensor] = self._pass.found
        self._pass.found = {}
        return {output: found[output] for output in outputs if output in found}

    def _keep(self, output: str, features: Tensor) -> None:
        """Note features, as they are now: what follows may change them in place."""
        if output in self._pass.outputs:
            self._pass.found[output] = features.to(torch.float32, copy=True)

    def _keep_head(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if self.pooling == "model":
            self._keep("pooled", inputs[0].mean(dim=(2, 3)) if inputs[0].dim() == 4 else inputs[0])

    def _keep_result(self, module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        if self.pooling == "model":
            self._keep("pooled", output)

    def _keep_positions(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if not isinstance(output, Tensor) or output.dim() not in (2, 3, 4):
            raise ValueError(f"layer {self.layer} gives no map, tokens or vectors: name another")
        if output.dim() == 2:
            self._keep("pooled", output)
            return
        positions = _positions(output, getattr(self.net, "num_prefix_tokens", None))
        self._keep("regions", positions)
        if self.layer is not None or self.pooling != "model":
            self._keep("pooled", _pooled(positions.float(), self.pooling))

    def _noise(self, count: int) -> Tensor:
        size = self.preparation.size
        noise = np.random.default_rng(RANDOM_SEED).integers(
            0, 256, (count, size, size, 3), dtype=np.uint8
        )
        return torch.from_numpy(noise).to(self.device)

    def _batch_size(self) -> int:
        if self.device.type == "cpu":
            return max(1, min(LARGEST, CPU_PIXELS // self.preparation.size ** 2))
        pixels = self._noise(4)
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        self.features(pixels, ["pooled", "regions"])
        each = max(1, (torch.cuda.max_memory_allocated() - before) // len(pixels))
        return max(1, min(LARGEST, int(torch.cuda.mem_get_info()[0] * GPU_SHARE) // each))


def find_taps(net: nn.Module, images: Tensor, model: str) -> tuple[nn.Module | None, nn.Module]:
    """The head, None where the network has none, and the module that gives the last map."""
    maps: list[nn.Module] = []
    found: list[tuple[nn.Module, nn.Module]] = []

    def before(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if maps and isinstance(module, nn.Linear | nn.Conv2d | ActivatedConvolution):
            found.append((module, maps[-1]))

    def after(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(output, Tensor) and _is_map(output):
            maps.append(module)

    watch(net, images, before, after)
    if maps and getattr(net, "num_classes", None) == 0:  # timm's way of saying so
        return None, maps[-1]
    if not found:
        raise ValueError(f"model {model}: no classification head behind a feature map was found")
    return found[-1]


def _is_map(output: Tensor) -> bool:
    if output.dim() == 4:
        _, one, two, three = output.shape
        return two == three > 1 or one == two > 1
    return output.dim() == 3 and output.shape[1] > 1


def _positions(output: Tensor, prefix: int | None) -> Tensor:
    """The positions (n, t, d) of a map (n, d, h, w) or (n, h, w, d), or of tokens without the class token."""
    if output.dim() == 4:
        _, one, two, three = output.shape
        return output.flatten(1, 2) if one == two != three else output.flatten(2).transpose(1, 2)
    tokens = output.shape[1]
    if prefix is None:
        # A vision transformer puts one class token before the tokens of its square grid of patches.
        prefix = int(isqrt(tokens) ** 2 != tokens and isqrt(tokens - 1) ** 2 == tokens - 1)
    return output[:, prefix:]


def _pooled(positions: Tensor, pooling: Pooling) -> Tensor:
    """One vector (n, d) of the positions (n, t, d)."""
    if pooling == "max":
        return positions.amax(dim=1)
    if pooling == "gem":
        return positions.clamp(min=GEM_FLOOR).pow(GEM_POWER).mean(dim=1).pow(1 / GEM_POWER)
    return positions.mean(dim=1)


def _named(net: nn.Module, layer: str) -> nn.Module:
    modules: dict[str, nn.Module] = dict(net.named_modules())
    if layer not in modules or not layer:
        raise ValueError(f"layer must be the name of a module of the network, not {layer!r}"
                         f"{nearest(layer, filter(None, modules))}")
    return modules[layer]


@contextmanager
def _full_precision() -> Iterator[None]:
    """Real float32 on a GPU too, whose convolutions would otherwise round their inputs to 10 bits (TF32).

    Features from a CPU and a GPU then agree to about 1e-6 and may share a key.
    """
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


@lru_cache(maxsize=1)
def network(
    chosen: Pretrained,
    layer: str | None = None,
    pooling: Pooling = "model",
    precision: Chosen | None = None,
) -> Network:
    """The network, built, loaded and tapped; the last one stays in memory for the next call."""
    return Network(build(chosen), chosen, layer, pooling, precision)


def build(chosen: Pretrained) -> nn.Module:
    """The whole network with its weights and its classification head, float32 on the CPU.

    Raises
    ------
    ValueError
        Where the weights do not fit the network; with all that differs.
    FileNotFoundError
        Where torchvision's weights are neither in torch's cache folder nor can be downloaded.
    """
    make = (
        _lite0
        if chosen.model == LITE0
        else _timm
        if library(chosen.model) == "timm"
        else _torchvision
    )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # Some torchvision builders warn about their own defaults for initial weights.
        warnings.simplefilter("ignore")
        torch.manual_seed(RANDOM_SEED)
        net = make(chosen)
    if chosen.weights == "file" and chosen.path is not None:
        load_checkpoint(net, chosen.path, chosen.model)
    return net


def _lite0(chosen: Pretrained) -> nn.Module:
    import timm

    net: nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    if chosen.weights == "default" and chosen.path is not None:
        net.load_state_dict(_renamed(read_checkpoint(chosen.path), net.state_dict(), chosen))
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


def _timm(chosen: Pretrained) -> nn.Module:
    import timm

    name = chosen.model.removeprefix(TIMM).partition(".")[0]
    own = next(iter(listed(chosen.model).values())).preparation.size
    fixed = getattr(
        timm.get_pretrained_cfg(name, allow_unregistered=True), "fixed_input_size", False
    )
    size: dict[str, Any] = (
        {"img_size": chosen.preparation.size} if fixed and chosen.preparation.size != own else {}
    )
    if chosen.weights in ("random", "file") or chosen.path is None:
        net: nn.Module = timm.create_model(name, pretrained=False, **size)
        return net
    # timm renames old files' entries itself; the file is read here, where no pickled code can run.
    stored = read_checkpoint(chosen.path)
    return timm.create_model(
        f"{name}.{chosen.weights}" if chosen.weights != "default" else name,
        pretrained=True,
        pretrained_cfg_overlay={"state_dict": stored},
        **size,
    )


def _torchvision(chosen: Pretrained) -> nn.Module:
    from torchvision import models

    if chosen.weights in ("random", "file") or chosen.path is None:
        net: nn.Module = models.get_model(chosen.model, weights=None)
        return net
    if chosen.path.exists():
        chosen.check_file()
    try:
        net = models.get_model(chosen.model, weights=chosen.weights, progress=False)
    except OSError as error:
        url = models.get_model_weights(chosen.model)[chosen.weights].url
        raise FileNotFoundError(
            f"the weights of {chosen.model} are not on this machine and cannot be downloaded "
            f"({error}): put {url} at {chosen.path}"
        ) from error
    return net
