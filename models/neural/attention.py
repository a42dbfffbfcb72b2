"""Attention fusion: which picture regions and text tokens fit each other decides the class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from features.block import Block, BlockName, FloatArray, Form, Modality
from features.training.settings import History, Training, mean_course
from models.arrays import Codes, Labels
from models.classifier import Positive, Whole
from models.cross_fitted import CrossFitted
from models.neural.attending import AttendsToPairs
from models.neural.dense_blocks import DenseBlocks
from models.neural.fusion import POOLED_NORM, RowSplit
from models.neural.joined_blocks import (
    joined_sequences,
    joined_vectors,
    joined_weights,
    of_modalities,
)
from models.preparation.inner_folds import stratified_folds
from models.preparation.principal_components import SequenceReduction, mean_vectors
from models.preparation.scaling import BlockScaler
from models.views import Views

if TYPE_CHECKING:
    from torch import Tensor, nn

    from models.neural.attention_network import Averaged, ScoresBesidePooled
    from models.softmax.linear_part import LinearPart


# Components that stand for a sparse block: what concat solves, it solves with all of its columns
# (OpenMoji with tfidf, balanced accuracy: concat .716, 256 components .704, 512 .705, 1,024 .729).
SPARSE_COMPONENTS = 1024


class SequenceAttention(AttendsToPairs, CrossFitted):
    """Attention over regions and tokens: both are reduced to their principal components.

    Three networks are trained, each on two of three folds of the training samples until the third
    says stop, and their class scores averaged. So none are held out of all that is learned, and
    what each network says of its third are predictions of samples that it has not seen.

    With `pooled`, the classifier also sees the means of both sequences, scaled like the blocks of
    concat, and starts where concat ends: their weights are solved (models.softmax.linear_part), and
    the networks learn on top of the scores that other folds give each training sample. Where a
    modality has several encoders, their regions or tokens stand in one sequence, those of each
    encoder with a projection of their own (joined_sequences), and the means share its norm equally.

    Attributes
    ----------
    linear_ : what the folds chose for the means, "share" of the texts and "C"; with `pooled`.
    """

    takes_several: ClassVar[bool] = True
    needs: ClassVar[dict[Modality, Form]] = {"image": "sequence", "text": "sequence"}
    batch_size: ClassVar[int] = 128

    reduce: int
    pooled: bool

    def _prepare(self, views: Views) -> None:
        self.dense_ = DenseBlocks(self.random_state, SPARSE_COMPONENTS, products=True).fit(views)
        blocks = self.dense_.of(views)
        self.reductions_ = {
            name: SequenceReduction(self.reduce, random_state=self.random_state).fit(block)
            for name, block in blocks.items()
        }
        if self.pooled:
            self.scalers_ = {
                name: BlockScaler().fit(mean_vectors(block)) for name, block in blocks.items()
            }

    def fit(self, views: Views, y: Labels) -> Self:
        """See NeuralFusion.fit."""
        counts = np.unique(y, return_counts=True)[1]
        self.out_of_fold_ = np.tile(counts / len(y), (len(y), 1))
        return super().fit(views, y)

    def _learned(
        self, views: Views, inputs: tuple[Any, ...], codes: Codes
    ) -> tuple[nn.Module, History]:
        """See NeuralFusion: what pooled features say is solved, and the rest is learned on top."""
        import torch

        from features.training.batches import applied
        from models.neural.attention_network import OnTop

        *sequences, _ = inputs
        part, known = None, torch.zeros(len(codes), len(self.classes_))
        if self.pooled:
            part = self._linear_part(views, codes)
            known, self.linear_ = torch.from_numpy(part.scores), part.setting._asdict()
        networks, courses = [], []
        for split in self._splits(codes, views.groups):
            trained, course = self._trained(
                lambda: OnTop(self._network(inputs)),
                (*sequences, known),
                codes,
                views.groups,
                split,
            )
            if split is not None:
                held_out = torch.from_numpy(split[1])
                asked = [tensor[held_out] for tensor in (*sequences, known)]
                scores = applied(trained, asked).double()
                self.out_of_fold_[split[1]] = scores.softmax(dim=1).numpy()
            networks.append(trained.finished(part))
            courses.append(course)
        return self._averaged(networks), mean_course(courses)

    def _splits(
        self, codes: Codes, groups: NDArray[Any] | None
    ) -> Sequence[RowSplit | None]:
        """What each network is trained on and stopped by; None for a share, where rows are few.

        Not the folds that the known scores come from: what is known of the samples trained on has
        learned from those held out there, and what it has made too much of on the latter would be
        held against it on the former (OpenMoji: best epochs 1 to 2 in place of 3 to 4).
        """
        from models.softmax.linear_part import FOLDS

        return stratified_folds(codes, FOLDS, self.random_state + 1, groups) or [None]

    def _linear_part(self, views: Views, codes: Codes) -> LinearPart:
        """What pooled features of the training samples say by themselves."""
        from models.softmax.design_matrix.transformed_block import split_columns
        from models.softmax.linear_part import FOLDS, PooledRows

        means = self._means(self.dense_.of(views))
        pictures, texts = of_modalities(means)
        rows = PooledRows(pictures, texts, float(POOLED_NORM), codes, self.class_weight)
        part = rows.linear_part(stratified_folds(codes, FOLDS, self.random_state, views.groups))
        widths = [block.shape[1] for block in means.values()]
        weights = dict(zip(means, split_columns(part.weight, widths), strict=True))
        return part._replace(weight=np.hstack(list(map(joined_weights, of_modalities(weights)))))

    def _network(self, inputs: Sequence[Tensor]) -> ScoresBesidePooled:
        """See NeuralFusion."""
        raise NotImplementedError

    def _training(self) -> Training:
        """See NeuralFusion.

        Where pairs tell little, the best epoch is one of the first: with the whole patience, fits
        on OpenMoji train for 1.3 to 1.8 times as many epochs for the same scores
        (benchmarks.attention).
        """
        return replace(super()._training(), least_patience=-(-self.patience // 3))

    def _averaged(self, networks: Sequence[ScoresBesidePooled]) -> Averaged:
        """The mean of such networks."""
        raise NotImplementedError

    def _inputs(self, views: Views) -> tuple[Tensor, ...]:
        """Regions, tokens and pooled features.

        Regions (n, i, c), their mask (n, i), tokens (n, t, c), their mask (n, t), and pooled
        features (n, d).
        """
        import torch

        blocks = self.dense_.of(views)
        reduced = {name: self.reductions_[name].transform(block) for name, block in blocks.items()}
        sequences: list[Any] = []
        for parts in of_modalities(reduced):
            sequences += joined_sequences(parts)
        pooled = [np.zeros((len(views), 0), np.float32)]
        if self.pooled:
            pooled = list(map(joined_vectors, of_modalities(self._means(blocks))))
        return tuple(map(torch.from_numpy, (*sequences, np.hstack(pooled))))

    def _means(self, blocks: Mapping[BlockName, Block]) -> dict[BlockName, FloatArray]:
        """The scaled mean of each sample's regions or tokens, (n, d) of each block."""
        return {
            name: self.scalers_[name].transform(mean_vectors(block)) * POOLED_NORM
            for name, block in blocks.items()
        }


@dataclass(kw_only=True, eq=False, repr=False)
class Attention(SequenceAttention):
    """Attention over all pairs of a picture region x_i and a text token h_t.

    Both are projected to one width, linearly, or ("hidden") each by W_2 relu(W_1 x): v is bilinear
    in what is projected, and a token that stands for a whole question (tfidf) must first become
    "not" and "red" together. On easy-VQA (the grid `vqa`) accuracy with tfidf is .984 with the
    hidden layer and .909 without, with sbert .985 and .954; on whether a sentence is about a photo
    (benchmarks.captions) .779 and .828: where each word has a vector, the layer costs.

    e_it = x_i . h_t / sqrt(width)   (dot; Vaswani et al. 2017, Attention Is All You Need)
    e_it = s cos(x_i, h_t)           (cosine, with a learned scale s)
    alpha = softmax of e over all pairs (i, t) of a sample
    v = sum_i sum_t alpha_it x_i * h_t   (elementwise product)

    Regions and tokens are first reduced to their principal components. A linear classifier takes v,
    and with `pooled` also the means [a, b] of both sequences, scaled like the blocks of concat:

    p = softmax(U v + W [sqrt(1 - s) a, sqrt(s) b] + c)

    W is that of softmax regression on [a, b] alone, s and its strength C chosen by its log loss on
    three folds; U and what v is made of are then trained on top of the log probabilities that these
    folds give the samples they leave out, from U = 0, which is concat. So v is asked only for what
    the means do not tell, and where that is nothing, little is lost. Trained together, as until
    version 4, W stopped early, on the samples that were not held out, and lost to concat: -.010 on
    emoji with sbert, -.014 on Flipkart's titles (benchmarks.attention). U v stands for the mean of
    three networks, one stopped by each fold, and alpha for the mean of theirs. For training see
    NeuralFusion. `attention(views)` gives alpha (n, i, t), which adds up to 1 in each sample.

    A sample that lacks a modality has one learned vector in place of its regions or tokens, and
    zeros in place of their mean; in alpha, that vector stands in the first place.

    Parameters
    ----------
    similarity : how a region and a token are compared.
    projection : "linear", or "hidden" for a hidden layer of twice the width.
    width : dimension of the common space.
    reduce : most principal components of regions and of tokens.
    pooled : whether the classifier also sees the pooled blocks.
    epochs : most passes over the training samples.
    patience : passes without improvement after which training stops; no more than half of those
        that it took to the best, but a third of `patience` at least.
    learning_rate, weight_decay : of AdamW.
    dropout : share of the projected vectors' dimensions and of v left out at each step.
    loss, label_smoothing, class_weight : what training makes small.
    random_state : seed of the weights, the batches, dropout and the folds.
    """

    version: ClassVar[int] = 8

    similarity: Literal["dot", "cosine"] = "dot"
    projection: Literal["linear", "hidden"] = "linear"
    width: Whole = 32
    reduce: Whole = 64
    pooled: bool = True
    learning_rate: Positive = 6e-3

    def _network(self, inputs: Sequence[Tensor]) -> ScoresBesidePooled:
        from models.neural.attention_network import PairAttention

        regions, _, tokens, _, pooled = (tensor.shape[-1] for tensor in inputs)
        return PairAttention(
            regions,
            tokens,
            pooled,
            len(self.classes_),
            self.width,
            self.similarity,
            self.dropout,
            self.projection,
        )

    def _averaged(self, networks: Sequence[ScoresBesidePooled]) -> Averaged:
        from models.neural.attention_network import AveragedPairAttention

        return AveragedPairAttention.holding(networks)
