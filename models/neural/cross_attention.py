"""Cross-attention fusion: regions look at tokens and tokens at regions, with several heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from models.classifier import Positive, Whole
from models.neural.attention import SequenceAttention

if TYPE_CHECKING:
    from torch import Tensor

    from models.neural.attention_network import Averaged, ScoresBesidePooled


@dataclass(kw_only=True, eq=False, repr=False)
class CrossAttention(SequenceAttention):
    """Multi-head cross-attention both ways.

    See Lu et al. 2019, ViLBERT; Tsai et al. 2019, Multimodal Transformer. For regions X (i, width)
    and tokens H (t, width), projected to one width:

    A_k = softmax over tokens of (X Q_k)(H K_k)' / sqrt(width / heads)   (each region looks at the
    tokens) X' = norm(X + [A_1 H V_1, A_2 H V_2, ...] O),  X'' = norm(X' + W_2 relu(W_1 X'))

    and the same for tokens that look at regions, with weights of their own. A linear classifier
    takes the means of X'' and H'', and with `pooled` also the means of both sequences, whose part
    is solved as in Attention, and the rest trained on top of it; the mean of three, as there. There
    are no positions: the order of regions and of tokens makes no difference. Both are first reduced
    to their principal components. For training see NeuralFusion.

    `attention(views)` gives alpha (n, i, t), which adds up to 1 in each sample: the mean over heads
    of the regions' weights on tokens and of the tokens' weights on regions, each region and each
    token counting the same, and both directions a half.

    A sample that lacks a modality has one learned vector in place of its regions or tokens, and
    zeros in place of their mean; in alpha, that vector stands in the first place.

    Parameters
    ----------
    heads : attention heads; `width` is a multiple of them.
    width : dimension of the common space.
    reduce : most principal components of regions and of tokens.
    pooled : whether the classifier also sees the pooled blocks.
    epochs : most passes over the training samples.
    patience : passes without improvement after which training stops; no more than half of those
        that it took to the best, but a third of `patience` at least.
    learning_rate, weight_decay : of AdamW.
    dropout : share of the projected vectors' dimensions, and of what the classifier takes of
        regions and tokens, left out at each step.
    loss, label_smoothing, class_weight : what training makes small.
    random_state : seed of the weights, the batches, dropout and the folds.
    """

    version: ClassVar[int] = 7

    heads: Whole = 4
    width: Whole = 32
    reduce: Whole = 64
    pooled: bool = True
    learning_rate: Positive = 3e-3

    def _network(self, inputs: Sequence[Tensor]) -> ScoresBesidePooled:
        from models.neural.cross_attention_network import CrossAttentionNetwork

        if self.width % self.heads:
            nearest = max(1, round(self.width / self.heads)) * self.heads
            raise ValueError(
                f"cross_attention: width must be a multiple of heads ({self.heads}), "
                f"not {self.width}; the nearest is {nearest}"
            )
        regions, _, tokens, _, pooled = (tensor.shape[-1] for tensor in inputs)
        return CrossAttentionNetwork(
            regions, tokens, pooled, len(self.classes_), self.width, self.heads, self.dropout
        )

    def _averaged(self, networks: Sequence[ScoresBesidePooled]) -> Averaged:
        from models.neural.cross_attention_network import AveragedCrossAttention

        return AveragedCrossAttention.holding(networks)
