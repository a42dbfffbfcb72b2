"""Tables of many shapes, as people have them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from tests.support.samples import COLOURS, png

KINDS = {
    "sofa": ("a soft seat", "with a long back", "for the whole family"),
    "lamp": ("a warm light", "with a shade of brass", "for the desk"),
    "table": ("a plate of oak", "with four legs", "for the kitchen"),
}


def write_columns(
    path: Path, columns: Mapping[str, Sequence[object]], delimiter: str = ","
) -> Path:
    """A CSV file of columns of equal length."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def standard_input(content: bytes) -> io.TextIOWrapper:
    """What `sys.stdin` is where these bytes are piped into a command."""
    return io.TextIOWrapper(io.BytesIO(content), encoding="ascii")


def shop_columns(per_class: int = 20) -> dict[str, list[object]]:
    """Rows of a shop: sku, title, description, brand, price, kind."""
    kinds = list(chain.from_iterable([kind] * per_class for kind in KINDS))
    numbers = range(len(kinds))
    return {
        "sku": [f"A-{number:04}" for number in numbers],
        "title": [f"{KINDS[kind][0]} no {number}" for number, kind in enumerate(kinds)],
        "description": [
            f"This is {KINDS[kind][0]} {KINDS[kind][1]} {KINDS[kind][2]}, and the number {number}"
            for number, kind in enumerate(kinds)
        ],
        "brand": [f"brand {7 * number % 15}" for number in numbers],
        "price": [f"{number}.{number % 7}9" for number in numbers],
        "kind": kinds,
    }


def write_pictures(folder: Path, columns: dict[str, list[object]]) -> dict[str, list[object]]:
    """The columns with one more, `photo`: each row's picture, in `folder`/photos."""
    (folder / "photos").mkdir()
    kinds = list(KINDS)
    for row, kind in enumerate(columns["kind"]):
        (folder / "photos" / f"{row}.png").write_bytes(png(row, COLOURS[kinds.index(str(kind))]))
    return {**columns, "photo": [f"photos/{row}.png" for row in range(len(columns["kind"]))]}
