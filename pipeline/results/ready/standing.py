"""A report that is ready: a later run that would make it of the very same leaves it as it is.

Under the key of all that decides what a report says (see pipeline.results.ready.deciding), the
store notes which files it has, which entries it was made of, and what its run said. It stands while
these files are in the run's folder as they were written, and these entries are in the store as they
were read. Anything else, and it is made anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pipeline.config.reading.origin import LOCK
from pipeline.results.placing import FILES, is_settled
from pipeline.results.ready.conclusion import Conclusion
from pipeline.store.files import sha256
from pipeline.store.keys import Ingredients
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from reports.wording import for_terminal

NEEDED = frozenset({LOCK, "report.html"})


@dataclass(frozen=True)
class ReadyReport:
    """What a report was made of, and what was said with it.

    Parameters
    ----------
    files : sha256 of each of its files, and of all others of its run, by path in the folder.
    entries : seals of the entries of the store that were read for it, by key.
    features : seals of the entries of whose manifests it tells, by key.
    lines : what a run says that computes nothing, before its report is written.
    conclusion : what it says then.
    """

    files: Mapping[str, str]
    entries: Mapping[str, str]
    features: Mapping[str, str]
    lines: tuple[str, ...]
    conclusion: Conclusion

    def note(self, deciding: Ingredients, store: Store) -> None:
        """Note it in the store; nothing is noted where that cannot be written."""
        facts: dict[str, Any] = {
            "label": "a finished report",
            "files": dict(self.files),
            "entries": dict(self.entries),
            "features": dict(self.features),
            "lines": list(self.lines),
            "conclusion": {name: list(said) for name, said in asdict(self.conclusion).items()},
        }
        with suppress(OSError):
            store.get(deciding, lambda: Entry({}, facts), lambda entry: entry.facts == facts)

    @classmethod
    def noted(cls, deciding: Ingredients, store: Store) -> ReadyReport | None:
        """The report that was noted; None where none was, or what was noted is none."""
        entry = store.load(deciding)
        names = [field.name for field in fields(Conclusion)]
        if entry is None or not entry.facts["conclusion"].keys() >= set(names):
            return None
        facts = entry.facts
        conclusion = Conclusion(*(_lines(facts["conclusion"], name) for name in names))
        lines = _lines(facts, "lines")
        return cls(facts["files"], facts["entries"], facts["features"], lines, conclusion)

    def stands(self, folder: Path, store: Store) -> bool:
        """Whether all of it is there: in the folder of the run, and in the store."""
        return (
            is_settled(folder)
            and self.files.keys() >= NEEDED
            and all(_is_there(folder, name, digest) for name, digest in self.files.items())
            and all(store.is_unchanged(key, seal) for key, seal in self.entries.items())
            and all(
                store.is_unchanged(key, seal, with_arrays=False)
                for key, seal in self.features.items()
            )
        )


def checksums(folder: Path) -> dict[str, str]:
    """Sha256 of every file of a run, by its path in the folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path) for path in paths}


def manifests(keys: Iterable[str], store: Store) -> dict[str, dict[str, Any]]:
    """Manifests of the entries of some keys, of those that the store has."""
    read = ((key, store.manifest_at(key)) for key in keys)
    return {key: manifest for key, manifest in read if manifest is not None}


def _is_there(folder: Path, name: str, digest: str) -> bool:
    """Whether a file of a run is as it was written; no other file is looked at."""
    parts = Path(name).parts
    if parts[0] not in FILES or os.pardir in parts:
        return False
    try:
        return sha256(folder / name) == digest
    except OSError:
        return False


def _lines(facts: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Lines for a terminal, which anybody may have put into a store that is shared."""
    return tuple(for_terminal(str(line)) for line in facts[name])
