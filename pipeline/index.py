"""`python -m pipeline.index MODEL ITEMS -o FOLDER`: items that can be searched."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from pipeline.command.ending import ended
from pipeline.command.plugins import add_plugins, take_plugins
from pipeline.engine.progress import say
from pipeline.program.names import called
from pipeline.program.paths import utf8_path
from pipeline.use.bundle import Bundle
from pipeline.use.items.columns import add_columns, columns_given
from pipeline.use.predicting import columns_of
from pipeline.use.problem import BundleError
from reports.wording import for_terminal


def main(arguments: Sequence[str] | None = None) -> int:
    """Write an index, or bring it up to date.

    For exit codes other than 0 see pipeline.command.ending.
    """
    options = parser().parse_args(arguments)
    return ended(lambda: _index(options), (BundleError,))


def _index(options: argparse.Namespace) -> int:
    take_plugins(options)
    from pipeline.use.index.building import ItemsOf, build_index

    bundle = Bundle.load(options.model)
    columns = columns_of(bundle, replace(columns_given(options), others=True))
    items = ItemsOf(options.items, columns)
    summary = build_index(
        options.model, bundle, items, options.out, options.approximate_above
    )
    for line in summary.lines():
        say(for_terminal(line))
    print(f"index: {options.out}")
    return 0


def parser() -> argparse.ArgumentParser:
    """What the command line understands."""
    parser = argparse.ArgumentParser(prog=called("index"), description=(
        "Index items by the encoders of a bundle, to be searched by words and pictures. An index "
        "that is there is brought up to date: only what is new is encoded."))
    parser.add_argument("model", type=utf8_path, help="folder of the bundle")
    parser.add_argument(
        "items", help="table (.csv, .tsv, .jsonl, .parquet) or folder of pictures"
    )
    parser.add_argument("-o", "--out", type=utf8_path, required=True, help="folder of the index")
    add_columns(parser)
    parser.add_argument("--approximate-above", type=_number, metavar="N",
                        help="search more items than these approximately, by lists of FAISS; "
                        "recall against the exact answer is said (default: as the index that is "
                        "there, or 1000000)")
    add_plugins(parser)
    return parser


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a number of items, 0 or more, not '{text}'")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
