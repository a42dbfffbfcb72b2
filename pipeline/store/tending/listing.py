"""What a store holds, by kind and by run, with sizes and totals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.store.manifest import Damaged
from pipeline.store.store import Store
from reports.units import rough_duration, rough_size
from reports.wording import count

ENTRIES = "entries.txt"  # in the folder of a run: the key of each entry that it used, one a line
DAMAGED = "damaged"


@dataclass
class Total:
    """Some entries together.

    Parameters
    ----------
    seconds : that computing them took.
    """

    entries: int = 0
    bytes: int = 0
    seconds: float = 0.0

    def add(self, other: Total) -> None:
        """Count others too."""
        self.entries += other.entries
        self.bytes += other.bytes
        self.seconds += other.seconds


def totals(store: Store, keys: Iterable[str]) -> dict[str, dict[str, Total]]:
    """Each entry by key and kind, as far as its manifest says."""
    listed: dict[str, dict[str, Total]] = {}
    for key in keys:
        try:
            manifest = store.manifest(key)
        except Damaged:
            listed[key] = {DAMAGED: Total(1)}
            continue
        kind = str(manifest["ingredients"].get("kind", "?"))
        listed[key] = {kind: Total(1, size_of(manifest), float(manifest["seconds"]))}
    return listed


def size_of(manifest: Mapping[str, Any]) -> int:
    """Bytes of an entry's arrays."""
    return sum(int(about["bytes"]) for about in manifest["files"].values())


def summed(listed: Iterable[Mapping[str, Total]]) -> dict[str, Total]:
    """Totals by kind, the largest first."""
    by_kind: dict[str, Total] = {}
    for kinds in listed:
        for kind, total in kinds.items():
            by_kind.setdefault(kind, Total()).add(total)
    return dict(sorted(by_kind.items(), key=lambda item: -item[1].bytes))


class Overview:
    """All entries of a store by kind, and those of some runs.

    Parameters
    ----------
    runs : folders of runs, or folders that hold such.

    Raises
    ------
    FileNotFoundError
        For a folder without any run that says what it used.
    """

    def __init__(self, store: Store, runs: Sequence[Path] = ()) -> None:
        self._store = store
        self._listed = totals(store, store.all_keys())
        self.by_kind = summed(self._listed.values())
        self.by_run: dict[str, dict[str, Total]] = {}
        used: set[str] = set()
        for folder in run_folders(runs):
            keys = set((folder / ENTRIES).read_text(encoding="utf-8").split())
            used |= keys
            self.by_run[str(folder)] = self._of(keys)
        self.of_no_run = self._of(self._listed.keys() - used) if runs else {}

    def _of(self, keys: Iterable[str]) -> dict[str, Total]:
        return summed(self._listed[key] for key in sorted(keys) if key in self._listed)

    @property
    def total(self) -> Total:
        """Of all entries."""
        return _sum(self.by_kind)

    def as_json(self) -> dict[str, Any]:
        """The same as plain data: sizes in bytes, times in seconds."""
        data: dict[str, Any] = {
            "store": self._store.address,
            "total": asdict(self.total),
            "kinds": _plain(self.by_kind),
        }
        if self.by_run:
            data["runs"] = {name: _plain(kinds) for name, kinds in self.by_run.items()}
            data["in no run"] = _plain(self.of_no_run)
        return data

    def lines(self) -> Iterator[str]:
        """The same for people."""
        yield _line("kind", "entries", "size", "computed in")
        yield from _lines(self.by_kind)
        for name, kinds in self.by_run.items():
            yield f"\n{name}:"
            yield from _lines(kinds)
        if self.by_run:
            yield "\nin none of these runs:"
            yield from _lines(self.of_no_run)
            yield "\nAn entry that several runs use counts for each of them."
        total = self.total
        size = rough_size(total.bytes)
        yield f"\n{count(total.entries, 'entry', 'entries')}, {size} in {self._store.address}"


def entries_used(features: Iterable[str], store: Store) -> set[str]:
    """Keys of what a run used: what it read and put here, its features, and their shards.

    Parameters
    ----------
    features : keys of those that its results were computed from, by workers or by earlier runs.
    """
    used = set(store.used)
    for key in features:
        manifest = store.manifest_at(key)
        if manifest is not None:
            used |= {key, *manifest["facts"].get("shards", ())}
    return used


def run_folders(runs: Sequence[Path]) -> list[Path]:
    """The folders of runs that say which entries they used.

    Raises
    ------
    FileNotFoundError
        Where a folder holds none.
    """
    folders: list[Path] = []
    for run in runs:
        there = [run] if (run / ENTRIES).is_file() else [
            path.parent for path in sorted(run.glob(f"*/{ENTRIES}"))
        ]
        if not there:
            raise FileNotFoundError(
                f"{run} holds no run that says what it used ({ENTRIES}): name the folder of one, "
                "or one that holds such; a run from before there was that file writes it when it "
                "is run again"
            )
        folders += there
    return list(dict.fromkeys(folders))


def _sum(kinds: Mapping[str, Total]) -> Total:
    total = Total()
    for other in kinds.values():
        total.add(other)
    return total


def _plain(kinds: Mapping[str, Total]) -> dict[str, Any]:
    return {kind: asdict(total) for kind, total in kinds.items()}


def _lines(kinds: Mapping[str, Total]) -> Iterator[str]:
    for kind, total in [*kinds.items(), ("total", _sum(kinds))]:
        seconds = rough_duration(total.seconds)
        yield _line(kind, f"{total.entries:,}", rough_size(total.bytes), seconds)


def _line(kind: str, entries: str, size: str, seconds: str) -> str:
    return f"  {kind:18} {entries:>8} {size:>9} {seconds:>12}"
