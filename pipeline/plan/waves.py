"""In which order a plan is carried out under a time limit: what tells most comes first.

The first repeat of single modalities, texts before pictures, then of the fusions that are cheap;
then their further repeats, one after the other; then each cell that trains a network, or is dear
for another reason, over all repeats. So whole repeats of whole cells are done at any moment. Where
the cheap cells alone could not say whether a second modality pays, the dear ones come in every
repeat after them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Literal, TypeAlias

from models.course import TrainsNetwork
from models.fusion import TakesClassifier
from pipeline.config.cells import Cell
from pipeline.plan.plan import Plan
from pipeline.tasks.combination import Combination
from pipeline.tasks.unit import Unit

Piece: TypeAlias = Unit | Combination
Kind = Literal["baseline", "text", "image", "fusion"]
ALONE: tuple[Kind, ...] = ("text", "image")
NAMES: dict[Kind, str] = {
    "baseline": "baselines",
    "text": "texts alone",
    "image": "pictures alone",
    "fusion": "fusions",
}


@dataclass(frozen=True, eq=False)
class Wave:
    """Pieces of work that are done before any other begins; combinations are those that learn."""

    name: str
    units: tuple[Unit, ...]
    combinations: tuple[Combination, ...]


class Stages:
    """Which cells of a plan come first, and whether some of them can give the answer.

    Parameters
    ----------
    cells : all that are compared.
    """

    def __init__(self, plan: Plan, cells: Sequence[Cell]) -> None:
        self.plan, self.cells = plan, tuple(cells)
        pieces: list[Piece] = [*plan.units, *plan.combinations]
        self.pieces: dict[Cell, list[Piece]] = {cell: [] for cell in cells}
        for piece in pieces:
            self.pieces[piece.cell].append(piece)

    @cached_property
    def dear(self) -> frozenset[Cell]:
        """Cells that train networks, or whose classifiers take long."""
        return frozenset(cell for cell, pieces in self.pieces.items() if any(map(_is_dear, pieces)))

    @cached_property
    def cheap(self) -> tuple[Cell, ...]:
        """The other cells: those that come first."""
        return tuple(cell for cell in self.cells if cell not in self.dear)

    @cached_property
    def repeats(self) -> tuple[int, ...]:
        """Numbers of the repeats."""
        pieces = chain.from_iterable(self.pieces.values())
        return tuple(sorted({piece.fold.repeat for piece in pieces}))

    def answers(self, cells: Iterable[Cell]) -> bool:
        """Whether cells can say what this plan asks.

        That takes one with both modalities and one with a single modality, where there are both in
        the plan, and otherwise any but a baseline.
        """
        kinds, all_kinds = set(map(kind_of, cells)), set(map(kind_of, self.cells))
        asked = [pool for pool in ({"fusion"}, set(ALONE)) if pool & all_kinds]
        return all(pool & kinds for pool in asked)

    def waves(self) -> list[Wave]:
        """All work of the plan, in order."""
        if not self.answers(self.cheap):
            return list(chain.from_iterable(map(self._all_of_repeat, self.repeats)))
        first, *others = self.repeats or (0,)
        waves = [
            *self._by_kind(first),
            *(self._wave(f"repeat {repeat + 1}", self.cheap, [repeat]) for repeat in others),
            *(self._wave(cell.name, [cell], self.repeats) for cell in self._dear_in_order),
        ]
        return [wave for wave in waves if wave.units or wave.combinations]

    def _all_of_repeat(self, repeat: int) -> list[Wave]:
        dear = [
            self._wave(f"repeat {repeat + 1}, {cell.name}", [cell], [repeat])
            for cell in self._dear_in_order
        ]
        waves = [*self._by_kind(repeat), *dear]
        return [wave for wave in waves if wave.units or wave.combinations]

    def _by_kind(self, repeat: int) -> list[Wave]:
        """The cheap cells of a repeat, single modalities first."""
        waves = []
        for kind, noun in NAMES.items():
            cells = [cell for cell in self.cheap if kind_of(cell) == kind]
            waves.append(self._wave(f"repeat {repeat + 1}, {noun}", cells, [repeat]))
        return waves

    @cached_property
    def _dear_in_order(self) -> list[Cell]:
        """Single modalities first, parts before what combines them."""
        dear = [cell for cell in self.cells if cell in self.dear]
        return sorted(dear, key=lambda cell: (bool(cell.parts), kind_of(cell) == "fusion"))

    def _wave(self, name: str, cells: Iterable[Cell], repeats: Sequence[int]) -> Wave:
        pieces = [
            piece
            for piece in chain.from_iterable(self.pieces[cell] for cell in cells)
            if piece.fold.repeat in repeats
        ]
        return Wave(
            name,
            tuple(piece for piece in pieces if isinstance(piece, Unit)),
            tuple(filter(learns, pieces)),  # type: ignore[arg-type]
        )


def learns(piece: Piece) -> bool:
    """Whether a piece is a combination that learns, and is a task of its own."""
    return (
        isinstance(piece, Combination)
        and piece.estimator.learns_combination
        and piece.is_whole
    )


def kind_of(cell: Cell) -> Kind:
    """Which modalities a cell judges samples by."""
    alone = cell.recognised_by()
    if alone is not None:
        return alone
    modalities = set(cell.encoder_labels())
    if len(modalities) > 1:
        return "fusion"
    return next(iter(modalities), "baseline")


def _is_dear(piece: Piece) -> bool:
    if isinstance(piece, Combination):
        return any(map(_is_dear, piece.units))
    estimator = piece.estimator
    encoders = [forms[0].encoder for forms in piece.features.values()]
    return (
        isinstance(estimator, TrainsNetwork)
        or (isinstance(estimator, TakesClassifier) and estimator.classifier.dear)
        or any(encoder.supervised or encoder.gives_inputs for encoder in encoders)
    )
