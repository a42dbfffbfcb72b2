"""The items of an index that are most like a given one, as the API says them."""

from __future__ import annotations

import base64

from pydantic import BaseModel, Field

from features.block import Modality
from pipeline.use.index.index import Index, Wish
from pipeline.use.index.question import Term
from pipeline.use.index.recommending import Liked, recommend
from pipeline.use.items.item import Item, without_unreadable

NEAREST = 8


class NearItem(BaseModel):
    """An item of the index."""

    id: str
    score: float = Field(description="The mean of the cosines of picture and text.")
    text: str | None
    picture: str | None = Field(description="A small JPEG file in base64; null where it has none.")


class NearestItems(BaseModel):
    """The items of the index that are most like a given one, the most similar first."""

    items: list[NearItem]
    problem: str = Field(
        description="Why something of the item cannot be used; empty where nothing is wrong."
    )
    note: str = Field(
        description="Where search was approximate, its measured recall; empty for exact search."
    )


def nearest_items(index: Index, item: Item) -> NearestItems:
    """Those that are most like an item, by what both have."""
    (usable,) = without_unreadable([item])
    given: list[tuple[Modality, str | bytes | None]] = [
        ("image", usable.picture), ("text", usable.text)
    ]
    terms = tuple(
        Term(modality, content, 1, "")
        for modality, content in given
        if content is not None and modality in index.modalities
    )
    if not terms:
        return NearestItems(items=[], problem=usable.problem or "nothing to compare by", note="")
    hits = recommend(index, Liked({}, terms), Wish(NEAREST))
    items = [
        NearItem(
            id=hit.id,
            score=hit.score,
            text=hit.text,
            picture=base64.b64encode(hit.thumbnail).decode() if hit.thumbnail else None,
        )
        for hit in hits
    ]
    return NearestItems(items=items, problem=usable.problem, note=hits.note)
