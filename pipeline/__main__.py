"""`modalgrid COMMAND ...`: all commands under one name.

Only the command that is asked for is imported: the list and the version come at once.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from importlib import import_module

from pipeline.program.names import COMMANDS, PROGRAM, program, version

REFUSED = 2
HELP, VERSION = ("-h", "--help", "help"), ("-V", "--version", "version")


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command; its exit code, 2 for one that there is not."""
    name, *rest = list(sys.argv[1:] if arguments is None else arguments) or [HELP[0]]
    if name in HELP:
        if rest and rest[0] in COMMANDS:
            return _carried_out(rest[0], ["--help"])
        print(_overview())
        return 0
    if name in VERSION:
        print(f"{PROGRAM} {_version()}")
        return 0
    if name not in COMMANDS:
        print(f"{PROGRAM}: there is no command {name!r}{_nearest(name)} ({_typed()} -h lists all)",
              file=sys.stderr)
        return REFUSED
    return _carried_out(name, rest)


def _carried_out(name: str, arguments: Sequence[str]) -> int:
    command = COMMANDS[name]
    given = [*command.first, *arguments]
    from pipeline.engine.stopping import listen, stoppable

    listen()  # the first second goes into imports, which a traceback shall not end
    main = import_module(command.module).main
    return stoppable(lambda: main(given) or 0)


def _nearest(name: str) -> str:
    # features.machine.nearest would import all features
    close = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


def _overview() -> str:
    width = max(map(len, COMMANDS))
    return "\n".join([
        f"usage: {_typed()} COMMAND ...",
        "",
        "Compare picture, text and fused classifiers on the same folds, and use what won.",
        "",
        *(f"  {name:{width}}  {command.does}" for name, command in COMMANDS.items()),
        "",
        f"{_typed()} COMMAND -h says more of one; {_typed()} --version, the version.",
    ])


def _typed() -> str:
    return program() or PROGRAM


def _version() -> str:
    return version() or "(not installed: run from its source)"


if __name__ == "__main__":
    sys.exit(main())
