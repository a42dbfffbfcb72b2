"""origin.json: where a run's grid file and store are, from its folder, and what it wrote beside."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.config.reading.origin import CHECKSUMS, ORIGIN, grid_file_of
from pipeline.store.files import sha256


def origin_json(grid: Path, store: str, folder: Path) -> str:
    """The paths relative to the run's folder, so that all may be moved together."""
    address = store if "://" in store else os.path.relpath(store, folder)
    return _text({"grid": os.path.relpath(grid_file_of(grid), folder), "store": address})


def with_checksums(text: str, files: Mapping[str, str]) -> str:
    """The same with the checksums of files that are read from the folder later: texts by name."""
    digests = {
        name: hashlib.sha256(content.encode()).hexdigest() for name, content in files.items()
    }
    return _text({**json.loads(text), CHECKSUMS: digests})


def changed(folder: Path) -> list[str]:
    """Names of the files in a run's folder that are other ones than it wrote; none of an older run.

    Raises
    ------
    ValueError, OSError
        Where its origin.json cannot be read.
    """
    content = json.loads((folder / ORIGIN).read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not isinstance(content.get(CHECKSUMS, {}), dict):
        raise ValueError(f"its {ORIGIN} is not as a run writes it")
    return [
        name
        for name, digest in content.get(CHECKSUMS, {}).items()
        if (folder / name).is_file() and sha256(folder / name) != digest
    ]


def as_seen_below(text: str) -> str:
    """The file as it reads one folder further down."""
    content = json.loads(text)
    for name in ("grid", "store"):
        if "://" not in content[name]:
            content[name] = (os.pardir / Path(content[name])).as_posix()
    return _text(content)


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
