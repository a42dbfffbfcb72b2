"""`python -m pipeline.tag INDEX-OR-MODEL PICTURE ... --labels FILE`: tags of pictures."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from features.block import Modality
from pipeline.command.ending import ended
from pipeline.command.plugins import add_plugins, take_plugins
from pipeline.engine.progress import say
from pipeline.program.names import called
from pipeline.program.paths import utf8_path
from pipeline.use.index.options import count_of
from pipeline.use.problem import BundleError
from reports.wording import count

if TYPE_CHECKING:
    from pipeline.use.index.index import Index
    from pipeline.use.index.tagging import Tag, Tagger

COVERAGE = 0.9


def main(arguments: Sequence[str] | None = None) -> int:
    """Print tags. For exit codes other than 0 see pipeline.command.ending."""
    options = parser().parse_args(arguments)
    return ended(lambda: _tag(options), (BundleError,))


def _tag(options: argparse.Namespace) -> int:
    take_plugins(options)
    from pipeline.use.bundle import MANIFEST

    tags_of = _by_model if (options.folder / MANIFEST).is_file() else _by_index
    for name, tags in tags_of(options).items():
        if options.json:
            scores = {tag.label: round(tag.score, 4) for tag in tags}
            print(json.dumps({"picture": name, "tags": scores}, ensure_ascii=False))
        else:
            words = ", ".join(f"{tag.label} {tag.score:.2f}" for tag in tags)
            print(f"{name}: {words or 'no tag'}")
    return 0


def _by_index(options: argparse.Namespace) -> dict[str, list[Tag]]:
    """Tags by an index: labels of a file, or those that its items have in a column."""
    from pipeline.use.index.index import Index
    from pipeline.use.index.question import Term, question

    if (options.labels is None) == (options.column is None):
        raise BundleError("give --labels FILE or --column COLUMN: where the tags come from")
    terms = question("", options.pictures)
    tagger = _tagger(Index.load(options.folder), options)
    for line in tagger.lines():
        say(line)
    words = [Term("text", options.text, 1, options.text)] if options.text else []
    return {term.label: tagger.tags([term, *words], options.k) for term in terms}


def _tagger(index: Index, options: argparse.Namespace) -> Tagger:
    from pipeline.data.reading.utf8 import utf8_file
    from pipeline.data.samples import SourceError
    from pipeline.use.index.tagging import column_tagger, word_tagger

    if options.column is not None:
        given: list[Modality] = ["image", "text"] if options.text else ["image"]
        return column_tagger(index, options.column, options.separator, given)
    try:
        lines = utf8_file(options.labels).decode().splitlines()
    except OSError as error:
        reason = error.strerror or error
        raise BundleError(f"labels {options.labels} cannot be read: {reason}") from error
    except SourceError as error:
        raise BundleError(f"labels {error}") from error
    labels = list(dict.fromkeys(filter(None, map(str.strip, lines))))
    if len(labels) < 2:
        there = count(len(labels), "label")
        raise BundleError(f"{options.labels} holds {there}, a line each: give two")
    return word_tagger(index, labels)


def _by_model(options: argparse.Namespace) -> dict[str, list[Tag]]:
    """The classes of a bundle that hold the true one as often as COVERAGE says."""
    from pipeline.use.bundle import Bundle
    from pipeline.use.conformal import sets
    from pipeline.use.index.tagging import Tag
    from pipeline.use.predictions import left_out_of

    bundle = Bundle.load(options.folder)
    if options.labels is not None or options.column is not None:
        raise BundleError("a model's tags are its classes: leave out --labels and --column")
    left_out = left_out_of(bundle)
    probabilities = bundle.predict_proba(
        list(options.pictures), [options.text or None] * len(options.pictures)
    )
    inside = sets(probabilities, left_out.threshold(COVERAGE))
    say(f"classes that hold the true one for {left_out.measured(COVERAGE):.0%} of items left out")
    result = {}
    for path, of_item, shares in zip(options.pictures, inside, probabilities, strict=True):
        order = [code for code in (-shares).argsort() if of_item[code]]
        result[str(path)] = [
            Tag(bundle.classes[code], float(shares[code])) for code in order[: options.k]
        ]
    return result


def _separator(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("one sign or more, like |, not ''")
    return text


def parser() -> argparse.ArgumentParser:
    """What the command line understands."""
    parser = argparse.ArgumentParser(prog=called("tag"), description=(
        "Tag pictures: with labels of a file, whose words an index compares; with the tags that "
        "its items have in a column; or with the classes of a bundle."))
    parser.add_argument("folder", type=utf8_path, help="folder of an index, or of a bundle")
    parser.add_argument("pictures", type=utf8_path, nargs="+", help="files of pictures")
    parser.add_argument("--labels", type=utf8_path, metavar="FILE", help="labels, a line each")
    parser.add_argument("--column", help="column of the index's items that has their tags")
    parser.add_argument("--separator", default="|", type=_separator,
                        help="what stands between the tags of that column (default: %(default)s)")
    parser.add_argument("--text", help="the text that goes with the pictures")
    parser.add_argument("-k", type=count_of, default=10, metavar="N",
                        help="most tags of a picture (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON, a picture a line")
    add_plugins(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
