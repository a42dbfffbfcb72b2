"""What a prediction rests on, as the API says it: see pipeline.use.python.explanation."""

from __future__ import annotations

import base64

import numpy as np
from pydantic import BaseModel, Field

from pipeline.data.samples import NOUNS
from pipeline.use.bundle import Bundle
from pipeline.use.items.item import Item, without_unreadable
from pipeline.use.python.drawing import strengths
from pipeline.use.python.explanation import PairAttention
from pipeline.use.serving.prediction import Noun, nouns


class Word(BaseModel):
    """A token of the text, as the encoder names it."""

    word: str
    weight: float = Field(description="Its share of all attention.")
    strength: float = Field(description="The same as it is shown, 0 to 1.")


class Attention(BaseModel):
    """What a network that attends to pairs of a region and a word looked at."""

    heat_map: str = Field(
        description="The picture as the encoder sees it, the redder the more weight: a PNG file "
        "in base64."
    )
    has_regions: bool = Field(description="Whether the picture is coloured at all.")
    words: list[Word] = Field(description="Empty where the encoder cannot name them.")


class Reasons(BaseModel):
    """What the prediction of an item rests on."""

    predicted: str | None = Field(
        description="The most probable class; null where there is nothing to predict by."
    )
    probability: float | None = Field(description="Of this class.")
    contributions: dict[Noun, float] = Field(
        description="What the picture and the text each add to this probability: Shapley values, "
        "which add up to the difference from that of an item with neither. Below 0, it speaks "
        "against the class. Of what the model looks at."
    )
    weights: dict[Noun, float] | None = Field(
        description="The network's weights of picture and text, where it has such and both are "
        "given; they add up to 1."
    )
    attention: Attention | None = Field(
        description="Where the network attends to regions and words, and both are given."
    )
    problem: str = Field(
        description="Why something of the item cannot be used; empty where nothing is wrong."
    )


def reasons(bundle: Bundle, item: Item) -> Reasons:
    """What the prediction of an item rests on."""
    (usable,) = without_unreadable([item])
    if usable.picture is None and usable.text is None:
        return Reasons(
            predicted=None, probability=None, contributions={}, weights=None, attention=None,
            problem=usable.problem or "nothing to predict by",
        )
    explanation = bundle.explain(usable.picture, usable.text)
    weights = explanation.weights
    asked = nouns(NOUNS[modality] for modality in bundle.cell.modalities)
    return Reasons(
        predicted=explanation.predicted,
        probability=explanation.probability,
        contributions={noun: explanation.contributions[noun] for noun in asked},
        weights=None if weights is None else {noun: weights[noun] for noun in asked},
        attention=None if explanation.attention is None else _shown(explanation.attention),
        problem=usable.problem,
    )


def _shown(attention: PairAttention) -> Attention:
    weights = attention.words
    words = [] if attention.tokens is None else [
        Word(word=word, weight=float(weight), strength=float(strength))
        for word, weight, strength in zip(
            attention.tokens, weights, strengths(np.asarray(weights)), strict=True
        )
    ]
    return Attention(
        heat_map=base64.b64encode(attention.heat_map()).decode(),
        has_regions=attention.grid is not None,
        words=words,
    )
