"""The manifest of an entry: written last, sealed by its own checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from pipeline.store.keys import key_of

FORMAT = 1
MANIFEST = "manifest.json"
SEAL = ',"sha256":"'


@dataclass(frozen=True, eq=False)
class Entry:
    """A stored value: arrays by name, and `facts` (plain JSON). Computing it took `seconds`.

    `checksums` are those of the arrays' files, by name, once it is stored. An entry to be stored
    may name, in place of an array, the `.npy` file under `Store.scratch` that holds it; the store
    moves it. An entry from the store holds arrays.
    """

    arrays: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    reused: bool = False
    checksums: Mapping[str, str] = field(default_factory=dict)


class StoredFile(TypedDict):
    """What a manifest says of an array's file; `shape` and `dtype` are the array's."""

    file: str
    shape: list[int]
    dtype: str
    bytes: int
    sha256: str


class Damaged(Exception):
    """An entry whose files are not what its manifest says."""


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an entry, checked against its own checksum and key.

    Raises
    ------
    Damaged
        Where it is missing, altered, of another format, or does not fit its ingredients.
    """
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
        sound = text == sealed(text.rpartition(SEAL)[0] + "}")
        manifest = json.loads(text)
        sound = sound and manifest["key"] == key_of(manifest["ingredients"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged("its manifest cannot be read") from error
    if not sound:
        raise Damaged("its manifest was altered")
    if manifest["format"] != FORMAT:
        raise Damaged(f"it has format {manifest['format']}, this version reads {FORMAT}")
    return dict(manifest)


def sealed(manifest: str) -> str:
    """The manifest's text with its own checksum as a last key."""
    return f'{manifest[:-1]}{SEAL}{hashlib.sha256(manifest.encode()).hexdigest()}"}}'
