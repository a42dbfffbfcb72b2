"""Pictures at several sizes through a pretrained network, and what its earlier layers see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import AfterValidator, Field

from features.block import Block, FloatArray, Modality
from features.encoder import Encoder
from features.machine.identity import versions
from features.machine.precision import Precision, chosen_precision
from features.networks.catalogue import known_model, library
from features.networks.pretrained import Pretrained, comes_with, pretrained
from features.pictures.meaning import VERSION as DECODING

Side = Annotated[int, Field(ge=32)]
STAGES = tuple(f"blocks.{number}" for number in range(7))  # of EfficientNet-Lite0


@dataclass(kw_only=True, eq=False, repr=False)
class CNNPyramid(Encoder):
    """A pretrained network's features of a picture at several sizes, side by side.

    For each size what enters the network's classifier, as CNN gives it; at the first size also the
    means over the positions of earlier layers, whose features are less about the classes that the
    network was trained on (hypercolumns: Hariharan et al. 2015). A larger picture shows smaller
    things. Learns nothing. Such features help where texts speak of more than the main thing in a
    picture.

    Parameters
    ----------
    model, weights : see features.encoders.cnn.CNN.
    sizes : sides of the squares that pictures are scaled to, each with the share of the picture
        that the network's own preparation keeps.
    layers : names of modules inside the network that give maps or tokens; by default the seven
        stages of EfficientNet-Lite0. Other networks call theirs otherwise (ResNet: layer1, ...).
    precision : see features.encoders.cnn.CNN.
    """

    modality: ClassVar[Modality] = "image"
    version: ClassVar[int] = 1

    model: Annotated[str, AfterValidator(known_model)] = "efficientnet_lite0"
    weights: str | Path = "default"
    sizes: Annotated[tuple[Side, ...], Field(min_length=1)] = (224, 320)
    layers: tuple[str, ...] = STAGES
    precision: Precision = "auto"

    @property
    def requires(self) -> tuple[str, ...]:
        """See Estimator.requires."""
        return comes_with(self.model, self.weights)

    def chosen(self, size: int) -> Pretrained:
        """The weights, and the preparation for one of the sizes."""
        chosen = pretrained(self.model, self.weights)
        return replace(
            chosen, preparation=chosen.preparation.replaced(size, None, None, None, None)
        )

    def identity(self) -> dict[str, Any]:
        """Weights' digest, preparation at the first size, precision and library versions."""
        return {
            **self.chosen(self.sizes[0]).identity(),
            "precision": chosen_precision(self.precision).identity(),
            "decoding": DECODING,
            "libraries": versions("torch", "pillow", library(self.model)),
        }

    def transform(self, samples: Sequence[bytes]) -> Block:
        """Encode m picture files (bytes): float32 (m, d).

        Raises
        ------
        features.pictures.decoding.UnreadablePicture
            For a file that does not decode, naming its position.
        ValueError
            For a layer that the network does not have, or that gives no map.
        """
        columns = [
            self._at_size(samples, size, self.layers if number == 0 else ())
            for number, size in enumerate(self.sizes)
        ]
        return Block.of(np.hstack(columns))

    def _at_size(
        self, samples: Sequence[bytes], size: int, layers: tuple[str, ...]
    ) -> FloatArray:
        """Features (m, d) of one size: the pooled ones, then the layers' means."""
        from features.networks.inference.encoding import encoded
        from features.networks.inference.stage_extractor import stage_extractor

        net = stage_extractor(self.chosen(size), layers, chosen_precision(self.precision))
        outputs = ["pooled", *layers]
        rows = [
            np.hstack([batch[output] for output in outputs])
            for batch in encoded(net, samples, outputs, self.exact)
        ]
        if not rows:  # no picture at all still has a width
            blank = np.zeros((1, size, size, 3), dtype=np.uint8)
            rows = [np.hstack([net(blank, outputs)[output] for output in outputs])[:0]]
        return np.asarray(np.concatenate(rows), dtype=np.float32)
