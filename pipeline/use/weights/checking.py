"""Which weights a bundle may hold: nothing that runs code, or says which code to run."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

WEIGHTS = "weights"  # the folder in a bundle
PICKLE = b"\x80"  # how a pickle begins
VECTORS = ".vectors"  # ending of word vectors
SENTENCE_MODEL = (".safetensors", ".json", ".txt", ".model")
# Parts of sentence transformers that are described by numbers alone; others name classes to import.
MODULES = ("Transformer", "Pooling", "Normalize", "CLIPModel")


def check_weights(folder: Path, files: Collection[str]) -> None:
    """Check the weights in a bundle's folder, before anything reads them.

    Parameters
    ----------
    files : all that the bundle lists, which are what it lists.

    Raises
    ------
    ValueError
        For a file that is not listed or that is no weights, and for one that names code.
    """
    for path in folder.rglob("modules.json"):  # a model may be named that lies beside the weights
        check_modules(path)
    for path in sorted((folder / WEIGHTS).rglob("*")):
        if path.is_dir():
            continue
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or name not in files:
            raise ValueError(f"its file {name} is none that it lists")
        if path.suffix not in (*SENTENCE_MODEL, VECTORS):
            raise ValueError(f"its file {name} is of no kind that weights have")
        if path.suffix == ".json":
            _check_json(path, name)
        if path.suffix == VECTORS and _begins(path) == PICKLE:
            raise ValueError(f"its file {name} is a pickle")


def check_modules(path: Path) -> None:
    """Raise ValueError where a sentence transformer's modules.json names classes of its own."""
    for module in json.loads(path.read_text(encoding="utf-8")):
        package, _, name = str(module["type"]).rpartition(".")
        if package.split(".")[0] != "sentence_transformers" or name not in MODULES:
            raise ValueError(f"a part of its sentence model is {module['type']}")


def _begins(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1)


def _check_json(path: Path, name: str) -> None:
    content: Any = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(content, dict) and "auto_map" in content:
        raise ValueError(f"its file {name} names code")
