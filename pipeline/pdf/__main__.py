"""`python -m pipeline.pdf RUN`: a run's report as a PDF, printed by a Chromium that is there."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.command.ending import ended
from pipeline.pdf.printing import PrintError, print_page
from pipeline.program.names import called
from pipeline.program.paths import utf8_path

PAGES = ("report.html", "compare.html")


class NoReport(Exception):
    """A folder without a page to print."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page as a PDF beside it. For exit codes see pipeline.command.ending."""
    options = parser().parse_args(arguments)
    return ended(lambda: _write(options), (PrintError, NoReport))


def parser() -> argparse.ArgumentParser:
    """What the command line understands."""
    parser = argparse.ArgumentParser(
        prog=called("pdf"),
        description="Print the report of a run (or of a comparison) as a PDF beside it.",
    )
    parser.add_argument("run", type=utf8_path, help="folder with report.html or compare.html")
    parser.add_argument(
        "-o",
        "--out",
        type=utf8_path,
        help="the PDF (default: report.pdf or compare.pdf in the folder)",
    )
    parser.add_argument(
        "--browser",
        metavar="PATH",
        help="the Chromium, Chrome or Edge that prints (default: the first that is installed)",
    )
    return parser


def _write(options: argparse.Namespace) -> int:
    page = next(filter(Path.is_file, (options.run / name for name in PAGES)), None)
    if page is None:
        raise NoReport(f"{options.run} holds no {' or '.join(PAGES)}: name the folder of a run")
    target = options.out or page.with_suffix(".pdf")
    print_page(page, target, options.browser)
    print(f"pdf: {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
