"""Co-training whose picture and text encoders are trained too, end to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from features.block import Block, Form, Modality, Unfreeze
from models.arrays import Labels, Probabilities
from models.classifier import Positive, Whole
from models.neural.co_training import TrainsBranches
from models.neural.dense_blocks import DenseBlocks
from models.neural.fusion import POOLED_NORM
from models.preparation.scaling import BlockScaler
from models.views import Views

if TYPE_CHECKING:
    from torch import Tensor, nn

    from features.training.batches import RowBatches
    from features.training.loop import ParameterGroups


@dataclass(kw_only=True, eq=False, repr=False)
class EndToEnd(TrainsBranches):
    """Co-training (see CoTraining) through which the encoders' own weights are trained too.

    x = f(picture), y = g(text), and the gradient of L reaches the weights of f and g: one network
    of two encoders, two branches and a fused head, as in Baltrusaitis et al. (Multimodal machine
    learning, 2019) under joint representations; the branches' own losses counter that one modality
    is learned and the other neglected (Wang et al., What makes training multi-modal classification
    networks hard?, 2020).

    Of a pretrained encoder (cnn, sbert), the last quarter of the layers is trained, or all; it
    learns at `encoder_learning_rate` and stays in evaluation mode: batch normalisation keeps its
    statistics. Its features are centred and scaled, by numbers from the first weights and at most
    512 training samples, so that training starts where co_training does. An encoder that starts
    from scratch (small_resnet, small_vgg) is trained whole, at `learning_rate`; of its own
    parameters, only those of its shape and `flip` count. An encoder without a network (bow, tfidf,
    word2vec, handcrafted) gives its features, and only the branch on them is trained; one of the
    two must have a network.

    Pictures are changed at random at every step, where the encoder does that (cnn: `augment`; small
    ones: always): only those of rows trained on, never of rows held out to stop by, or predicted. A
    missing picture or text is not encoded; a learned vector stands in its place, as in CoTraining.
    A step takes 32 pictures with all rows that share them (at most 512), where pictures' encoder is
    trained: each picture and text is encoded once a step, however many questions are asked about
    it. Where no two rows share a picture, a step is 32 rows.

    On a GPU it trains in mixed precision; without one, expect minutes for every thousand pictures
    of 224 pixels and epoch.

    Parameters
    ----------
    unfreeze : what is trained of pretrained encoders.
    encoder_learning_rate : learning rate of pretrained encoders.
    width, branch_weight, agreement, modality_dropout, interaction : see
        models.neural.co_training.CoTraining.
    learning_rate : of AdamW, for all but pretrained encoders.
    epochs, patience, weight_decay, dropout, loss, label_smoothing, class_weight, random_state : see
        models.neural.co_training.CoTraining.
    """

    version: ClassVar[int] = 3
    needs: ClassVar[dict[Modality, Form]] = {"image": "inputs", "text": "inputs"}
    takes_several: ClassVar[bool] = False
    predicts: ClassVar[str] = "fused_features"
    batch_size: ClassVar[int] = 32
    gpu_pays: ClassVar[bool] = True
    not_bundled: ClassVar[frozenset[str]] = frozenset({"network_"})  # made again of `weights_`

    unfreeze: Unfreeze = "last_stage"
    encoder_learning_rate: Positive = 1e-4
    epochs: Whole = 30
    patience: Whole = 5
    learning_rate: Positive = 1e-3

    def _learn_from(self, views: Views, y: Labels) -> None:
        super()._learn_from(views, y)
        if not any(block.encoder for block in self._needed(views).values()):
            raise ValueError(
                "EndToEnd trains encoders, but neither block holds the inputs of one "
                "(Block.encoder)"
            )

    def _prepare(self, views: Views) -> None:
        """Scale the features of an encoder that is not trained."""
        features = self._features(views)
        self.trained_ = [
            modality
            for modality in self.needs
            if modality not in (features.blocks() if features else {})
        ]
        if features is not None:
            self.dense_ = DenseBlocks(self.random_state).fit(features)
            self.scalers_ = {
                modality: BlockScaler().fit(block)
                for modality, block in self.dense_.of(features).items()
            }

    def _features(self, views: Views) -> Views | None:
        """The blocks that hold features; None where both hold inputs."""
        blocks = {
            modality: block for modality, block in views.blocks().items() if block.encoder is None
        }
        return Views(blocks.get("image"), blocks.get("text")) if blocks else None

    def _inputs(self, views: Views) -> tuple[Any, ...]:
        """Pictures and which samples have one (n,), texts and which have one (n,).

        They are stored inputs, or features.
        """
        import torch

        from models.neural.end_to_end_network import Stored

        features = self._features(views)
        scaled = {} if features is None else {
            modality: torch.from_numpy(self.scalers_[modality].transform(block) * POOLED_NORM)
            for modality, block in self.dense_.of(features).items()}
        inputs: list[Any] = []
        for modality, block in views.blocks().items():
            inputs += [
                scaled[modality] if modality in scaled else Stored(block),
                torch.from_numpy(block.present),
            ]
        return tuple(inputs)

    def _batches(self, inputs: Sequence[Any]) -> RowBatches:
        """Rows of one picture in one batch, where it is encoded."""
        from models.neural.end_to_end_network import PictureBatches, Stored

        if isinstance(inputs[0], Stored):
            return PictureBatches(inputs, inputs[0].block.index, self.batch_size)
        return super()._batches(inputs)

    def fit(self, views: Views, y: Labels) -> Self:
        """See NeuralFusion.fit; what was learned is kept as weights, too."""
        super().fit(views, y)
        if len(self.classes_) > 1:
            from features.training.torch_state import arrays_of

            self.weights_ = arrays_of(self.network_)
        return self

    def predict_proba(self, views: Views) -> Probabilities:
        """See NeuralFusion.predict_proba."""
        self._known(views)
        if len(self.classes_) > 1 and not hasattr(self, "network_"):
            from features.training.torch_state import with_arrays

            # trained elsewhere: made again by the encoders that come with the inputs
            self.network_ = with_arrays(self._network(self._inputs(views)), self.weights_)
        return super().predict_proba(views)

    def _asked(self, views: Views) -> tuple[Any, ...]:
        """Features and which samples have them; each distinct sample is encoded once."""
        inputs = list(self._inputs(views))
        for number, (modality, block) in enumerate(views.blocks().items()):
            if modality in self.trained_:
                inputs[2 * number] = self._encoded(modality, block)
        return tuple(inputs)

    def _encoded(self, modality: Modality, block: Block) -> Tensor:
        """Features (n, d) of a trained encoder; zeros for missing samples."""
        import torch

        from features.training.batches import applied
        from models.neural.end_to_end_network import Stored

        network: Any = self.network_
        encoder = network.encoders[modality]
        features = torch.zeros(len(block), encoder.width)
        if block.present.any():
            distinct, of_row = np.unique(block.index[block.present], return_inverse=True)
            features[torch.from_numpy(block.present)] = applied(
                encoder, [Stored(block.at(distinct))]
            )[of_row]
        return features

    def _network(self, inputs: Sequence[Any]) -> nn.Module:
        from models.neural.end_to_end_network import (
            Encoded,
            EncodersAndBranches,
            Stored,
            encoder_of,
        )
        from models.neural.pooled_network import TwoBranches

        encoders: dict[str, Encoded] = {
            modality: encoder_of(rows.block, self.unfreeze)
            for modality, rows in zip(self.needs, inputs[::2], strict=True)
            if isinstance(rows, Stored)
        }
        widths = [encoders[modality].width if modality in encoders else rows.shape[1]
                  for modality, rows in zip(self.needs, inputs[::2], strict=True)]
        branches = TwoBranches(widths[0], widths[1], len(self.classes_), self.width, self.dropout,
                               self.modality_dropout, self.interaction)
        return EncodersAndBranches(encoders, branches)

    def _parameters(self, network: Any) -> ParameterGroups:
        pretrained, others = network.trained_parameters()
        return [
            {"params": others},
            *([{"params": pretrained, "lr": self.encoder_learning_rate}] if pretrained else []),
        ]
