"""From what a request holds to an item to predict."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field

from features.block import Modality
from pipeline.use.items.item import Item
from pipeline.use.serving.limits import Limits, Refusal


class ItemGiven(BaseModel):
    """An item of a batch."""

    model_config = ConfigDict(extra="forbid")

    text: str | None = Field(None, description="Its text.")
    picture_base64: str | None = Field(
        None, description="Its picture: the bytes of a PNG, JPEG, WebP, ... file in base64."
    )


class Batch(BaseModel):
    """Items to predict."""

    model_config = ConfigDict(extra="forbid")

    items: list[ItemGiven] = Field(
        description="At most as many as the limits of GET /model allow.",
        examples=[[{"text": "a red armchair"}, {"picture_base64": "iVBORw0KGgo..."}]],
    )


def item_of(
    picture: bytes | None, text: str | None, asked: Sequence[Modality], limits: Limits
) -> Item:
    """An item, of what the model looks at. Whether its picture can be decoded shows later.

    Raises
    ------
    Refusal
        Where the text is too long.
    """
    # JSON may hold halves of characters, which tokenizers refuse
    text = (text or "").encode("utf-8", "replace").decode("utf-8").strip()
    if "text" not in asked:
        text = ""
    if len(text) > limits.text:
        raise Refusal(
            422, f"the text has more than {limits.text:,} characters", "characters of a text",
            limits.text,
        )
    return Item("", (picture or None) if "image" in asked else None, text or None)


def item_of_batch(given: ItemGiven, asked: Sequence[Modality], limits: Limits) -> Item:
    """The same of an item beside others, which go on whatever is wrong with it."""
    problems: list[str] = []
    picture, text = b"", given.text
    try:
        picture = base64.b64decode(given.picture_base64 or "", validate=True)
    except (binascii.Error, ValueError):
        problems.append("picture: not in base64")
    if text is not None and len(text.strip()) > limits.text:
        problems.append(f"text: more than {limits.text:,} characters")
        text = None
    return replace(item_of(picture, text, asked, limits), problem="; ".join(problems))
