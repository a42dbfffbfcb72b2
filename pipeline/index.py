"""`python -m pipeline.index MODEL ITEMS -o FOLDER`: items that can be searched."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.command.ending import ended
from pipeline.command.names import called
from pipeline.engine.progress import say
from pipeline.use.bundle import Bundle
from pipeline.use.items.columns import add_columns, columns_given
from pipeline.use.predicting import columns_of
from pipeline.use.problem import BundleError
from reports.wording import for_terminal


def main(arguments: Sequence[str] | None = None) -> int:
    """Write an index, or bring it up to date.

    For exit codes other than 0 see pipeline.command.ending.
    """
    options = _parser().parse_args(arguments)
    return ended(lambda: _index(options), (BundleError,))


def _index(options: argparse.Namespace) -> int:
    from pipeline.use.index.building import ItemsOf, build_index

    bundle = Bundle.load(options.model)
    columns = columns_of(bundle, replace(columns_given(options), others=True))
    items = ItemsOf(options.items, columns)
    for line in build_index(options.model, bundle, items, options.out).lines():
        say(for_terminal(line))
    print(f"index: {options.out}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=called("index"), description=(
        "Index items by the encoders of a bundle, to be searched by words and pictures. An index "
        "that is there is brought up to date: only what is new is encoded."))
    parser.add_argument("model", type=Path, help="folder of the bundle")
    parser.add_argument(
        "items", help="table (.csv, .tsv, .jsonl, .parquet) or folder of pictures"
    )
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the index")
    add_columns(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
