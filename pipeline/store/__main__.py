"""`python -m pipeline.store ls|verify|prune`: look at the store, check it, clear what is unused."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from pipeline.store.keys import key_of
from pipeline.store.manifest import Damaged
from pipeline.store.merging import merge
from pipeline.store.opening import DEFAULT_STORE, store_at
from pipeline.store.shards import Shards
from pipeline.store.store import Store
from reports.units import rough_size

STOPPED = 130  # exit code, as shells have it


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; `verify` exits with 1 where an entry is damaged."""
    options = parser().parse_args(arguments)
    try:
        _run(options)
    except BrokenPipeError:  # the reader, head for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # a bucket that cannot be reached, for example
        sys.exit(f"stopped: {error}")
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(STOPPED)


def _run(options: argparse.Namespace) -> None:
    store = store_at(options.store)
    if not store.is_made:
        sys.exit(
            f"there is no store at {options.store}: a run makes one (say --store for another)"
        )
    if options.command == "ls":
        _list(store)
    elif options.command == "verify":
        sys.exit(_verify(store))
    else:
        for name in prune(store, options.unused_days):
            print(f"removed {name}")


def parser() -> argparse.ArgumentParser:
    """What the command line understands."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.store", description=__doc__)
    parser.add_argument(
        "--store",
        default=DEFAULT_STORE,
        help="where it lies: a folder, or s3://bucket/prefix (default: %(default)s)",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "ls", help="list the entries: key, size, what computing it took, what it is"
    )
    commands.add_parser("verify", help="read every entry and compare its checksums")
    clear = commands.add_parser(
        "prune", help="remove leftovers of interrupted runs and damaged entries"
    )
    clear.add_argument(
        "--unused-days", type=float, metavar="N", help="also entries not used for N days"
    )
    return parser


def _list(store: Store) -> None:
    keys, size = store.all_keys(), 0
    for key in keys:
        try:
            manifest = store.manifest(key)
        except Damaged as error:
            print(f"{key[:12]}  damaged: {error}")
            continue
        of_entry = sum(int(about["bytes"]) for about in manifest["files"].values())
        size += of_entry
        print(_line(manifest, of_entry))
    print(f"{len(keys)} entries, {rough_size(size)} in {store.address}")


def _line(manifest: dict[str, Any], size: int) -> str:
    what = f"{manifest['ingredients'].get('kind', '?'):9} {manifest['facts'].get('label', '')}"
    seconds = f"{manifest['seconds']:8.2f} s"
    return f"{manifest['key'][:12]}  {rough_size(size):>9}  {seconds}  {what}"


def _verify(store: Store) -> int:
    keys = store.all_keys()
    problems = {key: problem for key in keys if (problem := store.problem(key))}
    for key, problem in problems.items():
        print(f"{key[:12]}  damaged: {problem}")
    print(f"{len(keys)} entries, {len(problems)} damaged")
    return 1 if problems else 0


def prune(store: Store, unused_days: float | None = None) -> list[str]:
    """Remove what interrupted writers left, damaged entries, and those unused for `unused_days`.

    Returns
    -------
    What was removed, by name or key.
    """

    def is_stale(key: str) -> bool:
        return bool(store.problem(key)) or (
            unused_days is not None and store.idle_days(key) > unused_days
        )

    leftovers = store.clear_leftovers()
    removed = [key for key in store.all_keys() if store.remove(key, is_stale)]
    removed += [key for key in merge_small_shards(store) if store.remove(key, store.holds)]
    for group, keys in store.groups().items():
        for key in keys:
            if not store.holds(key):
                store.forget(group, key)
    return leftovers + removed


def merge_small_shards(store: Store) -> list[str]:
    """Put small shards together, maker by maker; the keys of those that are idle then."""
    idle: list[str] = []
    for group, keys in store.groups().items():
        sound = next((key for key in keys if store.problem(key) is None), None)
        if sound is None:
            continue
        ingredients = dict(store.manifest(sound)["ingredients"])
        ingredients.pop("samples", None)
        if key_of(ingredients) == group:
            idle += merge(Shards(store, ingredients))
    return idle


if __name__ == "__main__":
    main()
