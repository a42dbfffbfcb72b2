"""`modalgrid completion SHELL`: a file by which a shell completes commands and options.

The file is static (shtab writes it), so that a shell that completes starts no Python.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Literal, get_args

from features.machine.extras import lacking, not_installed
from pipeline.command.ending import ended
from pipeline.program.names import COMMANDS, PROGRAM, called
from pipeline.program.paths import utf8_path

Shell = Literal["bash", "zsh", "fish"]


class NoCompletion(Exception):
    """A completion that cannot be written, and why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the completion. For exit codes other than 0 see pipeline.command.ending."""
    options = parser().parse_args(arguments)
    return ended(lambda: _print(options.shell), (NoCompletion,))


def parser() -> argparse.ArgumentParser:
    """What the command line understands."""
    parser = argparse.ArgumentParser(prog=called("completion"), description=(
        "Print what completes commands and options in a shell: put it into the file that the shell "
        "reads, for bash ~/.local/share/bash-completion/completions/modalgrid."))
    parser.add_argument("shell", choices=get_args(Shell), help="the shell")
    return parser


def completion(shell: Shell) -> str:
    """The text of a shell's completion file.

    Raises
    ------
    NoCompletion
        Without the package that writes it.
    """
    missing = not_installed(["shtab"])
    if missing:
        raise NoCompletion(lacking("completion", missing))
    import shtab

    text: str = shtab.complete(_all_commands(shtab.FILE), shell)
    return text


def _print(shell: Shell) -> int:
    print(completion(shell))
    return 0


def _all_commands(file: Mapping[str, Any]) -> argparse.ArgumentParser:
    """One parser of all commands, as shtab reads it; `file` marks what is completed by files."""
    program = argparse.ArgumentParser(prog=PROGRAM)
    commands = program.add_subparsers(metavar="COMMAND")
    for name, command in COMMANDS.items():
        of_command: argparse.ArgumentParser = import_module(command.module).parser()
        for action in of_command._actions:
            if action.type is utf8_path or action.dest == "items":
                action.complete = file  # type: ignore[attr-defined]
        commands.add_parser(name, help=command.does, parents=[of_command], add_help=False)
    return program


if __name__ == "__main__":
    sys.exit(main())
