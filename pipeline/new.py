"""`python -m pipeline.new ITEMS -o grid.yaml`: a grid for a table or a folder of pictures."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.command.ending import ended
from pipeline.config.grid import Split
from pipeline.config.parse import KEYS
from pipeline.config.schema import schema
from pipeline.data.dataset import DatasetError
from pipeline.data.samples import SourceError
from pipeline.program.names import called
from pipeline.program.paths import utf8_path
from pipeline.start.draft import Given, NoStart
from pipeline.start.starting import start
from reports.wording import for_terminal


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a grid that runs. For exit codes other than 0 see pipeline.command.ending."""
    options = parser().parse_args(arguments)
    return ended(lambda: _new(options), (NoStart, SourceError, DatasetError))


def _new(options: argparse.Namespace) -> int:
    schema_file = options.out.with_suffix(".schema.json") if options.schema else None
    for path in filter(None, (options.out, schema_file)):
        if path.exists() and not options.force:
            raise NoStart(f"{path} is there already: name another with -o, or say --force")
    given = Given(options.label, options.image, tuple(options.text or ()))
    started = start(options.items, given)
    started.grid(options.out)  # what is written, a run reads
    if schema_file is not None:  # first: a grid never names one that is not there
        schema_file.write_text(json.dumps(schema(KEYS, Split), indent=2), encoding="utf-8")
    with options.out.open("w" if options.force else "x", encoding="utf-8") as file:
        if schema_file is not None:
            file.write(f"# yaml-language-server: $schema={schema_file.name}\n")
        file.write(started.text(options.out))
    for line in started.lines():
        print(line)
    print(for_terminal(f"grid: {options.out}; run it: {called('run')} "
                       f"{shlex.quote(str(options.out))}"))
    return 0


def parser() -> argparse.ArgumentParser:
    """What the command line understands."""
    parser = argparse.ArgumentParser(prog=called("new"), description=(
        "Look at a table, or a folder of class folders, and write a grid that runs: which column "
        "is what, and why."))
    parser.add_argument("items", type=utf8_path,
                        help="table (.csv, .tsv, .jsonl, .parquet) or folder of class folders")
    parser.add_argument("-o", "--out", type=utf8_path, default=Path("grid.yaml"),
                        help="the grid file to write (default: %(default)s)")
    parser.add_argument("--schema", action="store_true", help=(
        "also write the JSON Schema beside the grid, which then names it: editors complete and "
        "explain its keys"))
    parser.add_argument("--force", action="store_true", help="replace the file where it is there")
    parser.add_argument("--label", metavar="COLUMN", help="the column with the class")
    parser.add_argument("--image", metavar="COLUMN", help="the column with the picture")
    parser.add_argument("--text", metavar="COLUMN", action="append",
                        help="the column with the text; several are joined line by line")
    return parser


if __name__ == "__main__":
    sys.exit(main())
