"""Features read off inside picture networks, with the means of earlier layers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

from torch import Tensor, nn

from features.machine.precision import Chosen
from features.networks.building import build
from features.networks.feature_maps import named_layer, positions_of
from features.networks.inference.feature_extractor import FeatureExtractor
from features.networks.pretrained import Pretrained


class StageExtractor(FeatureExtractor):
    """A FeatureExtractor that also gives the means over the positions of some layers, by name."""

    def __init__(
        self, net: nn.Module, chosen: Pretrained, layers: Sequence[str], precision: Chosen
    ) -> None:
        super().__init__(net, chosen, precision=precision, read_off=layers)
        for layer in layers:
            keep = partial(self._keep_mean, layer)
            named_layer(self.net, layer).register_forward_hook(keep)

    def _keep_mean(
        self, layer: str, module: nn.Module, inputs: tuple[Any, ...], output: Any
    ) -> None:
        if not isinstance(output, Tensor) or output.dim() not in (3, 4):
            raise ValueError(f"layer {layer} gives no map and no tokens: name another")
        prefix = getattr(self.net, "num_prefix_tokens", None)
        self._keep(layer, positions_of(output, prefix).float().mean(dim=1))


@lru_cache(maxsize=4)  # sizes of a pyramid: each shard goes through all of them
def stage_extractor(
    chosen: Pretrained, layers: tuple[str, ...], precision: Chosen
) -> StageExtractor:
    """A built and loaded network's extractor; the last ones stay in memory for the next call."""
    return StageExtractor(build(chosen), chosen, layers, precision)
