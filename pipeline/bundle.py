"""`python -m pipeline.bundle RUN -o FOLDER`: the winner of a run, to take home."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pipeline.command.ending import ended
from pipeline.command.options import add_jobs
from pipeline.config.grid import GridError
from pipeline.config.plugins.active import carried
from pipeline.data.dataset import DatasetError
from pipeline.data.samples import SourceError
from pipeline.engine.opening import engine_at
from pipeline.engine.progress import progress, say
from pipeline.plan.versions import KEYED
from pipeline.program.names import called
from pipeline.program.paths import utf8_path
from pipeline.use.finished_run import BEST, FinishedRun
from pipeline.use.making import Extras, make_bundle
from pipeline.use.problem import BundleError

PROBLEMS = (BundleError, GridError, SourceError, DatasetError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a bundle. For exit codes other than 0 see pipeline.command.ending."""
    options = parser().parse_args(arguments)
    return ended(lambda: _bundle(options), PROBLEMS)


def _bundle(options: argparse.Namespace) -> int:
    run = FinishedRun.at(options.run)
    name = run.cell_name(options.cell)
    chosen = f", as the report says: {run.choose['why']}" if options.cell == BEST else ""
    extras = Extras(standalone=options.standalone, onnx=options.onnx)
    # its grid is read first: the plugins that it names are known then, and workers told of them
    subject = f"{name} of {run.grid.name}"
    with engine_at("processes", None, options.jobs, KEYED, carried()) as engine:
        made = make_bundle(run, name, options.out, engine, progress, extras)
    say(f"{subject} is fitted on all rows{chosen}")
    lacking = made.about.get("onnx", {}).get("whole", {}).get("lacks")
    if lacking:
        say(f"ONNX Runtime alone cannot predict with it: it lacks {lacking}")
    print(f"bundle: {options.out}")
    return 0


def parser() -> argparse.ArgumentParser:
    """What the command line understands."""
    parser = argparse.ArgumentParser(prog=called("bundle"), description=(
        "Fit a cell of a finished run on all its rows and write it into a folder that predicts."))
    parser.add_argument("run", type=utf8_path, help="folder of a finished run")
    parser.add_argument("--cell", default=BEST,
                        help="name of the cell, as the report has it (default: %(default)s, that"
                        " which the report says to choose)")
    parser.add_argument("-o", "--out", type=utf8_path, required=True, help="folder to make")
    parser.add_argument("--standalone", action="store_true",
                        help="take the weights of pretrained encoders along, so that it opens where"
                        " they are not")
    parser.add_argument("--onnx", action="store_true",
                        help="export it too: classifier.onnx takes features and gives"
                        " probabilities, text.onnx gives those of texts; predict and serve --onnx"
                        " then need no PyTorch")
    add_jobs(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
