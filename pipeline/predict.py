"""`python -m pipeline.predict MODEL ITEMS -o FILE`: probabilities of new items from a bundle."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pipeline.command.ending import ended
from pipeline.command.plugins import add_plugins, take_plugins
from pipeline.command.runtime import add_runtime
from pipeline.engine.progress import say
from pipeline.program.names import called
from pipeline.program.paths import utf8_path
from pipeline.use.bundle import Bundle
from pipeline.use.items.columns import add_columns, columns_given
from pipeline.use.predicting import Request, predict
from pipeline.use.problem import BundleError
from reports.wording import for_terminal


def main(arguments: Sequence[str] | None = None) -> int:
    """Write predictions. For exit codes other than 0 see pipeline.command.ending."""
    options = parser().parse_args(arguments)
    return ended(lambda: _predict(options), (BundleError,))


def _predict(options: argparse.Namespace) -> int:
    take_plugins(options)
    request = Request(
        items=options.items,
        output=options.out,
        coverage=options.coverage,
        columns=columns_given(options, options.label),
        runtime=options.runtime,
    )
    bundle = Bundle.load(options.model, options.runtime)
    for line in predict(bundle, options.model, request).lines():
        say(for_terminal(line))
    print(f"predictions: {options.out}")
    return 0


def parser() -> argparse.ArgumentParser:
    """What the command line understands."""
    parser = argparse.ArgumentParser(prog=called("predict"), description=(
        f"Predict the classes of new items with a bundle that {called('bundle')} wrote."))
    parser.add_argument("model", type=utf8_path, help="folder of the bundle")
    parser.add_argument(
        "items",
        help="table (.csv, .tsv, .jsonl, .parquet), folder of pictures, or - for CSV from standard "
        "input",
    )
    parser.add_argument("-o", "--out", type=utf8_path, required=True,
                        help="file to write: .csv, .jsonl or .parquet")
    parser.add_argument("--coverage", type=_share, metavar="SHARE",
                        help="also sets of classes that hold the true one so often, like 0.9")
    parser.add_argument(
        "--label", metavar="COLUMN",
        help="column with the true class, to be scored by (default: as the bundle's rows had it)")
    add_columns(parser)
    add_runtime(parser)
    add_plugins(parser)
    return parser


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"a share between 0 and 1, like 0.9, not '{text}'")
    return share


if __name__ == "__main__":
    sys.exit(main())
