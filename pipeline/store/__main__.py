"""`python -m pipeline.store ls|verify|prune`: look at the store, check it, clear what is unused."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.store.keys import key_of
from pipeline.store.manifest import MANIFEST, Damaged, read_manifest
from pipeline.store.shards import Shards
from pipeline.store.store import DEFAULT_STORE, Store
from reports.units import rough_size


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; `verify` exits with 1 where an entry is damaged."""
    options = _parser().parse_args(arguments)
    try:
        _run(options)
    except BrokenPipeError:  # the reader, head for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(options: argparse.Namespace) -> None:
    if not options.store.is_dir():
        sys.exit(
            f"there is no store at {options.store}: a run makes one (say --store FOLDER for "
            "another)"
        )
    store = Store(options.store)
    if options.command == "ls":
        print("\n".join(_line(folder) for folder in store.entries()))
        size = rough_size(_bytes(store.root))
        print(f"{len(store.entries())} entries, {size} in {options.store}")
    elif options.command == "verify":
        sys.exit(_verify(store))
    else:
        for folder in prune(store, options.unused_days):
            print(f"removed {folder.relative_to(store.root)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline.store", description=__doc__)
    parser.add_argument(
        "--store", type=Path, default=DEFAULT_STORE, help="its folder (default: %(default)s)"
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


def _line(folder: Path) -> str:
    try:
        manifest = read_manifest(folder)
    except Damaged as error:
        return f"{folder.name[:12]}  damaged: {error}"
    what = f"{manifest['ingredients'].get('kind', '?'):9} {manifest['facts'].get('label', '')}"
    size = rough_size(_bytes(folder))
    return f"{folder.name[:12]}  {size:>9}  {manifest['seconds']:8.2f} s  {what}"


def _verify(store: Store) -> int:
    problems = {folder: problem for folder in store.entries() if (problem := store.problem(folder))}
    for folder, problem in problems.items():
        print(f"{folder.name[:12]}  damaged: {problem}")
    print(f"{len(store.entries())} entries, {len(problems)} damaged")
    return 1 if problems else 0


def prune(store: Store, unused_days: float | None = None) -> list[Path]:
    """Remove what interrupted writers left, damaged entries, and those unused for `unused_days`."""
    def is_stale(folder: Path) -> bool:
        return bool(store.problem(folder)) or (
            unused_days is not None and _idle_days(folder) > unused_days
        )

    partial = [
        path for path in (store.root / "partial").glob("*") if _remove(store, path, Path.exists)
    ]
    removed = [folder for folder in store.entries() if _remove(store, folder, is_stale)]
    merged = [store.folder(key) for key in merge_small_shards(store)]
    removed += [folder for folder in merged if _remove(store, folder, Path.exists)]
    for group, keys in store.groups().items():
        for key in keys:
            if not store.folder(key).exists():
                store.forget(group, key)
    return partial + removed


def merge_small_shards(store: Store) -> list[str]:
    """Put small shards together, maker by maker; the keys of those that are idle then."""
    idle: list[str] = []
    for group, keys in store.groups().items():
        entries = (store.folder(key) for key in keys)
        sound = next((folder for folder in entries if store.problem(folder) is None), None)
        if sound is None:
            continue
        ingredients = dict(read_manifest(sound)["ingredients"])
        del ingredients["samples"]
        if key_of(ingredients) == group:
            idle += Shards(store, ingredients).merge()
    return idle


def _remove(store: Store, folder: Path, is_stale: Callable[[Path], bool]) -> bool:
    """Remove a stale folder, unless somebody is at work on its key (and holds the lock)."""
    locks = store.root / "locks"
    locks.mkdir(exist_ok=True)
    try:
        with FileLock(locks / f"{folder.name.split('.')[0]}.lock", timeout=0):
            if not is_stale(folder):
                return False
            shutil.rmtree(folder)
    except Timeout:
        return False
    return True


def _idle_days(folder: Path) -> float:
    return (time.time() - (folder / MANIFEST).stat().st_mtime) / 86400


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
