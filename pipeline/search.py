"""`python -m pipeline.search INDEX "a red bird"`: items by words and pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pipeline.command.ending import ended
from pipeline.command.plugins import add_plugins, take_plugins
from pipeline.program.names import called
from pipeline.program.paths import utf8_path
from pipeline.use.problem import BundleError


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the items that are next. For exit codes other than 0 see pipeline.command.ending."""
    options = parser().parse_args(arguments)
    return ended(lambda: _search(options), (BundleError,))


def _search(options: argparse.Namespace) -> int:
    take_plugins(options)
    from pipeline.use.index.index import Index, Wish
    from pipeline.use.index.shown import show

    index = Index.load(options.index)
    wish = Wish(options.k, options.by, tuple(options.where), options.weight, options.exact)
    hits = index.search(options.question, options.image, wish)
    asked = " + ".join(filter(None, [options.question, *map(str, options.image)]))
    show(hits, asked, options)
    return 0


def parser() -> argparse.ArgumentParser:
    """What the command line understands."""
    from pipeline.use.index.options import add_common

    parser = argparse.ArgumentParser(prog=called("search"), description=(
        f"Find items of an index that {called('index')} wrote, by words, pictures, or both. "
        "Terms are added and taken away: '\"bird\" + sky.jpg - cage'."))
    parser.add_argument("index", type=utf8_path, help="folder of the index")
    parser.add_argument("question", nargs="?", default="", help="words, files of pictures")
    parser.add_argument("--image", type=utf8_path, action="append", default=[], metavar="FILE",
                        help="a picture that is added to the question")
    parser.add_argument("--by", choices=("picture", "text", "both"), default="both",
                        help="what of the items is compared (default: %(default)s)")
    add_common(parser)
    add_plugins(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
