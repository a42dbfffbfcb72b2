"""Attention fusion: pairs of picture regions and text tokens that fit each other decide the class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from features.encoder import FloatArray, Form, Modality
from models.fusion import Fusion, Labels, Probabilities
from models.reduction import SequenceReduction, mean_vectors
from models.scaling import BlockScaler
from models.views import Views

if TYPE_CHECKING:
    from models.attention_network import Inputs, PairAttention

HELD_OUT = 0.15
BATCH = 64
# Rows of norm 1 have tiny columns: at the learning rate that suits v, their weights would still be small when
# v's overfit. With norm 10 both learn at one pace (OpenMoji, macro-F1: norm 1 .79, 10 .82, 25 .82).
POOLED_NORM = np.float32(10)


class Attention(Fusion):
    """Attention over all pairs of a picture region x_i and a text token h_t, projected to one width.

    e_it = x_i . h_t / sqrt(width)   (dot; Vaswani et al. 2017, Attention Is All You Need)
    e_it = s cos(x_i, h_t)           (cosine, with a learned scale s)
    alpha = softmax of e over all pairs (i, t) of a sample
    v = sum_i sum_t alpha_it x_i * h_t   (elementwise product)

    A linear classifier takes v, and with `pooled` also the means of both sequences, scaled like the blocks
    of concat. Regions and tokens are first reduced to their principal components. Training (AdamW,
    cross-entropy) stops early on 15 % of the training samples, drawn by class; the best weights are kept.
    It runs on the GPU where there is one.

    A sample that lacks a modality has one learned vector in place of its regions or tokens, and zeros in
    place of their mean.

    Parameters
    ----------
    similarity : how a region and a token are compared.
    width : dimension of the common space.
    reduce : most principal components of regions and of tokens.
    pooled : whether the classifier also sees the pooled blocks.
    epochs : most passes over the training samples.
    patience : passes without improvement after which training stops.
    learning_rate, weight_decay : of AdamW.
    dropout : share of the projected vectors' and the classifier's inputs left out at each step.
    random_state : seed of the weights, the batches, dropout and the held-out samples.
    """

    version: ClassVar[int] = 1
    needs: ClassVar[dict[Modality, Form]] = {"image": "sequence", "text": "sequence"}
    takes_classifier: ClassVar[bool] = False

    def __init__(
        self,
        similarity: Literal["dot", "cosine"] = "dot",
        width: Annotated[int, Field(ge=1)] = 32,
        reduce: Annotated[int, Field(ge=1)] = 64,
        pooled: bool = True,
        epochs: Annotated[int, Field(ge=1)] = 60,
        patience: Annotated[int, Field(ge=1)] = 6,
        learning_rate: Annotated[float, Field(gt=0)] = 2e-3,
        weight_decay: Annotated[float, Field(ge=0)] = 0.01,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3,
        random_state: int = 0,
    ) -> None:
        self.similarity = similarity
        self.width = width
        self.reduce = reduce
        self.pooled = pooled
        self.epochs = epochs
        self.patience = patience
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.random_state = random_state

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
        blocks = {modality: views.blocks()[modality] for modality in self.needs}
        self.reductions_ = {modality: SequenceReduction(self.reduce, random_state=self.random_state).fit(block)
                            for modality, block in blocks.items()}
        if self.pooled:
            self.scalers_ = {modality: BlockScaler().fit(mean_vectors(block)) for modality, block in blocks.items()}
        self.network_, self.epochs_ = self._trained(self._inputs(views), codes)
        return self

    def predict_proba(self, views: Views) -> Probabilities:
        """Probabilities (n, K), columns in the order of `classes_`."""
        if len(self.classes_) == 1 or not len(views):
            return np.full((len(views), len(self.classes_)), 1 / len(self.classes_))
        from models.attention_network import scores

        found = scores(self.network_, self._inputs(views).to(self._device())).double().softmax(dim=1)
        return np.asarray(found.cpu().numpy(), dtype=np.float64)

    def attention(self, views: Views) -> FloatArray:
        """Weights alpha (n, i, t) of every pair of a region and a token; they add up to 1 in each sample.

        Where a modality is missing, its learned vector stands in the first place.

        Raises
        ------
        ValueError
            Where all training labels were equal, so that nothing was learned.
        """
        if len(self.classes_) == 1:
            raise ValueError(f"no attention was learned: every training label was {self.classes_[0]}")
        from models.attention_network import weights

        return np.asarray(weights(self.network_, self._inputs(views).to(self._device())).cpu().numpy())

    def _inputs(self, views: Views) -> Inputs:
        import torch

        from models.attention_network import Inputs

        blocks = views.blocks()
        regions, region_mask = self.reductions_["image"].transform(blocks["image"])
        tokens, token_mask = self.reductions_["text"].transform(blocks["text"])
        pooled = [self.scalers_[modality].transform(mean_vectors(blocks[modality])) * POOLED_NORM
                  for modality in self.needs] if self.pooled else [np.zeros((len(views), 0), dtype=np.float32)]
        return Inputs(*map(torch.from_numpy, (regions, region_mask, tokens, token_mask, np.hstack(pooled))))

    def _trained(self, inputs: Inputs, codes: NDArray[np.int64]) -> tuple[PairAttention, int]:
        import torch

        from models.attention_network import PairAttention, Training, train

        device = self._device()
        rng = np.random.default_rng(self.random_state)
        fitted, held_out = _split(codes, rng)
        # The global random state is left as it was: dropout and first weights draw from it.
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(self.random_state)
            network = PairAttention(
                inputs.regions.shape[2], inputs.tokens.shape[2], inputs.pooled.shape[1], len(self.classes_),
                self.width, self.similarity, self.dropout).to(device)
            how = Training(self.epochs, BATCH, self.learning_rate, self.weight_decay, self.patience)
            epochs = train(network, inputs.to(device), torch.from_numpy(codes).to(device), fitted, held_out, how, rng)
        return network, epochs

    @staticmethod
    def _device() -> Any:
        import torch

        return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _split(codes: NDArray[np.int64], rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to fit and rows to stop early on: the same share of each class, none of a class with few rows."""
    held_out = [rng.permutation(rows)[: int(HELD_OUT * len(rows))]
                for rows in (np.flatnonzero(codes == code) for code in np.unique(codes))]
    stopping = np.sort(np.concatenate(held_out))
    return np.setdiff1d(np.arange(len(codes)), stopping), stopping
