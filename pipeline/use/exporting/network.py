"""A fitted cell as a network in PyTorch: all that comes after its encoders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from features.block import modality_of
from models.classifiers.temperature import LEAST
from models.late.late import Late
from pipeline.use.exporting.fusions import NETWORKS
from pipeline.use.exporting.inputs import Input
from pipeline.use.exporting.preparation import Features, Given, one_hot
from pipeline.use.exporting.rules import Combined
from pipeline.use.fitted import FittedCell, FittedModel

EXAMPLES, EXAMPLE_LENGTH = 3, 4  # two at least, or they would be taken for the only size


class CellNetwork(nn.Module):
    """Calibrated probabilities double (n, K) of n samples, from the cell's inputs in their order.

    Parameters
    ----------
    cell : of fusions in `pipeline.use.exporting.fusions.NETWORKS`, or a late rule over such.
    """

    def __init__(self, cell: FittedCell, inputs: Sequence[Input]) -> None:
        super().__init__()
        self.inputs, self.temperature = tuple(inputs), cell.temperature
        self.models = nn.ModuleList(
            _Aligned(model, np.array(cell.classes)) for model in cell.models
        )
        self.rule: Combined | None = None
        if cell.rule is not None:
            assert isinstance(cell.rule, Late)
            self.rule = Combined(cell.rule, len(cell.models))

    def forward(self, *tensors: Tensor) -> Tensor:
        """See FittedCell.predict_proba."""
        given = [self._given(number, tensors) for number in range(len(self.models))]
        predicted = [
            model(of_model) for model, of_model in zip(self.models, given, strict=True)
        ]
        probabilities: Tensor = predicted[0]
        if self.rule is not None:
            present = [
                torch.stack([features.has for features in of_model.values()]).any(dim=0)
                for of_model in given
            ]
            probabilities = self.rule(torch.stack(predicted), torch.stack(present))
        if self.temperature is None:
            return probabilities
        return (probabilities.clamp(min=LEAST).log() / self.temperature).softmax(dim=1)

    def examples(self) -> tuple[Tensor, ...]:
        """Inputs of a few samples, whose numbers mean nothing."""
        return tuple(self._examples())

    def dynamic_shapes(self) -> tuple[dict[int, Any], ...]:
        """Of every input, the dimensions that may be of any size."""
        names = chain.from_iterable(map(_names, self.inputs))
        sizes = {name: torch.export.Dim(name) for name in names}
        return tuple(
            {at: sizes[name] for at, name in enumerate(_names(part))} for part in self.inputs
        )

    def _examples(self) -> Iterator[Tensor]:
        lengths = {"n": EXAMPLES}
        for part in self.inputs:
            shape = [
                size if isinstance(size, int) else lengths.get(size, EXAMPLE_LENGTH)
                for size in part.shape
            ]
            yield torch.ones(shape, dtype=getattr(torch, part.dtype))

    def _given(self, number: int, tensors: Sequence[Tensor]) -> Given:
        """The features that a model gets, by the names of its blocks."""
        inputs = list(zip(self.inputs, tensors, strict=True))
        has = {part.modality: tensor for part, tensor in inputs if part.kind == "has"}
        parts = {
            (part.block, part.kind): tensor for part, tensor in inputs if part.model == number
        }
        blocks = [block for block, kind in parts if kind == "features"]
        return {
            block: Features(
                parts[block, "features"], has[modality_of(block)], parts.get((block, "mask"))
            )
            for block in blocks
        }


class _Aligned(nn.Module):
    """A model's probabilities, in the cell's columns: see pipeline.tasks.views.aligned."""

    columns: Tensor

    def __init__(self, model: FittedModel, classes: Any) -> None:
        super().__init__()
        fusion = model.fusion
        self.network = NETWORKS[type(fusion)](fusion)
        self.register_buffer("columns", one_hot(fusion.classes_, classes))

    def forward(self, given: Given) -> Tensor:
        known: Tensor = self.network(given)
        return known / known.sum(dim=1, keepdim=True) @ self.columns


def _names(part: Input) -> list[str]:
    """Names of the dimensions of any size: the first ones."""
    return [size for size in part.shape if isinstance(size, str)]
