"""Which network and weights a picture encoder takes, and how it prepares pictures for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from features.block import Block, TrainableNetwork, Unfreeze
from features.encoder import Encoder
from features.machine.identity import versions
from features.machine.precision import Precision, chosen_precision, trained_on
from features.networks.catalogue import library
from features.networks.finetuning import Finetune
from features.networks.pretrained import Pretrained, comes_with, pretrained
from features.pictures.augmentation import Augment
from features.pictures.meaning import VERSION as DECODING
from features.pictures.preparation import Channels, PixelArray
from features.pictures.resizing import Interpolation


class PretrainedPictures(Encoder):
    """A pretrained network by its name, and its identity; see CNN for the parameters."""

    model: str
    weights: str | Path
    pooling: str
    layer: str | None
    size: int | None
    crop: float | Literal["none"] | None
    interpolation: Interpolation | None
    mean: Channels | None
    std: Channels | None
    precision: Precision
    pca: int | None
    whiten: bool
    finetune: Finetune | None
    augment: Augment | None

    @property
    def requires(self) -> tuple[str, ...]:
        """See Estimator.requires."""
        return comes_with(self.model, self.weights)

    def chosen(self) -> Pretrained:
        """The weights, and the preparation with what the parameters replace."""
        chosen = pretrained(self.model, self.weights)
        preparation = chosen.preparation.replaced(
            self.size, self.crop, self.interpolation, self.mean, self.std
        )
        return replace(chosen, preparation=preparation)

    def identity(self) -> dict[str, Any]:
        """Digest of the weights, preparation, precision, versions, and a GPU that tunes it."""
        if self.whiten and self.pca is None:
            raise ValueError(
                "whiten needs the key 'pca', the number of components to scale to equal variance"
            )
        if self.pca is not None and self.finetune is not None:
            raise ValueError(
                "pca and finetune exclude each other: components are of frozen features"
            )
        if self.gives_inputs:
            self._check_trainable()
        return {
            **self.chosen().identity(),
            "precision": chosen_precision(self.precision).identity(),
            "decoding": DECODING,
            "libraries": versions("torch", "pillow", library(self.model), *self._drawing()),
            **(trained_on() if self.finetune is not None else {}),
        }

    def _drawing(self) -> list[str]:
        """Libraries that draw augmented copies, and the rows by which fine-tuning stops."""
        return ["numpy"] * (self.augment is not None or self.finetune is not None)

    def _check_trainable(self) -> None:
        """Raise ValueError for parameters that change the features behind the network."""
        wrong = [name for name in ("pca", "finetune", "layer") if getattr(self, name) is not None]
        wrong += ["pooling"] if self.pooling != "model" else []
        wrong += ["augment: {test_copies: true}"] if self.averaged else []
        if wrong:
            raise ValueError(
                "where the network is trained with the fusion it gives what enters its own "
                f"classifier: leave out {', '.join(wrong)}"
            )

    def network(self, unfreeze: Unfreeze, inputs: Block) -> TrainableNetwork:
        """See Encoder.network; with `augment`, every step sees a new copy of each picture."""
        from features.networks.trainable import picture_network

        self._check_trainable()
        return picture_network(self.chosen(), self.augment, unfreeze)

    def shown(self, samples: Sequence[bytes]) -> PixelArray:
        """See Encoder.shown: what is left of each picture after the network's resize and crop."""
        preparation = self.chosen().preparation
        return np.stack([preparation.prepared(picture) for picture in samples])
