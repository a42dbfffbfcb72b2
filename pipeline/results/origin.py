"""origin.json: where a run's grid file and store are, from its folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pipeline.config.reading.origin import grid_file_of


def origin_json(grid: Path, store: str, folder: Path) -> str:
    """The paths relative to the run's folder, so that all may be moved together."""
    address = store if "://" in store else os.path.relpath(store, folder)
    content = {"grid": os.path.relpath(grid_file_of(grid), folder), "store": address}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def as_seen_below(text: str) -> str:
    """The file as it reads one folder further down."""
    content = json.loads(text)
    for name, path in content.items():
        if "://" not in path:
            content[name] = (os.pardir / Path(path)).as_posix()
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
