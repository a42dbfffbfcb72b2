"""`python -m pipeline.recommend INDEX --item ID`: items like others."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pipeline.command.ending import ended
from pipeline.command.plugins import add_plugins, take_plugins
from pipeline.program.names import called
from pipeline.program.paths import utf8_path
from pipeline.use.problem import BundleError

HEAVIEST = 1_000_000  # weight of an item


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the items that are most alike.

    For exit codes other than 0 see pipeline.command.ending.
    """
    options = parser().parse_args(arguments)
    return ended(lambda: _recommend(options), (BundleError,))


def _recommend(options: argparse.Namespace) -> int:
    take_plugins(options)
    from pipeline.use.index.index import Index, Wish
    from pipeline.use.index.question import Term, question
    from pipeline.use.index.recommending import Liked, Variety, recommend
    from pipeline.use.index.shown import show

    pictures = question("", options.image) if options.image else ()
    texts = [Term("text", text, 1, text) for text in options.text]
    if not options.item and not pictures and not texts:
        raise BundleError("like what? Name an item with --item, or give --image or --text")
    names = [name for name, _ in options.item]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise BundleError(f"--item {repeated[0]} is given twice, with which weight?")
    if options.apart is not None and not names:
        raise BundleError(
            "--apart leaves out items that have the value of one that is liked: name that with "
            "--item"
        )
    liked = Liked(dict(options.item), (*pictures, *texts))
    wish = Wish(options.k, options.by, tuple(options.where), options.weight, options.exact)
    hits = recommend(
        Index.load(options.index), liked, wish, Variety(options.apart, options.diversity)
    )
    labels = [*liked.items, *(term.label for term in liked.new)]
    show(hits, f"like {', '.join(labels)}", options)
    return 0


def parser() -> argparse.ArgumentParser:
    """What the command line understands."""
    from pipeline.use.index.options import add_common, share_of

    parser = argparse.ArgumentParser(prog=called("recommend"), description=(
        f"Recommend items of an index that {called('index')} wrote: those most like others, "
        "by picture, text or both."))
    parser.add_argument("index", type=utf8_path, help="folder of the index")
    parser.add_argument("--item", type=_item, action="append", default=[], metavar="ID[=WEIGHT]",
                        help="an item of the index; several count by their weights (default: 1)")
    parser.add_argument("--image", type=utf8_path, action="append", default=[], metavar="FILE",
                        help="the picture of an item that is not in the index")
    parser.add_argument("--text", action="append", default=[],
                        help="the text of an item that is not in the index")
    parser.add_argument("--by", choices=("picture", "text", "both"), default="both",
                        help="what is compared (default: %(default)s)")
    parser.add_argument("--apart", metavar="COLUMN",
                        help="leave out items with the same value of this column")
    parser.add_argument("--diversity", type=share_of, default=0.0, metavar="SHARE",
                        help="how much items shall differ from those before them, 0 to 1 "
                        "(default: %(default)s)")
    add_common(parser)
    add_plugins(parser)
    return parser


def _item(text: str) -> tuple[str, float]:
    name, equals, weight = text.rpartition("=")
    if not equals:
        return text, 1.0
    try:
        number = float(weight)
    except ValueError:  # an id that has a "=" in it
        return text, 1.0
    if not 0 < abs(number) <= HEAVIEST:
        raise argparse.ArgumentTypeError(
            f"a weight is a number other than 0, of {HEAVIEST:,} at most, not '{weight}'"
        )
    return name, number


if __name__ == "__main__":
    sys.exit(main())
