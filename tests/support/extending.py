"""The plugin of docs/extending.md as files: beside a grid, or as an installed package."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.samples import small_samples

DOCS = ROOT / "docs" / "extending.md"
BLOCK = re.compile(r"```python\n# my_parts\.py(?:, continued)?\n(?P<text>.*?)```", re.DOTALL)
GRID = re.compile(r"^    # grid\.yaml\n(?P<text>(?:    .*\n)+)", re.MULTILINE)
ENTRIES = {
    "encoders": "brightness = my_parts:Brightness",
    "fusions": "nearest_mean = my_parts:NearestMean",
    "classifiers": "extra_trees = my_parts:ExtraTrees",
    "metrics": "matthews = my_parts:MATTHEWS",
    "sections": "sizes = my_parts:SIZES",
    "sources": "captions = my_parts:Captions",
}


def code() -> str:
    """The plugin of the page, its blocks one after the other."""
    blocks = [block["text"] for block in BLOCK.finditer(DOCS.read_text(encoding="utf-8"))]
    assert len(blocks) == 7
    return "\n\n".join(blocks)


def grid() -> str:
    """The grid of the page, with small folds."""
    match = GRID.search(DOCS.read_text(encoding="utf-8"))
    assert match is not None
    text = re.sub("^    ", "", match["text"], flags=re.MULTILINE)
    return f"name: own\nsplit: {{folds: 2, repeats: 1, inner: 2}}\n{text}"


def write_items(folder: Path) -> None:
    """Class folders with pictures and their texts."""
    samples = small_samples(8)
    for row, picture in enumerate(samples.pictures):
        path = folder / "items" / str(samples.labels[row]) / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if picture is not None:
            path.write_bytes(picture.read())
            path.with_suffix(".txt").write_text(samples.texts[row] or "")


def write_own(folder: Path) -> Path:
    """Plugin, items and grid of the page; the grid file."""
    write_items(folder)
    (folder / "my_parts.py").write_text(code())
    path = folder / "grid.yaml"
    path.write_text(grid())
    return path


def install(site: Path, name: str, version: str, entries: dict[str, str]) -> None:
    """What pip leaves of a package with entry points, beside its modules."""
    about = site / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = [f"[modalgrid.{group}]\n{line}\n" for group, line in entries.items()]
    (about / "entry_points.txt").write_text("\n".join(groups))
