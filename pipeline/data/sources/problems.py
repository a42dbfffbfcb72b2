"""Words for what is wrong with a source: the rule, the value and the nearest valid value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from features.machine.extras import lacking, not_installed
from features.machine.home import expanded
from features.machine.nearest import did_you_mean
from pipeline.data.reading.names import by_normal_form, normal, unlike
from pipeline.data.samples import SourceError
from reports.wording import first_lines, short

MOST_LISTED = 12


def hint(name: str, known: Iterable[str], what: str) -> str:
    """End a sentence with the valid value nearest to `name`, and the first few there are."""
    names = sorted(known)
    same = by_normal_form(names).get(normal(name))
    question = (
        f"it has '{same}', which looks the same: {unlike(name, same)}"
        if same
        else did_you_mean(name, names)
    )
    listed = ", ".join(map(short, names[:MOST_LISTED])) or "none"
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return (f"; {question}" if question else "") + f" ({what}: {listed}{more})"


def check_installed(source: str, modules: Sequence[str]) -> None:
    """Raise SourceError where modules that a source needs are not installed."""
    missing = not_installed(modules)
    if missing:
        raise SourceError([lacking(source, missing)])


def first_few(problems: Sequence[str], what: str) -> list[str]:
    """Keep at most a dozen problems of one kind, and the number of those left out."""
    return first_lines(problems, MOST_LISTED, what=what)


def existing(path: str, folder: Path, key: str) -> Path:
    """Find the file or folder that the grid names under `key`; `path` counts from `folder`.

    Raises
    ------
    SourceError
        Where there is none, with the nearest name beside it.
    """
    reason = not_there(path, folder)
    if reason is not None:
        raise SourceError([f"{key}: {reason}"])
    return folder / expanded(path)


def not_there(path: str, folder: Path) -> str | None:
    """Why there is no file or folder of that path, with the nearest name; None where there is."""
    named = folder / expanded(path)
    if named.exists():
        return None
    missing = next(part for part in [*reversed(named.parents), named] if not part.exists())
    beside = missing.parent
    names = [entry.name for entry in beside.iterdir()] if beside.is_dir() else []
    return (f"'{path}' does not exist (paths count from the grid file, here {folder}); no "
            f"'{missing.name}' in {beside}{hint(missing.name, names, 'there is')}")


def all_of(*steps: Callable[[], Any]) -> list[Any]:
    """Run every step and return their results.

    Raises
    ------
    SourceError
        With the problems of all steps that raise it, not only of the first.
    """
    results: list[Any] = []
    problems: list[str] = []
    for step in steps:
        try:
            results.append(step())
        except SourceError as error:
            problems += error.problems
    if problems:
        raise SourceError(list(dict.fromkeys(problems)))
    return results
