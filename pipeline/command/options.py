"""The options of a run, and the command that gives it again."""

from __future__ import annotations

import argparse
import shlex
from typing import get_args

from features.machine.cores import cores
from features.machine.nearest import nearest
from pipeline.command.browser import add_open
from pipeline.config.grid import Run, TrackerName
from pipeline.engine.limit import checked_limit
from pipeline.engine.opening import ENGINES, EngineName
from pipeline.program.names import called
from pipeline.program.paths import utf8, utf8_path
from pipeline.store.opening import DEFAULT_STORE


def command_line(name: str = "run") -> argparse.ArgumentParser:
    """What the command line understands; `name` is that of the command, run or plan."""
    parser = argparse.ArgumentParser(prog=called(name), description=(
        "Compare picture and text classifiers on the same folds and write a report."))
    parser.add_argument(
        "grid", type=utf8_path,
        help="the grid file (YAML); or a table or a folder of class folders, for which one is "
        "written beside the results and run",
    )
    parser.add_argument(
        "-o", "--out", type=utf8_path, help="folder for the results (default: runs/NAME)"
    )
    parser.add_argument("--store", default=DEFAULT_STORE, type=utf8,
                        help="where the cached features and results lie: a folder, or "
                             "s3://bucket/prefix (default: %(default)s)")
    add_jobs(parser)
    _add_engine(parser)
    parser.add_argument(
        "--time-limit",
        type=_time_limit,
        help="how long the run may take, like 90s, 10m or 2h: what tells most comes first, the "
        "report is of what was reached, and the same command goes on (default: the grid's `run`, "
        "else none)",
    )
    parser.add_argument("--track", choices=get_args(TrackerName),
                        help="tell an experiment tracker of the finished run (default: the grid's "
                        "`track`, else none)")
    parser.add_argument(
        "--plan",
        action="store_true",
        help="check the grid and the data, print what there is to do, and compute nothing",
    )
    _add_saying(parser)
    add_open(parser)
    return parser


def _add_engine(parser: argparse.ArgumentParser) -> None:
    """Let a command be told what computes."""
    parser.add_argument(
        "--engine",
        type=_engine,
        metavar="{" + ",".join(ENGINES) + "}",
        help="what computes: processes of this machine, or workers of a dask cluster (default: the "
        "grid's `run`, else processes)",
    )
    parser.add_argument(
        "--address",
        help="the dask scheduler, like tcp://host:8786; without one, --jobs workers are started "
        "here",
    )


def _add_saying(parser: argparse.ArgumentParser) -> None:
    """Let a command be told how much to say, and with which code to end."""
    parser.add_argument("--strict", action="store_true",
                        help="exit with code 3 where the run or the plan has alarms")
    parser.add_argument("-q", "--quiet", action="store_true",
                        help="say nothing but alarms, failures and the answer")
    parser.add_argument("-v", "--verbose", action="store_true",
                        help="also say how long each step of the run took")


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Let a command be given the number of its processes."""
    parser.add_argument(
        "--jobs",
        type=_jobs,
        default=cores(),
        help="processes that fit models side by side (default: the cores, %(default)s)",
    )


def _jobs(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number of processes, 1 at least, not '{text}'")
    return int(text)


def _engine(text: str) -> str:
    if text not in ENGINES:
        raise argparse.ArgumentTypeError(f"unknown engine '{text}'; {nearest(text, ENGINES)}")
    return text


def _time_limit(text: str) -> str:
    try:
        return checked_limit(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error} (given: {text!r})") from error


def engine_of(options: argparse.Namespace, run: Run) -> tuple[EngineName, str | None]:
    """The engine and its address: those of the command line, else those of the grid."""
    name: EngineName = options.engine or run.engine
    from_grid = run.address if name == "dask" else None
    return name, options.address or from_grid


def limit_of(options: argparse.Namespace, run: Run) -> str | None:
    """The time limit of the command line, else that of the grid."""
    limit: str | None = options.time_limit or run.time_limit
    return limit


def command_of(options: argparse.Namespace) -> str:
    """The command that gives this run again."""
    given = {
        "out": (options.out, None),
        "store": (options.store, DEFAULT_STORE),
        "time-limit": (options.time_limit, None),
    }
    changed = [
        f"--{name} {shlex.quote(str(value))}"
        for name, (value, default) in given.items()
        if value != default
    ]
    return " ".join([called("run"), shlex.quote(str(options.grid)), *changed])
