"""Gated fusion: how much of each modality goes into a sample's prediction is learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from models.classifier import Positive, Whole
from models.neural.attending import WeighsModalities
from models.neural.fusion import PooledNetwork, Share

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(kw_only=True, eq=False, repr=False)
class Gated(PooledNetwork, WeighsModalities):
    """Gated multimodal unit over the pooled blocks (Arevalo et al. 2017).

    a = tanh(W_a x),  b = tanh(W_b y)
    z = sigmoid(W_z [x, y])
    v = z * a + (1 - z) * b   (elementwise)

    for picture features x and text features y; a linear classifier takes v. The gate z sees both
    modalities of the sample, so it can turn to the picture in one and to the text in another. For
    training see NeuralFusion. `attention(views)` gives (n, 2): the mean of z over the unit's
    dimensions is the weight of the picture, the rest that of the text.

    A sample that lacks a modality has a learned vector in place of its features, which tells the
    gate so. With `modality_dropout`, it is put there for some training samples too, so that it is
    learned where none is missing.

    Parameters
    ----------
    width : dimension of a, b and z.
    modality_dropout : share of the samples that lose one modality, drawn anew at each step.
    epochs : most passes over the training samples.
    patience : passes without improvement after which training stops; half as many suffice where
        what is held out became worse in each.
    learning_rate, weight_decay : of AdamW.
    dropout : share of the features and of v left out at each step.
    loss, label_smoothing, class_weight : what training makes small.
    random_state : seed of the weights, the batches, dropout and the held-out samples.
    """

    version: ClassVar[int] = 3
    stops_rising: ClassVar[bool] = True
    # with 64 and .002 an epoch takes 1.4 times as long, and as many pass (benchmarks.networks)
    batch_size: ClassVar[int] = 128

    width: Whole = 64
    modality_dropout: Share = 0.1
    learning_rate: Positive = 3e-3

    def _network(self, inputs: Sequence[Tensor]) -> nn.Module:
        from models.neural.pooled_network import GatedUnit

        return GatedUnit(
            inputs[0].shape[1],
            inputs[2].shape[1],
            len(self.classes_),
            self.width,
            self.dropout,
            self.modality_dropout,
        )
