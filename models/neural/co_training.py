"""Co-training: classifiers for each modality and for both, trained together to agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from models.arrays import Codes
from models.classifier import Whole
from models.neural.fusion import NotNegative, PooledNetwork, Share

if TYPE_CHECKING:
    from torch import Tensor, nn

    from features.training.loop import Objective


@dataclass(kw_only=True, eq=False, repr=False)
class TrainsBranches(PooledNetwork):
    """What the forms of co-training share: its network and its loss, see CoTraining."""

    predicts: ClassVar[str] = "fused"

    width: Whole = 64
    branch_weight: NotNegative = 0.5
    agreement: NotNegative = 0.1
    modality_dropout: Share = 0.2
    interaction: Literal["none", "product"] = "none"

    def _network(self, inputs: Sequence[Tensor]) -> nn.Module:
        from models.neural.pooled_network import TwoBranches

        return TwoBranches(
            inputs[0].shape[1],
            inputs[2].shape[1],
            len(self.classes_),
            self.width,
            self.dropout,
            self.modality_dropout,
            self.interaction,
        )

    def _objective(self, codes: Codes) -> Objective:
        from models.neural.losses import row_losses
        from models.neural.pooled_network import co_training_loss

        loss_of_rows = row_losses(self.loss, self.label_smoothing, self.class_weight, codes)
        return co_training_loss(loss_of_rows, self.branch_weight, self.agreement)

    def _criterion(self, codes: Codes) -> Objective:
        of_scores = super()._objective(codes)
        return lambda branches, codes: of_scores(branches.fused, codes)


@dataclass(kw_only=True, eq=False, repr=False)
class CoTraining(TrainsBranches):
    """Both modalities' branches and a fused head trained together; the fused head predicts.

    a = relu(W_a x), b = relu(W_b y)       (hidden layers of the branches)
    p_a = softmax(C_a a), p_b = softmax(C_b b), p = softmax(C [a, b])
    L = l(p) + w (l(p_a) + l(p_b)) + g (KL(p_a, p_b) + KL(p_b, p_a)) / 2

    for picture features x, text features y and the loss l of the grid. The last term makes the
    branches agree, as in deep mutual learning (Zhang et al. 2018), here with the gradient through
    both sides; the branches' own losses keep each modality trained where the other alone would do.
    For training see NeuralFusion: early stopping looks at l(p).

    C is linear in [a, b]: it adds up what picture and text say, each for itself. Where one says how
    to read the other (a question, and the picture it is asked about), p = softmax(C [a, b, m])
    with interaction "product": m = tanh(U a) * tanh(V b), elementwise, which is bilinear in a and b
    at a low rank (Kim et al., Hadamard product for low-rank bilinear pooling, 2017), the product of
    picture and text that Attention makes of their pairs.

    Terms of a modality that a sample lacks are left out of L, and in [a, b] a learned vector stands
    in its place. With `modality_dropout`, it stands there for some training samples that have both
    too, so that the fused head can predict from either alone.

    Parameters
    ----------
    width : dimension of a and of b.
    branch_weight : w, the weight of the branches' own losses.
    agreement : g, the weight of the branches' disagreement.
    modality_dropout : share of the samples that lose one modality in the fused head, drawn anew at
        each step.
    interaction : "none", or "product": whether the fused head also sees m.
    epochs : most passes over the training samples.
    patience : passes without improvement after which training stops; half as many suffice where
        what is held out became worse in each.
    learning_rate, weight_decay : of AdamW.
    dropout : share of the features and of the hidden layers left out at each step.
    loss, label_smoothing, class_weight : see models.neural.losses.row_losses.
    random_state : seed of the weights, the batches, dropout and the held-out samples.
    """

    version: ClassVar[int] = 3
    stops_rising: ClassVar[bool] = True
