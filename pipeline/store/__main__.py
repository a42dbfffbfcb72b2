"""Look at the store, check it, clear what is not used any more."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from pipeline.program.names import called
from pipeline.program.paths import utf8_path
from pipeline.store.manifest import Damaged
from pipeline.store.opening import DEFAULT_STORE, store_at
from pipeline.store.store import Store
from pipeline.store.tending.listing import Overview, size_of
from pipeline.store.tending.pruning import Stale, prune, stale
from reports.units import rough_size
from reports.wording import count, first_lines, for_terminal

REFUSED = 2

STOPPED = 130  # exit code, as shells have it


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; `verify` exits with 1 where an entry is damaged.

    Other exit codes are those of pipeline.command.ending.
    """
    options = parser().parse_args(arguments)
    try:
        _run(options)
    except BrokenPipeError:  # the reader, head for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # a bucket that cannot be reached, for example
        _refuse(f"stopped: {error}")
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(STOPPED)


def _refuse(reason: str) -> NoReturn:
    print(for_terminal(reason), file=sys.stderr)
    sys.exit(REFUSED)


def _run(options: argparse.Namespace) -> None:
    store = store_at(options.store)
    if not store.is_made:
        _refuse(f"there is no store at {options.store}: a run makes one (say --store for another)")
    if options.command == "ls":
        _list(store, options)
        return
    code = _verify(store) if options.command == "verify" else _prune(store, options)
    if code:
        sys.exit(code)


def parser() -> argparse.ArgumentParser:
    """What the command line understands."""
    parser = argparse.ArgumentParser(prog=called("store"), description=__doc__)
    _add_store(parser, DEFAULT_STORE)
    commands = parser.add_subparsers(dest="command", required=True)
    listed = commands.add_parser(
        "ls", help="what it holds, by kind and by run, with sizes", description=(
            "List what the store holds: entries, bytes and the time that computing them took, by "
            "kind; and of the runs that are named."))
    listed.add_argument("runs", nargs="*", type=utf8_path, metavar="RUNS",
                        help="folders of runs, or folders that hold such, like runs")
    listed.add_argument("--entries", action="store_true",
                        help="each entry: key, size, what computing it took, what it is")
    listed.add_argument("--json", action="store_true",
                        help="the same for programs: bytes and seconds")
    verified = commands.add_parser("verify", help="read every entry and compare its checksums",
                                   description="Read every entry and compare its checksums.")
    clear = commands.add_parser(
        "prune", help="remove leftovers of interrupted runs and damaged entries", description=(
            "Remove leftovers of interrupted runs and damaged entries, after a question, and put "
            "small shards together."))
    clear.add_argument("--unused-days", type=float, metavar="N",
                       help="also entries not used for N days")
    clear.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    clear.add_argument("-y", "--yes", action="store_true", help="remove it without a question")
    for verb in (listed, verified, clear):
        _add_store(verb, argparse.SUPPRESS)
    return parser


def _add_store(parser: argparse.ArgumentParser, default: str) -> None:
    """Let a parser be told the store; a verb that is not told leaves what was said before it."""
    parser.add_argument(
        "--store", default=default,
        help=f"where it lies: a folder, or s3://bucket/prefix (default: {DEFAULT_STORE})",
    )


# ls


def _list(store: Store, options: argparse.Namespace) -> None:
    if options.entries:
        _list_entries(store)
        return
    overview = Overview(store, options.runs)
    if options.json:
        print(json.dumps(overview.as_json(), indent=2))
        return
    for line in overview.lines():
        print(line)


def _list_entries(store: Store) -> None:
    keys, size = store.all_keys(), 0
    for key in keys:
        try:
            manifest = store.manifest(key)
        except Damaged as error:
            print(f"{key[:12]}  damaged: {error}")
            continue
        of_entry = size_of(manifest)
        size += of_entry
        print(_line(manifest, of_entry))
    print(f"{count(len(keys), 'entry', 'entries')}, {rough_size(size)} in {store.address}")


def _line(manifest: dict[str, Any], size: int) -> str:
    what = f"{manifest['ingredients'].get('kind', '?'):9} {manifest['facts'].get('label', '')}"
    seconds = f"{manifest['seconds']:8.2f} s"
    return f"{manifest['key'][:12]}  {rough_size(size):>9}  {seconds}  {what}"


# verify


def _verify(store: Store) -> int:
    keys = store.all_keys()
    problems = {key: problem for key in keys if (problem := store.problem(key))}
    for key, problem in problems.items():
        print(f"{key[:12]}  damaged: {problem}")
    print(f"{count(len(keys), 'entry', 'entries')}, {len(problems)} damaged")
    return 1 if problems else 0


# prune


def _prune(store: Store, options: argparse.Namespace) -> int:
    """Say what goes, ask, and remove it; 2 where nobody can be asked."""
    going = list(stale(store, options.unused_days))
    for line in first_lines([f"{piece.name[:12]}  {piece.why}" for piece in going]):
        print(line)
    print(_total(going))
    if options.dry_run:
        return 0
    if going and not options.yes and not _agreed():
        return REFUSED
    removed = prune(store, options.unused_days)
    print(f"removed {count(len(removed), 'entry', 'entries')}")
    return 0


def _total(going: Sequence[Stale]) -> str:
    if not going:
        return "there is nothing to remove"
    size = rough_size(sum(piece.size for piece in going))
    return f"to remove: {count(len(going), 'entry', 'entries')}, {size}"


def _agreed() -> bool:
    """Whether whoever sits at the terminal agrees; without one nobody is asked."""
    if not sys.stdin.isatty():
        print("nothing was removed: there is no terminal to ask at; say -y to remove it, or "
              "--dry-run only to look", file=sys.stderr)
        return False
    try:
        answer = input("Remove these? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().casefold() in ("y", "yes"):
        return True
    print("nothing was removed")
    return False


if __name__ == "__main__":
    main()
