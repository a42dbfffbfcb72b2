"""Options that the commands around an index share."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_common(parser: argparse.ArgumentParser) -> None:
    """How many items, which, how much a picture counts, and how they are shown."""
    parser.add_argument("-k", type=count_of, default=10, metavar="N",
                        help="how many items (default: %(default)s)")
    parser.add_argument("--where", type=_condition, action="append", default=[],
                        metavar="COLUMN=VALUE",
                        help="only items with this value; COLUMN!=VALUE for those without it")
    parser.add_argument("--weight", type=share_of, default=0.5, metavar="SHARE",
                        help="share of pictures in the score, where texts are compared, too "
                        "(default: %(default)s)")
    parser.add_argument("--exact", action="store_true",
                        help="compare all items, where the index has lists for an approximate "
                        "search")
    parser.add_argument("--json", action="store_true", help="print JSON, an item a line")
    parser.add_argument("--html", type=_page, metavar="FILE",
                        help="write a page with pictures, too")


def count_of(text: str) -> int:
    """A number of items, or of tags."""
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"a number from 1 to 10000, not '{text}'")
    return int(text)


def _page(text: str) -> Path:
    """A page that can be written; by its ending, that no other file is overwritten."""
    file = Path(text)
    if file.suffix.lower() not in (".html", ".htm") or file.is_dir():
        raise argparse.ArgumentTypeError(f"a file that ends in .html, not '{text}'")
    if not file.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder '{file.parent}'")
    return file


def _condition(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip("! "):
        raise argparse.ArgumentTypeError(f"a column and a value like brand=x, not '{text}'")
    return name.strip(), value.strip()


def share_of(text: str) -> float:
    """A number from 0 to 1."""
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"a share from 0 to 1, like 0.5, not '{text}'")
    return share



