"""`python -m pipeline.testing MODULE`: the contract checks of a plugin's parts."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence

from pipeline.config.plugins.modules import PluginError
from pipeline.testing.battery import Check, checks_of
from reports.wording import count, in_a_line

FAILED, REFUSED = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a plugin. Exit code 0: it keeps its contracts; 1: it does not; 2: it cannot be used."""
    options = parser().parse_args(arguments)
    try:
        checks = checks_of(options.module)
    except PluginError as error:
        print(error, file=sys.stderr)
        return REFUSED
    failures = 0
    for part in dict.fromkeys(check.part for check in checks):
        of_part = [check for check in checks if check.part == part]
        broken = [said for said in map(_broken, of_part) if said]
        failures += len(broken)
        print(f"{part}: {count(len(of_part), 'check')}, {len(broken) or 'none'} failed")
        for said in broken:
            print(f"  {said}")
    return FAILED if failures else 0


def _broken(check: Check) -> str:
    """What is wrong by a check; empty where nothing is."""
    try:
        check()
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        said = in_a_line(error)
        return f"{check.rule}\n    {said}\n    {frame.filename}, line {frame.lineno}: {frame.line}"
    return ""


def parser() -> argparse.ArgumentParser:
    """What the command line understands."""
    command_line = argparse.ArgumentParser(
        prog="python -m pipeline.testing",
        description="Check that the parts of a plugin keep the contracts that ours keep.",
    )
    command_line.add_argument("module", help="in the working folder, or importable")
    return command_line


if __name__ == "__main__":
    sys.exit(main())
