"""The manifest of an entry: written last, sealed by its own checksum."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from features.machine.hardware import hardware
from pipeline.store.checks.layouts import bounds_problem
from pipeline.store.checks.schema import schema_problem
from pipeline.store.keys import Ingredients, canonical, key_of

FORMAT = 1
MANIFEST = "manifest.json"
SEAL = ',"sha256":"'
UNREADABLE = "its manifest cannot be read"


@dataclass(frozen=True, eq=False)
class Entry:
    """A stored value: arrays by name, and `facts` (plain JSON). Computing it took `seconds`.

    `checksums` are those of the arrays' files, by name, once it is stored; `seal` is then that of
    its manifest, which has these and all else that is no array. An entry to be stored may name, in
    place of an array, the `.npy` file under `Store.scratch` that holds it; the store moves it. An
    entry from the store holds arrays.
    """

    arrays: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    reused: bool = False
    checksums: Mapping[str, str] = field(default_factory=dict)
    seal: str = ""


class StoredFile(TypedDict):
    """What a manifest says of an array's file; `shape` and `dtype` are the array's."""

    file: str
    shape: list[int]
    dtype: str
    bytes: int
    sha256: str


class Damaged(Exception):
    """An entry whose files are not what its manifest says."""


def manifest_text(
    key: str,
    ingredients: Ingredients,
    entry: Entry,
    seconds: float,
    about: Mapping[str, StoredFile],
) -> str:
    """The sealed manifest of an entry whose arrays lie in the files that `about` tells of."""
    return sealed(canonical({
        "format": FORMAT, "key": key, "ingredients": ingredients, "files": about,
        "facts": entry.facts, "seconds": seconds, "created": time.time(), "machine": hardware(),
    }))


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest in the folder of an entry, checked. Raises Damaged as `parsed` does."""
    try:
        content = (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise Damaged(UNREADABLE) from error
    return parsed(content)


def parsed(content: bytes) -> dict[str, Any]:
    """A manifest, checked against its own checksum and key.

    Raises
    ------
    Damaged
        Where it is altered, of another format, does not fit its ingredients, or lacks what entries
        of its kind have.
    """
    try:
        text = content.decode()
        sound = is_sealed(text)
        manifest = json.loads(text)
        sound = sound and manifest["key"] == key_of(manifest["ingredients"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Damaged(UNREADABLE) from error
    if not sound:
        raise Damaged("its manifest was altered")
    if manifest.get("format") != FORMAT:
        raise Damaged(f"it has format {manifest.get('format')!r}, this version reads {FORMAT}")
    problem = schema_problem(manifest)
    if problem is not None:
        raise Damaged(problem)
    return dict(manifest)


def of_key(manifest: dict[str, Any], key: str) -> dict[str, Any]:
    """The same manifest. Raises Damaged where it is that of another key."""
    if manifest["key"] != key:
        raise Damaged("its manifest belongs to another key")
    return manifest


def stored_entry(manifest: Mapping[str, Any], arrays: Mapping[str, Any]) -> Entry:
    """The entry that a manifest and the arrays it names make up.

    Raises Damaged where the arrays point to what there is not.
    """
    problem = bounds_problem(manifest["ingredients"].get("kind"), arrays, manifest["facts"])
    if problem is not None:
        raise Damaged(problem)
    checksums = {name: str(about["sha256"]) for name, about in manifest["files"].items()}
    return Entry(
        arrays, manifest["facts"], float(manifest["seconds"]), reused=True, checksums=checksums,
        seal=str(manifest["sha256"]),
    )


def files_under(seal: str, content: bytes) -> dict[str, StoredFile] | None:
    """The files that a manifest names; None where it is not the one of this seal.

    Whoever noted the seal had read that manifest and found it sound: this one says the same.
    """
    end = f'{SEAL}{seal}"}}'.encode()
    if not content.endswith(end):
        return None
    if hashlib.sha256(content[: -len(end)] + b"}").hexdigest() != seal:
        return None
    files: dict[str, StoredFile] = json.loads(content)["files"]
    return files


def sealed(manifest: str) -> str:
    """The manifest's text with its own checksum as a last key."""
    return f'{manifest[:-1]}{SEAL}{hashlib.sha256(manifest.encode()).hexdigest()}"}}'


def is_sealed(text: str) -> bool:
    """Whether a text is what `sealed` gave: nothing in it was altered since."""
    return text == sealed(text.rpartition(SEAL)[0] + "}")
