"""What a prediction rests on: what picture and text add to it, and what a network attended to."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from math import isqrt
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from features.block import Modality, modality_of
from features.pictures.decoding import decode
from models.neural.attending import AttendsToPairs, WeighsModalities
from models.views import Views
from pipeline.use.fitted import FittedCell, FittedModel, Items, PredictingCell
from pipeline.use.python.drawing import heat_map, page

SIDE = 168  # pixels of a shown picture
COALITIONS: dict[str, tuple[Modality, ...]] = {
    "nothing": (), "picture": ("image",), "text": ("text",), "both": ("image", "text")
}
Answer = TypeVar("Answer")


@dataclass(frozen=True, eq=False)
class PairAttention:
    """Weights of a network that attends to pairs of a picture region and a token.

    They say what the prediction was made from, not why it is right or wrong.

    Parameters
    ----------
    pairs : float64 (i, t), of i regions and t tokens, which add up to 1.
    tokens : the t names of the tokens; None where the encoder cannot name them.
    grid : rows and columns that the i regions stand in, row by row; None where they are no square.
    picture : uint8 (168, 168, 3), what the regions cover, after the encoder's own crop.
    """

    pairs: NDArray[np.float64]
    tokens: tuple[str, ...] | None
    grid: tuple[int, int] | None
    picture: NDArray[np.uint8]

    @property
    def regions(self) -> NDArray[np.float64]:
        """Weight of each region over all its pairs: as `grid`, or (i,) without one."""
        weights = np.asarray(self.pairs.sum(axis=1))
        return weights if self.grid is None else weights.reshape(self.grid)

    @property
    def words(self) -> NDArray[np.float64]:
        """Weight of each token over all its pairs (t,)."""
        return np.asarray(self.pairs.sum(axis=0))

    def heat_map(self) -> bytes:
        """A PNG file of the picture, the redder the more weight; plain where there is no grid."""
        return heat_map(self.picture, None if self.grid is None else self.regions)


@dataclass(frozen=True, eq=False)
class Explanation:
    """What the prediction of a single item rests on, as plain data; a notebook draws it.

    The contributions are the Shapley values of the game whose players are the picture and the text,
    whose pay-off v is the calibrated probability of the predicted class, and in which a player who
    does not take part is a modality marked missing, with which the model does what it does for any
    item that lacks it (Shapley 1953; Lundberg and Lee 2017). With two players they are exact:

        picture = ((v(picture) - v(nothing)) + (v(both) - v(text))) / 2

    and the text's likewise. They add up to v(both) - v(nothing), so that they are differences of
    probability, between -1 and 1; what is below 0 speaks against the class. A modality that the
    model does not look at, or that the item lacks, has 0. They describe the model, not the world:
    a text that repeats what the picture shows shares with it what either would bring alone.

    Parameters
    ----------
    predicted : the most probable class, by all that is given.
    probability : of this class.
    alone : v: its probability where only "nothing", the "picture", the "text", or "both" are there.
    contributions : of the "picture" and the "text", as above.
    weights : of the "picture" and the "text", which add up to 1, in a network that weighs the two;
        None in others, and for items that lack either.
    attention : of a network that attends to pairs; None likewise, and where a modality has several
        encoders.
    """

    predicted: str
    probability: float
    alone: dict[str, float]
    contributions: dict[str, float]
    weights: dict[str, float] | None = None
    attention: PairAttention | None = None

    def _repr_html_(self) -> str:
        drawn = self.attention
        words = None if drawn is None or drawn.tokens is None else drawn.words
        return page(
            f"{self.predicted} {100 * self.probability:.0f} %",
            {"Contribution": self.contributions, "Weight": self.weights or {}},
            None if drawn is None else drawn.heat_map(),
            [] if words is None or drawn is None else list(zip(drawn.tokens or (), words,
                                                               strict=True)),
        )


def explained(cell: PredictingCell, items: Items) -> Explanation:
    """The explanation of a single item; `items` has it in every modality that the cell looks at."""
    views = [model.views(items) for model in cell.models]  # encoded once for all that is asked
    alone = {
        name: cell.of_views([_hidden(of_model, present) for of_model in views])[0]
        for name, present in COALITIONS.items()
    }
    code = int(alone["both"].argmax())
    values = {name: float(probabilities[code]) for name, probabilities in alone.items()}
    model = cell.models[0] if isinstance(cell, FittedCell) and cell.rule is None else None
    complete = all(samples[0] is not None for samples in items.values())
    return Explanation(
        cell.classes[code],
        values["both"],
        values,
        _contributions(values),
        _weights(model, views[0]) if model and complete else None,
        _attention(model, views[0], items) if model and complete else None,
    )


def _hidden(views: Views, present: Collection[Modality]) -> Views:
    """The same with all but some modalities marked missing."""
    blocks = {
        name: block if modality_of(name) in present else replace(
            block, index=np.full_like(block.index, -1)
        )
        for name, block in views.blocks().items()
    }
    return Views.of(blocks)


def _contributions(alone: dict[str, float]) -> dict[str, float]:
    """Shapley values of the two players, whose pay-offs are `alone`."""
    nothing, both = alone["nothing"], alone["both"]
    return {
        name: ((alone[name] - nothing) + (both - alone[other])) / 2
        for name, other in (("picture", "text"), ("text", "picture"))
    }


def _weights(model: FittedModel, views: Views) -> dict[str, float] | None:
    if not isinstance(model.fusion, WeighsModalities) or len(model.fusion.classes_) == 1:
        return None
    picture, text = model.fusion.attention(views)[0]
    return {"picture": float(picture), "text": float(text)}


def _attention(model: FittedModel, views: Views, items: Items) -> PairAttention | None:
    if not isinstance(model.fusion, AttendsToPairs) or len(model.fusion.classes_) == 1:
        return None
    if views.further:  # whose regions and tokens have no place of their own in the picture and text
        return None
    picture, text = items["image"][0], items["text"][0]
    pairs = model.fusion.attention(views)[0].astype(np.float64)
    words = _unless_unable(lambda: model.encoders["text"].tokens([text])[0])
    shown = _unless_unable(lambda: model.encoders["image"].shown([picture])[0])
    side = isqrt(len(pairs))
    return PairAttention(
        pairs if words is None else pairs[:, :len(words)],
        None if words is None else tuple(words),
        (side, side) if side > 1 and side * side == len(pairs) else None,
        _small(decode(picture) if shown is None else shown),
    )


def _small(picture: object) -> NDArray[np.uint8]:
    from PIL import Image

    pixels = np.asarray(picture)
    return np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE)))


def _unless_unable(ask: Callable[[], Answer]) -> Answer | None:
    """What an encoder tells; None from those that cannot tell."""
    try:
        return ask()
    except NotImplementedError:
        return None
