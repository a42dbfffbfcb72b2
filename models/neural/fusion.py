"""What the fusions that train a network share: parameters, one fit, one prediction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from features.block import Form, Modality
from features.training.settings import History, Loss, Training
from models.arrays import Codes, Labels, Probabilities, Rows
from models.classifier import ClassWeight, Positive, Whole
from models.course import TrainsNetwork
from models.groups import UsesGroups
from models.neural.dense_blocks import DenseBlocks
from models.neural.joined_blocks import joined_vectors, of_modalities
from models.preparation.scaling import BlockScaler
from models.views import Views

if TYPE_CHECKING:
    from torch import Tensor, nn

    from features.training.batches import RowBatches
    from features.training.loop import Objective, ParameterGroups

    Network = TypeVar("Network", bound=nn.Module)

# Rows of norm 1 have tiny columns: at the learning rate that suits projected sequences, their
# weights would still be small when the others overfit. With norm 10 both learn at one pace
# (attention on OpenMoji, macro-F1: norm 1 .79, 10 .82, 25 .82).
POOLED_NORM = np.float32(10)

RowSplit = tuple[Rows, Rows]  # to train on and to stop by
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]


@dataclass(kw_only=True, eq=False, repr=False)
class NeuralFusion(TrainsNetwork, UsesGroups):
    """A network trained by features.training.loop.

    Subclasses inherit the parameters below, add their own and say what goes in.

    Training (AdamW) stops early on 15 % of the training samples, unless a subclass says on which
    others, drawn by class (and by whole groups, where the views know groups); the best weights are
    kept. It runs on a GPU where that pays (`gpu_pays`): steps of `batch_size` rows through a small
    network are over before a GPU has been told of all their operations, and the processor's cores
    train as many networks side by side.

    Parameters
    ----------
    epochs, patience, learning_rate, weight_decay, random_state : see
        features.training.settings.Training.
    dropout : share left out at each step; of what, the subclass says.
    loss, label_smoothing, class_weight : see models.neural.losses.row_losses.

    Attributes
    ----------
    network_, history_ : the trained network and its features.training.settings.History; absent
        where all training labels were equal, so that there was nothing to learn.
    """

    predicts: ClassVar[str] = "forward"  # the network's method that gives class scores (n, K)
    batch_size: ClassVar[int] = 64  # samples of one training step
    stops_rising: ClassVar[bool] = False  # see features.training.settings.Training

    epochs: Whole = 60
    patience: Whole = 6
    learning_rate: Positive = 2e-3
    weight_decay: NotNegative = 0.01
    dropout: Share = 0.3
    loss: Loss = "cross_entropy"
    label_smoothing: Share = 0.0
    class_weight: ClassWeight = "none"
    random_state: int = 0

    def warm_up(self) -> None:
        """See Fusion.warm_up."""
        super().warm_up()
        from features.training import loop

        loop.warm_up()

    def _prepare(self, views: Views) -> None:
        """Learn from the training samples what `_inputs` needs."""
        raise NotImplementedError

    def _inputs(self, views: Views) -> tuple[Any, ...]:
        """What the network is called with, (n, ...) each: see features.training.batches.Rowwise."""
        raise NotImplementedError

    def _asked(self, views: Views) -> tuple[Any, ...]:
        """What its method `predicts` is called with to predict some samples."""
        return self._inputs(views)

    def _network(self, inputs: Sequence[Any]) -> nn.Module:
        """Untrained network for inputs of these shapes and the classes of `classes_`."""
        raise NotImplementedError

    def _batches(self, inputs: Sequence[Any]) -> RowBatches:
        """Batches of the training samples' inputs."""
        from features.training.batches import RowBatches

        return RowBatches(inputs, self.batch_size)

    def _parameters(self, network: nn.Module) -> ParameterGroups:
        """Groups of parameters to train, for those with a learning rate of their own.

        See features.training.loop.train.
        """
        return [{"params": network.parameters()}]

    def _objective(self, codes: Codes) -> Objective:
        """Loss of the network's output: class scores (n, K), unless a subclass has it otherwise."""
        from models.neural.losses import classification_loss

        return classification_loss(self.loss, self.label_smoothing, self.class_weight, codes)

    def _criterion(self, codes: Codes) -> Objective | None:
        """What early stopping looks at, where it is not the objective."""
        return None

    def course(self) -> dict[str, Any] | None:
        """See TrainsNetwork.course."""
        return self.history_.facts() if len(self.classes_) > 1 else None

    def fit(self, views: Views, y: Labels) -> Self:
        """Learn from n training samples with labels (n,).

        Raises
        ------
        ValueError
            For samples, labels or features that cannot be learned from.
        FloatingPointError
            Where training diverges.
        """
        self._learn_from(views, y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) == 1:
            return self
        from torch import Tensor

        from features.training.torch_state import on_gpu_if

        self._prepare(views)
        inputs = self._inputs(views)
        if not all(
            bool(tensor.isfinite().all()) for tensor in inputs if isinstance(tensor, Tensor)
        ):
            raise ValueError("some features are not finite numbers")
        with on_gpu_if(self.gpu_pays):
            self.network_, self.history_ = self._learned(views, inputs, codes)
        return self

    def _learned(
        self, views: Views, inputs: tuple[Any, ...], codes: Codes
    ) -> tuple[nn.Module, History]:
        """The trained network and the course of its training.

        Parameters
        ----------
        inputs : what `_inputs` makes of the training samples.
        """
        return self._trained(lambda: self._network(inputs), inputs, codes, views.groups)

    def _trained(
        self,
        build: Callable[[], Network],
        inputs: tuple[Any, ...],
        codes: Codes,
        groups: NDArray[Any] | None,
        split: RowSplit | None = None,
    ) -> tuple[Network, History]:
        """A network for these inputs, trained; see TrainingSamples."""
        from features.training.batches import TrainingSamples
        from features.training.loop import train

        return train(
            build,
            TrainingSamples(self._batches(inputs), codes, groups, split),
            self._objective(codes),
            self._training(),
            self._criterion(codes),
            self._parameters,
        )

    def _training(self) -> Training:
        return Training(
            self.epochs,
            self.patience,
            self.learning_rate,
            self.weight_decay,
            self.random_state,
            self.batch_size,
            stops_rising=self.stops_rising,
        )

    def predict_proba(self, views: Views) -> Probabilities:
        """Probabilities (n, K), columns in the order of `classes_`."""
        self._known(views)
        if len(self.classes_) == 1 or not len(views):
            return np.full((len(views), len(self.classes_)), 1 / len(self.classes_))
        from features.training.batches import applied
        from features.training.torch_state import on_gpu_if

        with on_gpu_if(self.gpu_pays):
            scores = applied(self.network_, self._asked(views), self.predicts).double()
        return np.asarray(scores.softmax(dim=1).numpy(), dtype=np.float64)


class PooledNetwork(NeuralFusion):
    """A network over the pooled blocks, scaled like those of concat.

    Several of a modality are side by side, and share its norm equally.
    """

    takes_several: ClassVar[bool] = True
    needs: ClassVar[dict[Modality, Form]] = {"image": "pooled", "text": "pooled"}

    def _prepare(self, views: Views) -> None:
        self.dense_ = DenseBlocks(self.random_state).fit(views)
        self.scalers_ = {
            name: BlockScaler().fit(block) for name, block in self.dense_.of(views).items()
        }

    def _inputs(self, views: Views) -> tuple[Tensor, ...]:
        """Pictures (n, d) and which samples have one (n,), texts (n, e) and which have one (n,)."""
        import torch

        blocks = self.dense_.of(views)
        scaled = {
            name: self.scalers_[name].transform(block) * POOLED_NORM
            for name, block in blocks.items()
        }
        arrays: list[Any] = []
        for parts, alike in zip(of_modalities(scaled), of_modalities(blocks), strict=True):
            arrays += [joined_vectors(parts), alike[0].present]
        return tuple(map(torch.from_numpy, arrays))
