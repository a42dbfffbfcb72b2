"""Features read off inside picture networks.

Importing this module imports torch; `features.encoders.cnn` does so when a picture must really be
encoded.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from features.block import FloatArray
from features.machine.precision import Chosen, chosen_precision
from features.networks.building import build
from features.networks.feature_maps import (
    Pooling,
    head_and_last_map,
    named_layer,
    pooled,
    positions_of,
)
from features.networks.inference.folding import folded
from features.networks.inference.fused_activations import fused
from features.networks.inputs import CPU_PIXELS, arrays_of, network_inputs, scale_and_shift
from features.networks.pretrained import Pretrained
from features.pictures.preparation import PixelArray

NOISE_SEED = 0
LARGEST = 256  # pictures of a batch; beyond, nothing is gained
# Pixels of a batch on a GPU, whatever its free memory: another size would round otherwise. Where it
# does not suffice, encoding halves the batch.
GPU_PIXELS = 256 * 224 * 224


class FeatureExtractor:
    """A classification network whose features are read off inside it.

    Its head and its last map (see features.networks.feature_maps.head_and_last_map) tell where:

    - what enters the head are the `pooled` features (n, d); for most networks that is the average
      over the regions, for VGG the second hidden layer, for a vision transformer the class token.
      A network without a head gives them itself.
    - the h * w positions of the last map, or its tokens without the class token, are the `regions`.

    Parameters
    ----------
    net : the network, in float32, ending in its classification head.
    chosen : its name, weights and preparation.
    layer : name of a module whose output is taken instead of both.
    pooling : what makes one vector of the positions: their mean, maximum, or generalised mean
        (Radenovic et al., Fine-tuning CNN image retrieval with no human annotation, 2018); "model"
        for what enters the head, or the mean where a layer is named.
    precision : the number format to compute in, and where.
    read_off : names of further modules whose own outputs must stay what they are.

    Attributes
    ----------
    shapes : of one picture's features, (d,) for "pooled" and (t, d) for "regions", where there are
        such.
    batch_size : pictures to give it at once; on a GPU, halved where its memory does not suffice.
    """

    rounds_by_batch = False

    def __init__(
        self,
        net: nn.Module,
        chosen: Pretrained,
        layer: str | None = None,
        pooling: Pooling = "model",
        precision: Chosen | None = None,
        read_off: Sequence[str] = (),
    ) -> None:
        self.preparation, self.pooling, self.layer = chosen.preparation, pooling, layer
        self.precision = precision or chosen_precision("float32")
        self.device = torch.device(self.precision.device)
        self._dtype = torch.bfloat16 if self.precision.name == "bfloat16" else torch.float32
        self._scale, self._shift = scale_and_shift(chosen.preparation, self.device)
        self._pass = threading.local()
        self.net = net.eval().requires_grad_(False)
        self._prepare(chosen.model, read_off)
        self.shapes = {
            output: tuple(features.shape[1:])
            for output, features in self.features(self._noise(1), ["pooled", "regions"]).items()
        }
        self.batch_size = batch_size_of(self.preparation.size, self.device)

    def _prepare(self, model: str, read_off: Sequence[str]) -> None:
        """Fold, fuse, hook, and bring the network to its device and format."""
        images = network_inputs(self._noise(1), self._scale, self._shift).cpu()
        needed = [*read_off] if self.layer is None else [*read_off, self.layer]
        try:
            net = folded(self.net, images, needed)
        except (RuntimeError, AssertionError, ValueError) as error:
            size = self.preparation.size
            raise ValueError(
                f"model {model} cannot take pictures of {size} x {size} pixels: {error}"
            ) from error
        # Channels-last makes convolutions on a CPU nearly three times as fast (55 against 20
        # pictures/s).
        net = net.to(self.device, self._dtype).to(memory_format=torch.channels_last)
        images = images.to(self.device, self._dtype)
        self.net = fused(net, images, needed) if self.device.type == "cpu" else net
        if self.layer is not None:
            named_layer(self.net, self.layer).register_forward_hook(self._keep_positions)
            return
        head, last_map = head_and_last_map(self.net, images, model)
        if head is not None:
            head.register_forward_pre_hook(self._keep_head)
        else:
            self.net.register_forward_hook(self._keep_result)
        last_map.register_forward_hook(self._keep_positions)

    def __call__(self, pixels: PixelArray, outputs: Sequence[str]) -> dict[str, FloatArray]:
        """Features of prepared pictures by output, float32 (b, d) or (b, t, d).

        Parameters
        ----------
        pixels : uint8 (b, size, size, 3).
        """
        return arrays_of(self.features(torch.from_numpy(pixels).to(self.device), outputs))

    def features(self, pixels: Tensor, outputs: Sequence[str]) -> dict[str, Tensor]:
        """The same for uint8 pictures on the network's device, whose float32 results stay there."""
        self._pass.outputs, self._pass.features = outputs, {}
        with torch.inference_mode(), full_precision():
            self.net(network_inputs(pixels, self._scale, self._shift).to(self._dtype))
        features: dict[str, Tensor] = self._pass.features
        self._pass.features = {}
        return {output: features[output] for output in outputs if output in features}

    def _keep(self, output: str, features: Tensor) -> None:
        """Note features, as they are now: what follows may change them in place."""
        if output in self._pass.outputs:
            self._pass.features[output] = features.to(torch.float32, copy=True)

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
        positions = positions_of(output, getattr(self.net, "num_prefix_tokens", None))
        self._keep("regions", positions)
        if self.layer is not None or self.pooling != "model":
            self._keep("pooled", pooled(positions.float(), self.pooling))

    def _noise(self, count: int) -> Tensor:
        size = self.preparation.size
        noise = np.random.default_rng(NOISE_SEED).integers(
            0, 256, (count, size, size, 3), dtype=np.uint8
        )
        return torch.from_numpy(noise).to(self.device)


def batch_size_of(size: int, device: torch.device) -> int:
    """Pictures of `size` x `size` pixels to give a network at once."""
    pixels = CPU_PIXELS if device.type == "cpu" else GPU_PIXELS
    return max(1, min(LARGEST, pixels // size**2))


@contextmanager
def full_precision() -> Iterator[None]:
    """Real float32 on a GPU too, whose convolutions otherwise round inputs to 10 bits (TF32).

    Features from a CPU and a GPU then agree to about 1e-6 and may share a key.
    """
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


@lru_cache(maxsize=1)
def feature_extractor(
    chosen: Pretrained,
    layer: str | None = None,
    pooling: Pooling = "model",
    precision: Chosen | None = None,
) -> FeatureExtractor:
    """A built and loaded network's extractor; the last one stays in memory for the next call."""
    return FeatureExtractor(build(chosen), chosen, layer, pooling, precision)
