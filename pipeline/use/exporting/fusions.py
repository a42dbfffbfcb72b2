"""Fitted fusions in PyTorch, by their class: features in, probabilities out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from features.block import BlockName, Modality
from models.early.baselines import ImageOnly, TextOnly
from models.early.concat import Concat
from models.early.pooled import PooledFusion
from models.fusion import Fusion
from models.late.label_propagation import LabelPropagation
from models.late.semi_supervised import SemiSupervised
from models.late.taught_members import Members, TeachesMembers
from models.neural.attention import Attention
from models.neural.co_training import CoTraining
from models.neural.cross_attention import CrossAttention
from models.neural.dense_blocks import DenseBlocks
from models.neural.fusion import POOLED_NORM, NeuralFusion
from models.neural.gated import Gated
from models.neural.joined_blocks import of_modalities
from models.preparation.principal_components import BlockReduction
from models.preparation.scaling import Scaler
from models.shared_space.classification import (
    CCA,
    SIDES,
    Contrastive,
    Shared,
    SharedSpace,
    TextRegression,
)
from models.shared_space.projections import EncodersSpace, Projection
from models.shared_space.zero_shot import ZeroShot
from pipeline.use.exporting.classifiers import Classified
from pipeline.use.exporting.preparation import (
    Features,
    Given,
    Reduced,
    Scaled,
    constant,
    one_hot,
)
from pipeline.use.exporting.rules import product

LEAST_NORM = 1e-30  # of vectors that are zeros and stay so


class Pooled(nn.Module):
    """A classifier over rows made of pooled blocks: see models.early.pooled.PooledFusion.

    Parameters
    ----------
    rows : what makes its rows of the features.
    seen : the modalities of which a sample must have any.
    """

    frequencies: Tensor
    learned: Tensor

    def __init__(
        self, fitted: PooledFusion, rows: nn.Module, seen: Sequence[Modality]
    ) -> None:
        super().__init__()
        self.rows, self.seen = rows, tuple(seen)
        self.classified = Classified(fitted.classifier_)
        self.register_buffer("frequencies", constant(fitted.frequencies_))
        self.register_buffer("learned", one_hot(np.flatnonzero(fitted.learned_), fitted.classes_))

    def forward(self, given: Given) -> Tensor:
        """Probabilities (n, K); the training frequencies for samples with no such modality."""
        known = self.classified(self.rows(given)) @ self.learned
        has = torch.stack([given[modality].has for modality in self.seen]).any(dim=0)
        return torch.where(has[:, None], known, self.frequencies)


class SideBySide(nn.Module):
    """Scaled blocks side by side: see models.preparation.scaling.scaled_views."""

    def __init__(
        self, scalers: Mapping[BlockName, Scaler], shares: Mapping[BlockName, float]
    ) -> None:
        super().__init__()
        self.scaled = nn.ModuleDict({
            name: Scaled(scaler, float(np.sqrt(shares[name]))) for name, scaler in scalers.items()
        })

    def forward(self, given: Given) -> Tensor:
        """Rows (n, d)."""
        parts = [
            scaled(given[name].values, given[name].has) for name, scaled in self.scaled.items()
        ]
        return torch.cat(parts, dim=1)


class AsEncoded(nn.Module):
    """See models.shared_space.projections.EncodersSpace."""

    def forward(self, values: Tensor, has: Tensor) -> Tensor:
        """Zeros for missing samples."""
        return torch.where(has[:, None], values, 0.0).double()


class Mapped(nn.Module):
    """Principal components, mapped into a space that was learned."""

    to_space: Tensor

    def __init__(self, projection: Projection, modality: Modality) -> None:
        super().__init__()
        reduction = projection.reductions_[modality]
        assert isinstance(reduction, BlockReduction)  # fusions with another one are not in NETWORKS
        self.reduced = Reduced(reduction)
        self.register_buffer("to_space", constant(projection.maps_[modality]))

    def forward(self, values: Tensor, has: Tensor) -> Tensor:
        """Zeros for missing samples."""
        reduced: Tensor = self.reduced(values, has)
        return reduced.double() @ self.to_space


class Projected(nn.Module):
    """Unit vectors (n, k) in a shared space: see models.shared_space.projections.Projection."""

    def __init__(self, projection: Projection, modality: Modality) -> None:
        super().__init__()
        is_as_encoded = isinstance(projection, EncodersSpace)
        self.points = AsEncoded() if is_as_encoded else Mapped(projection, modality)

    def forward(self, features: Features) -> Tensor:
        """Zeros for missing samples."""
        points = self.points(features.values, features.has)
        norms: Tensor = torch.linalg.vector_norm(points, dim=1, keepdim=True)
        unit: Tensor = points / norms.clamp(min=LEAST_NORM)
        return unit.float()


class InSharedSpace(nn.Module):
    """Scaled points of both modalities: see models.shared_space.points."""

    def __init__(self, fitted: SharedSpace) -> None:
        super().__init__()
        self.image = Projected(fitted.projection_, "image")
        self.text = Projected(fitted.projection_, "text")
        self.scaled = Scaled(fitted.scaler_)
        self.join, self.sides = fitted.join, SIDES[fitted.direction][1]

    def forward(self, given: Given) -> Tensor:
        """Rows (n, d); a modality that a sample lacks, or that is not asked, is the other one."""
        picture, text = (
            features if self.sides in ("both", modality) else
            features._replace(has=torch.zeros_like(features.has))
            for modality, features in ((name, given[name]) for name in ("image", "text"))
        )
        of_picture, of_text = self.image(picture), self.text(text)
        a = torch.where(picture.has[:, None], of_picture, of_text)
        b = torch.where(text.has[:, None], of_text, of_picture)
        points = torch.cat([a, b], dim=1) if self.join == "concat" else (a + b) / 2
        return cast(Tensor, self.scaled(points, torch.ones_like(picture.has)))


class ProductOfMembers(nn.Module):
    """See models.late.taught_members.TeachesMembers."""

    frequencies: Tensor
    prior: Tensor

    def __init__(self, fitted: TeachesMembers, members: Members) -> None:
        super().__init__()
        self.members = nn.ModuleDict({
            modality: _single(member) for modality, member in members.items()
        })
        self.register_buffer("frequencies", constant(fitted.frequencies_))
        self.register_buffer("prior", constant(fitted.classifier.prior(fitted.frequencies_)))

    def forward(self, given: Given) -> Tensor:
        """Probabilities (n, K)."""
        present = torch.stack([given[cast(Modality, name)].has for name in self.members])
        predicted = torch.stack([member(given) for member in self.members.values()])
        predicted = torch.where(present[:, :, None], predicted, self.frequencies)
        return product(predicted, present, self.prior)


class MeanOfProducts(nn.Module):
    """See models.late.label_propagation.LabelPropagation."""

    def __init__(self, fitted: LabelPropagation) -> None:
        super().__init__()
        self.of_true_labels = ProductOfMembers(fitted, fitted.members_)
        self.of_all_labels = ProductOfMembers(fitted, fitted.taught_)

    def forward(self, given: Given) -> Tensor:
        """Probabilities (n, K)."""
        products: Tensor = self.of_true_labels(given) + self.of_all_labels(given)
        return products / 2


class Recognised(nn.Module):
    """See models.shared_space.zero_shot.ZeroShot."""

    prototypes: Tensor

    def __init__(self, fitted: ZeroShot) -> None:
        super().__init__()
        self.projected = nn.ModuleDict({
            modality: Projected(fitted.projection_, modality) for modality in fitted.asked
        })
        self.register_buffer("prototypes", constant(fitted.prototypes_.T))
        self.shares = {"image": 1 - fitted.weight, "text": fitted.weight}
        self.temperature = fitted.temperature

    def forward(self, given: Given) -> Tensor:
        """Probabilities (n, K)."""
        scores, total = [], []
        for name, projected in self.projected.items():
            features = given[cast(Modality, name)]
            part = self.shares[name] * features.has.double()
            scores.append(part[:, None] * (projected(features) @ self.prototypes).double())
            total.append(part)
        whole = torch.stack(total).sum(dim=0)
        weighed = torch.stack(scores).sum(dim=0) / torch.where(whole > 0, whole, 1.0)[:, None]
        return (weighed / self.temperature).softmax(dim=1)


class Dense(nn.Module):
    """Features of which none are sparse: see models.neural.dense_blocks.DenseBlocks."""

    def __init__(self, dense: DenseBlocks) -> None:
        super().__init__()
        self.reduced = nn.ModuleDict({
            modality: Reduced(reduction) for modality, reduction in dense.reductions.items()
        })

    def forward(self, given: Given) -> dict[BlockName, Features]:
        """The same where they are dense already."""
        return {name: self._of(name, features) for name, features in given.items()}

    def _of(self, name: BlockName, features: Features) -> Features:
        if name not in self.reduced:
            return features
        return features._replace(values=self.reduced[name](features.values, features.has))


class Network(nn.Module):
    """A trained network's probabilities: see models.neural.fusion.NeuralFusion.

    Parameters
    ----------
    inputs : what makes the network's inputs of the features.
    """

    def __init__(self, fitted: NeuralFusion, inputs: nn.Module) -> None:
        super().__init__()
        self.inputs, self.predicts = inputs, fitted.predicts
        self.network = fitted.network_ if len(fitted.classes_) > 1 else None

    def forward(self, given: Given) -> Tensor:
        """Probabilities (n, K); 1 where all training labels were equal."""
        inputs: tuple[Tensor, ...] = self.inputs(given)
        if self.network is None:
            return torch.ones_like(inputs[0].flatten(1)[:, :1], dtype=torch.float64)
        scores: Tensor = getattr(self.network, self.predicts)(*inputs)
        return scores.double().softmax(dim=1)


class PooledInputs(nn.Module):
    """See models.neural.fusion.PooledNetwork."""

    def __init__(self, fitted: Any) -> None:
        super().__init__()
        self.dense = Dense(fitted.dense_)
        self.scaled = nn.ModuleDict({
            modality: Scaled(scaler, float(POOLED_NORM))
            for modality, scaler in fitted.scalers_.items()
        })

    def forward(self, given: Given) -> tuple[Tensor, ...]:
        """Pictures, which samples have one, texts, and which have one."""
        dense = self.dense(given)
        scaled = {
            name: self.scaled[name](features.values, features.has)
            for name, features in dense.items()
        }
        inputs: list[Tensor] = []
        for parts, alike in zip(of_modalities(scaled), of_modalities(dense), strict=True):
            inputs += [_vectors(parts), alike[0].has]
        return tuple(inputs)


class SequenceInputs(nn.Module):
    """See models.neural.attention.SequenceAttention."""

    def __init__(self, fitted: Any) -> None:
        super().__init__()
        self.dense = Dense(fitted.dense_)
        self.scaled = nn.ModuleDict({
            modality: Scaled(scaler, float(POOLED_NORM))
            for modality, scaler in fitted.scalers_.items()
        } if fitted.pooled else {})
        for name, reduction in fitted.reductions_.items():
            self.register_buffer(f"{name}_mean", constant(reduction.mean_))
            self.register_buffer(f"{name}_basis", constant(reduction.basis_))

    def forward(self, given: Given) -> tuple[Tensor, ...]:
        """Regions, their mask, tokens, their mask, and pooled features."""
        reduced: dict[BlockName, tuple[Tensor, Tensor]] = {}
        means: dict[BlockName, Tensor] = {}
        for name, features in self.dense(given).items():
            values, mask = _sequence(features)
            mean, basis = (getattr(self, f"{name}_{part}") for part in ("mean", "basis"))
            reduced[name] = torch.where(mask[:, :, None], (values - mean) @ basis, 0.0), mask
            if name in self.scaled:
                lengths = mask.sum(dim=1).clamp(min=1)[:, None]
                means[name] = self.scaled[name](values.sum(dim=1) / lengths, features.has)
        sequences = list(chain.from_iterable(map(_sequences, of_modalities(reduced))))
        pooled = list(map(_vectors, of_modalities(means)))
        nothing = sequences[0].flatten(1)[:, :0]
        return *sequences, torch.cat(pooled, dim=1) if pooled else nothing


def _sequences(parts: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """See models.neural.joined_blocks.joined_sequences."""
    widths = [values.shape[2] for values, _ in parts]
    apart = [
        nn.functional.pad(values, (sum(widths[:number]), sum(widths[number + 1 :])))
        for number, (values, _) in enumerate(parts)
    ]
    return torch.cat(apart, dim=1), torch.cat([mask for _, mask in parts], dim=1)


def _vectors(parts: Sequence[Tensor]) -> Tensor:
    """See models.neural.joined_blocks.joined_vectors."""
    return torch.cat(list(parts), dim=1) / np.sqrt(len(parts)) if len(parts) > 1 else parts[0]


def _sequence(features: Features) -> tuple[Tensor, Tensor]:
    """Values (n, t, d) and mask (n, t); a pooled vector is a sequence of one."""
    values, mask = features.values, features.mask
    if mask is None:
        values, mask = values[:, None, :], features.has[:, None]
    mask = mask & features.has[:, None]
    return torch.where(mask[:, :, None], values, 0.0), mask


def _single(fitted: Any) -> Pooled:
    return Pooled(fitted, SideBySide(fitted.scalers_, fitted.shares()), tuple(fitted.needs))


def _in_shared_space(fitted: Any) -> Pooled:
    sides = SIDES[fitted.direction][1]
    seen = tuple(fitted.needs) if sides == "both" else (sides,)
    return Pooled(fitted, InSharedSpace(fitted), seen)


def _of_pooled(fitted: Any) -> Network:
    return Network(fitted, PooledInputs(fitted))


def _of_sequences(fitted: Any) -> Network:
    return Network(fitted, SequenceInputs(fitted))


# By class, what makes a network of a fitted fusion. Late rules combine such: see `rules`.
NETWORKS: dict[type[Fusion], Callable[[Any], nn.Module]] = {
    ImageOnly: _single,
    TextOnly: _single,
    Concat: _single,
    CCA: _in_shared_space,
    TextRegression: _in_shared_space,
    Contrastive: _in_shared_space,
    Shared: _in_shared_space,
    SemiSupervised: lambda fitted: ProductOfMembers(fitted, fitted.members_),
    LabelPropagation: MeanOfProducts,
    ZeroShot: Recognised,
    Gated: _of_pooled,
    CoTraining: _of_pooled,
    Attention: _of_sequences,
    CrossAttention: _of_sequences,
}
