"""The commands: what each is called, and what it does in a line."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "modalgrid"


@dataclass(frozen=True)
class Command:
    """A command.

    Parameters
    ----------
    module : whose `main` it is.
    does : in a line.
    first : arguments that stand before those that are given.
    """

    module: str
    does: str
    first: tuple[str, ...] = ()


COMMANDS: dict[str, Command] = {
    "run": Command("pipeline.run", "compare what a grid, a table or a folder holds; the report"),
    "new": Command("pipeline.new", "write a grid for a table or a folder of pictures"),
    "plan": Command("pipeline.run", "say what a run would do, and compute nothing", ("--plan",)),
    "compare": Command("pipeline.compare", "compare methods across data sets, by finished runs"),
    "pdf": Command("pipeline.pdf.__main__", "the report of a run as a PDF, printed by a Chromium"),
    "bundle": Command("pipeline.bundle", "fit the winner of a run on all rows, as a folder"),
    "predict": Command("pipeline.predict", "predict new items with a bundle"),
    "serve": Command("pipeline.serve", "a page and an API that ask a bundle"),
    "index": Command("pipeline.index", "make items findable, with a bundle"),
    "search": Command("pipeline.search", "find items of an index by words and pictures"),
    "recommend": Command("pipeline.recommend", "items of an index that are like others"),
    "tag": Command("pipeline.tag", "tag pictures, with an index or a bundle"),
    "store": Command("pipeline.store.__main__", "list, verify or prune what is stored"),
    "check": Command("pipeline.config.__main__", "say what is wrong with a grid, in JSON if asked"),
    "schema": Command("pipeline.config.__main__", "print the JSON Schema of grids", ("--schema",)),
    "completion": Command("pipeline.command.completion", "completion for bash, zsh or fish"),
}


# What stands behind `python -m`, but the store's own, which knows nothing of runs.
MODULES = frozenset(
    command.module.removesuffix(".__main__") for command in COMMANDS.values()
) - {"pipeline.store"}


def is_program() -> bool:
    """Whether this process was started as modalgrid, or as python -m pipeline."""
    return Path(sys.argv[0]).stem == PROGRAM or Path(sys.argv[0]).match("pipeline/__main__.py")


def called(name: str) -> str:
    """How whoever reads a usage calls a command: as this process was called."""
    if is_program():
        return f"{PROGRAM} {name}"
    command = COMMANDS[name]
    return " ".join(["python -m", command.module.removesuffix(".__main__"), *command.first])
