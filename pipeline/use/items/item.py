"""An item, and whether its picture can be read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from features.machine.threads import ordered
from features.pictures.decoding import UnreadablePicture, check


@dataclass(frozen=True)
class Item:
    """A row to predict.

    Parameters
    ----------
    name : its id, or else its number, from 1.
    picture, text : None where it has none that can be used.
    label : the class, where the table has one.
    problem : why a picture or text that it names cannot be used; empty where nothing is wrong.
    row : values of all other columns, where they are asked for.
    """

    name: str
    picture: bytes | None = None
    text: str | None = None
    label: str | None = None
    problem: str = ""
    row: Mapping[str, str | None] = field(default_factory=dict)

    def digest(self) -> str:
        """Sha256 of all of it."""
        said = [self.name, self.text, self.label, self.problem, dict(self.row)]
        digest = hashlib.sha256(json.dumps(said).encode())
        digest.update(b"" if self.picture is None else b"picture" + self.picture)
        return digest.hexdigest()

    def without_picture(self, reason: object) -> Item:
        """The item, whose picture cannot be used."""
        problem = "; ".join(filter(None, (self.problem, f"picture: {reason}")))
        return replace(self, picture=None, problem=problem)


def without_unreadable(items: Sequence[Item]) -> list[Item]:
    """The items with pictures that decode in full; others have none, and say so."""
    return list(ordered(_checked, items))


def _checked(item: Item) -> Item:
    if item.picture is None:
        return item
    try:
        check(item.picture)
    except UnreadablePicture as error:
        return item.without_picture(error)
    return item
