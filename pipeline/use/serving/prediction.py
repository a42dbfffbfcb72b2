"""What is said of an item. Whatever else is to be said is a field of `Prediction`, filled here.

The nearest items belong beside the probabilities: `predictions` has the bundle, and the items that
are predicted together. What a prediction rests on takes several, and is asked for by itself: see
`pipeline.use.serving.reasons`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Literal

from pydantic import BaseModel, Field

from pipeline.data.samples import NOUNS
from pipeline.use.bundle import Bundle
from pipeline.use.items.item import Item
from pipeline.use.predictions import predicted

Noun = Literal["picture", "text"]
Predicting = Callable[[Sequence[Item]], "Sequence[Prediction]"]


class Prediction(BaseModel):
    """The classes of an item."""

    predicted: str | None = Field(
        description="The most probable class; null where there is nothing to predict by."
    )
    probabilities: dict[str, float] = Field(
        description="Of each class, the most probable one first; empty where predicted is null."
    )
    missing: list[Noun] = Field(
        description="What the model looks at and the item lacks."
    )
    problem: str = Field(
        description="Why something of the item cannot be used; empty where nothing is wrong."
    )


def predictions(bundle: Bundle, items: Sequence[Item]) -> list[Prediction]:
    """A prediction of each item; the model is asked once, about all of them."""
    rows = chain.from_iterable(predicted(bundle, items, None))
    return [
        Prediction(
            predicted=row["predicted"],
            probabilities=_ranked(bundle, row),
            missing=nouns(row["missing"].split(" and ")),
            problem=row["problem"],
        )
        for row in rows
    ]


def failed(bundle: Bundle, item: Item) -> Prediction:
    """The prediction of an item that the model fails on."""
    given = {"image": item.picture, "text": item.text}
    lacking = [modality for modality in bundle.cell.modalities if given[modality] is None]
    return Prediction(
        predicted=None, probabilities={},
        missing=nouns([NOUNS[modality] for modality in lacking]),
        problem="; ".join(filter(None, [item.problem, "the model failed on this item"])),
    )


def nouns(names: Iterable[str]) -> list[Noun]:
    """Those of the nouns that are among some names, the picture first."""
    known: tuple[Noun, ...] = ("picture", "text")
    among = set(names)
    return [noun for noun in known if noun in among]


def _ranked(bundle: Bundle, row: Mapping[str, Any]) -> dict[str, float]:
    """Probabilities by class, the highest first."""
    if row["predicted"] is None:
        return {}
    return dict(sorted(
        ((name, row[f"p: {name}"]) for name in bundle.classes), key=lambda pair: -pair[1]
    ))
