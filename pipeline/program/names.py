"""The program and its commands: what each is called, and what it does in a line."""

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


def program() -> str | None:
    """How this process was started: as modalgrid or python -m pipeline; None by a command's own."""
    if Path(sys.argv[0]).stem == PROGRAM:
        return PROGRAM
    if Path(sys.argv[0]).match("pipeline/__main__.py"):
        return "python -m pipeline"
    return None


def called(command: str) -> str:
    """A command as this process was called: "modalgrid run", or "python -m pipeline.run"."""
    start = program()
    if start is not None:
        return f"{start} {command}"
    module = COMMANDS[command].module.removesuffix(".__main__")
    return " ".join(["python -m", module, *COMMANDS[command].first])


def version() -> str | None:
    """Of the package; None where it is not installed, but run from its source."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    try:
        return version_of(PROGRAM)
    except PackageNotFoundError:
        return None


def is_installed() -> bool:
    """Whether commands run from any folder."""
    return program() == PROGRAM or version() is not None
