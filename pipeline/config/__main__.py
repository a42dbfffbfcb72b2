"""Grids without running them: what is wrong with one, and the JSON Schema of all.

`python -m pipeline.config` is both `modalgrid check` and `modalgrid schema`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pipeline.config.grid import GridError, Split
from pipeline.config.parse import KEYS, read_grid, register_plugins
from pipeline.config.plugins.named import with_installed
from pipeline.config.problem import Mistake
from pipeline.config.schema import schema
from pipeline.program.names import called
from pipeline.program.paths import utf8_path

REFUSED = 2
SCHEMA = ["--schema"]  # what the command schema puts first


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a grid, or print the JSON Schema.

    Exit code 0: there are no mistakes; 2: there are, or the file cannot be read.
    """
    given = sys.argv[1:] if arguments is None else arguments
    command_line = parser("schema" if given[:1] == SCHEMA else "check")
    options = command_line.parse_args(given)
    if options.schema:
        return _schema(options.grid)
    if options.grid is None:
        command_line.error("name a grid file, or say --schema")
    return _check(options.grid, as_json=options.json)


def _schema(grid: Path | None) -> int:
    try:
        if grid is None:
            with_installed()
        else:
            register_plugins(grid)
    except GridError as error:
        print(error, file=sys.stderr)
        return REFUSED
    print(json.dumps(schema(KEYS, Split), indent=2))
    return 0


def _check(path: Path, *, as_json: bool) -> int:
    try:
        read_grid(path, look=True)
    except GridError as error:
        if as_json:
            mistakes = error.mistakes or [
                Mistake(str(path), 1, 1, "", "yaml", problem, None) for problem in error.problems
            ]
            print(json.dumps(list(map(asdict, mistakes)), indent=2))
        else:
            print(error, file=sys.stderr)
        return REFUSED
    print("[]" if as_json else f"{path}: no mistakes")
    return 0


def parser(command: str = "check") -> argparse.ArgumentParser:
    """What the command line understands; `command` is check or schema."""
    parser = argparse.ArgumentParser(prog=called(command), description=(
        "Name every mistake in a grid, and every file and column that it names and that is not "
        "there, without running it; or print the JSON Schema of grids, of one that is named with "
        "the parts of its plugins."))
    parser.add_argument("grid", type=utf8_path, nargs="?", help="a grid file")
    parser.add_argument("--json", action="store_true", help=(
        "print the mistakes as JSON: file, line, column, key, rule, message and nearest value"))
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of grids")
    return parser


if __name__ == "__main__":
    sys.exit(main())
