"""What the fusions that train a network share: one constructor vocabulary, one fit, one prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from features.encoder import FloatArray
from models.fusion import Fusion, Labels, Probabilities
from models.views import Views

if TYPE_CHECKING:
    from torch import Tensor, nn

    from models.trainer import Objective

# Rows of norm 1 have tiny columns: at the learning rate that suits projected sequences, their weights would
# still be small when the others overfit. With norm 10 both learn at one pace (attention on OpenMoji,
# macro-F1: norm 1 .79, 10 .82, 25 .82).
POOLED_NORM = np.float32(10)

Loss = Literal["cross_entropy", "mse"]
ClassWeight = Literal["none", "balanced"]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class NeuralFusion(Fusion):
    """A network trained by models.trainer. Subclasses store the parameters below and say what goes in.

    Training (AdamW) stops early on 15 % of the training samples, drawn by class (and by whole groups, where
    the views know groups); the best weights are kept. It runs on the GPU where there is one.

    Parameters
    ----------
    epochs, patience, learning_rate, weight_decay, random_state : see models.trainer.Training.
    loss, label_smoothing, class_weight : see models.trainer.classification_loss.

    Attributes
    ----------
    network_, history_ : the trained network and models.trainer.History; absent where all training labels were
        equal, so that there was nothing to learn.
    """

    takes_classifier: ClassVar[bool] = False
    uses_groups: ClassVar[bool] = True

    epochs: int
    patience: int
    learning_rate: float
    weight_decay: float
    loss: Loss
    label_smoothing: float
    class_weight: ClassWeight
    random_state: int

    def _prepare(self, views: Views) -> None:
        """Learn from the training samples what `_inputs` needs."""
        raise NotImplementedError

    def _inputs(self, views: Views) -> tuple[Tensor, ...]:
        """What the network is called with: tensors (n, ...)."""
        raise NotImplementedError

    def _network(self, inputs: Sequence[Tensor]) -> nn.Module:
        """Untrained network for inputs of these shapes and the classes of `classes_`."""
        raise NotImplementedError

    def _objective(self, codes: Labels) -> Objective:
        """Loss of the network's output, which predicts by its class scores (n, K)."""
        from models.trainer import classification_loss

        return classification_loss(self.loss, self.label_smoothing, self.class_weight, codes)

    def _scores(self, inputs: Sequence[Tensor]) -> Tensor:
        """Class scores (n, K) of the trained network."""
        from models.trainer import applied

        return applied(self.network_, inputs)

    def fit(self, views: Views, y: Labels) -> Self:
        """Learn from n training samples with labels (n,).

        Raises
        ------
        FloatingPointError
            Where training diverges.
        """
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) == 1:
            return self
        from models.trainer import Training, train

        self._prepare(views)
        inputs = self._inputs(views)
        how = Training(self.epochs, self.patience, self.learning_rate, self.weight_decay, self.random_state)
        self.network_, self.history_ = train(
            lambda: self._network(inputs), inputs, codes, self._objective(codes), how, views.groups)
        return self

    def predict_proba(self, views: Views) -> Probabilities:
        """Probabilities (n, K), columns in the order of `classes_`."""
        if len(self.classes_) == 1 or not len(views):
            return np.full((len(views), len(self.classes_)), 1 / len(self.classes_))
        return np.asarray(self._scores(self._inputs(views)).double().softmax(dim=1).numpy(), dtype=np.float64)

    def attention(self, views: Views) -> FloatArray:
        """Weights that say what the prediction of each of n samples looked at; the class documents their shape.

        Raises
        ------
        ValueError
            Where all training labels were equal, so that nothing was learned.
        """
        if len(self.classes_) == 1:
            raise ValueError(f"no attention was learned: every training label was {self.classes_[0]}")
        from models.trainer import applied

        return np.asarray(applied(self.network_, self._inputs(views), "attention").numpy(), dtype=np.float32)
