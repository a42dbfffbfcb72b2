"""What an exported cell is given: features, which samples have them, and masks of sequences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from features.block import Block, BlockName, Modality, block_name, modality_of
from models.views import Views
from pipeline.data.samples import NOUNS

OUTPUT = "probabilities"
Kind = Literal["features", "mask", "has"]


@dataclass(frozen=True)
class Input:
    """An input of an exported cell.

    Parameters
    ----------
    model : which of the cell's models takes it; of `has`, the first that does.
    block : the name of its block among those of that model.
    shape : n stands for any number of samples, another name for any length of a sequence.
    """

    name: str
    model: int
    block: BlockName
    kind: Kind
    shape: tuple[str | int, ...]

    @property
    def modality(self) -> Modality:
        """What it tells of."""
        return modality_of(self.block)

    @property
    def dtype(self) -> str:
        """Type of its numbers."""
        return "float32" if self.kind == "features" else "bool"

    def array(self, views: Sequence[Views]) -> NDArray[Any]:
        """The input for n samples, of which every model has its views."""
        block = views[self.model].blocks()[self.block]
        if self.kind == "has":
            return block.present
        if block.is_sequence:
            values, mask = block.sequence()
            return mask if self.kind == "mask" else values
        rows = block.array()
        return np.asarray(rows.toarray() if block.is_sparse else rows)

    def described(self) -> dict[str, Any]:
        """Name, type, shape and meaning, as JSON."""
        noun = NOUNS[self.modality]
        meaning = {
            "features": f"features of the {noun}s, as the bundle's encoder gives them; whatever "
            f"stands where a sample has no {noun} is not looked at",
            "mask": f"which of a {noun}'s vectors there are",
            "has": f"which samples have a {noun}",
        }
        return {
            "name": self.name,
            "type": self.dtype,
            "shape": list(self.shape),
            "holds": meaning[self.kind],
        }


def inputs_of(views: Sequence[Views]) -> list[Input]:
    """The inputs of a cell whose models get these views.

    They are `image` and `text` (numbered from the second that a modality has), `image_mask` of
    sequences, and `has_image`.
    """
    inputs: dict[str, Input] = {}
    numbers: dict[Modality, int] = {}
    for model, of_model in enumerate(views):
        for in_model, block in of_model.blocks().items():
            modality = modality_of(in_model)
            numbers[modality] = numbers.get(modality, 0) + 1
            for part in _of_block(block, model, in_model, numbers[modality]):
                inputs.setdefault(part.name, part)
    return list(inputs.values())


def _of_block(block: Block, model: int, in_model: BlockName, number: int) -> Iterator[Input]:
    modality = modality_of(in_model)
    name = block_name(modality, number)
    rows: tuple[str | int, ...] = ("n", f"{name}_length") if block.is_sequence else ("n",)
    yield Input(name, model, in_model, "features", (*rows, block.width))
    if block.is_sequence:
        yield Input(f"{name}_mask", model, in_model, "mask", rows)
    yield Input(f"has_{modality}", model, in_model, "has", ("n",))


def arrays(inputs: Sequence[Input], views: Sequence[Views]) -> Mapping[str, NDArray[Any]]:
    """Every input for n samples, by name."""
    return {part.name: part.array(views) for part in inputs}
