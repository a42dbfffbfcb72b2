"""Contrastive projection of pictures and texts into one space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from features.training.settings import Training
from models.classifier import Positive, Whole
from models.neural.fusion import NotNegative, Share
from models.shared_space.projections import Projection
from models.views import Views


@dataclass(kw_only=True, eq=False, repr=False)
class ContrastiveProjection(Projection):
    """Linear maps that put a sample's picture and text near to each other.

    All others lie far from them. With the unit vectors a_i = W_a x_i / |W_a x_i| of pictures x and
    b_j = W_b y_j / |W_b y_j| of texts y, the loss of a batch of m pairs is the symmetric InfoNCE
    with a learned temperature tau (van den Oord et al. 2018; Radford et al. 2021, CLIP):

        s_ij = a_i . b_j / tau
        L = -1/(2m) sum_i [log softmax_j(s_ij) at j = i  +  log softmax_j(s_ji) at j = i]

    tau starts at .3 and stays above .01. Pairs that share their picture or their text are no
    negatives of each other: they are left out of each other's softmax. Reduced features are not
    scaled: the unit vectors, and so the steps of Adam, are the same for any scale.

    Parameters
    ----------
    dimensions : width k of the space.
    reduce : most principal components of each modality.
    batch_size : pairs of one step, the others of which are a pair's negatives.
    epochs, patience, learning_rate, weight_decay : see features.training.settings.Training; early
        stopping looks at the same loss on pairs held out by whole groups.
    dropout : share of the reduced features left out at each step.
    random_state : seed of the weights, the batches, dropout and the held-out pairs.

    Attributes
    ----------
    temperature_ : tau; NaN where there were no two pairs to tell apart.
    history_ : of the training; None where there were no two pairs.
    """

    dimensions: Whole = 64
    reduce: Whole = 256
    batch_size: Whole = 256
    epochs: Whole = 60
    patience: Whole = 6
    learning_rate: Positive = 1e-2
    weight_decay: NotNegative = 0.01
    dropout: Share = 0.3
    random_state: int = 0

    def fit(self, views: Views) -> Self:
        """See Projection.fit. Raises FloatingPointError where training diverges."""
        pairs = views.complete()
        image, text = self._reduced(pairs, self.reduce, self.random_state)
        if len(pairs) < 2:
            self.maps_ = {
                "image": np.zeros((image.shape[1], 1)),
                "text": np.zeros((text.shape[1], 1)),
            }
            self.temperature_, self.history_ = float("nan"), None
            return self
        import torch

        from features.training.batches import RowBatches, TrainingSamples
        from features.training.loop import train
        from features.training.torch_state import on_gpu_if
        from models.shared_space.contrastive_network import TwoMaps, info_nce

        # The indices tell which samples share a picture or a text.
        indices = (block.index for block in pairs.blocks().values())
        batches = RowBatches([*map(torch.from_numpy, (image, text, *indices))], self.batch_size)
        with on_gpu_if(False):  # two linear maps: see NeuralFusion
            network, self.history_ = train(
                lambda: TwoMaps(image.shape[1], text.shape[1], self.dimensions, self.dropout),
                TrainingSamples(batches, np.zeros(len(pairs), dtype=np.int64), pairs.groups),
                lambda scores, _: info_nce(scores),
                self._training(),
            )
        self.maps_ = {"image": network.of_picture.weight.detach().double().numpy().T,
                      "text": network.of_text.weight.detach().double().numpy().T}
        self.temperature_ = float(1 / network.scale().detach())
        return self

    def _training(self) -> Training:
        return Training(
            self.epochs,
            self.patience,
            self.learning_rate,
            self.weight_decay,
            self.random_state,
            self.batch_size,
            separable=False,
        )
