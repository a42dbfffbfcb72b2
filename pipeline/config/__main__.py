"""`python -m pipeline.config --schema` prints the grid's JSON Schema."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from pipeline.config.grid import Split
from pipeline.config.parse import KEYS
from pipeline.config.schema import schema


def main(
    arguments: Sequence[str] | None = None, program: str = "python -m pipeline.config"
) -> None:
    """Print the JSON Schema of grid files, for editors.

    Parameters
    ----------
    program : what whoever typed it calls the command.
    """
    parser(program).parse_args(arguments)
    print(json.dumps(schema(KEYS, Split), indent=2))


def parser(program: str = "python -m pipeline.config") -> argparse.ArgumentParser:
    """What the command line understands."""
    parser = argparse.ArgumentParser(prog=program, description=(
        "Print the JSON Schema of grids, with which an editor completes and checks them."))
    parser.add_argument(
        "--schema", action="store_true", required=True, help="print the JSON Schema of a grid"
    )
    return parser


if __name__ == "__main__":
    main()
