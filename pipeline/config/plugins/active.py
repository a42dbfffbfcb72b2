"""Which plugins take part: those that are installed, and those that the grid read last names.

Their parts stand in the registries beside ours. Worker processes are brought to the same state by
`Carried`, which travels with what they compute.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.config.plugins.guarded import guarded
from pipeline.config.plugins.installed import Entry, distributions
from pipeline.config.plugins.kinds import GROUPS, KINDS, NAME, Kind, Registry
from pipeline.config.plugins.modules import (
    OURS,
    PluginError,
    code_digest,
    imported,
    lies_beside,
    top_of,
)
from pipeline.store.keys import key_of

HELD = frozenset({"encoders", "fusions", "classifiers", "bundled"})  # what bundles may hold
logger = logging.getLogger("modalgrid.plugins")


@dataclass(frozen=True)
class Reference:
    """Where a plugin is, as it travels.

    Parameters
    ----------
    name : of its module, as a grid names it; or of the installed distribution.
    folder : of the grid file, where it lies beside it.
    entries : of an installed distribution; empty for a module, which has mappings.
    version : of the distribution that it is of; empty where it is of none.
    code : digest of its source; empty while that is not known.
    """

    name: str
    folder: Path | None = None
    entries: tuple[Entry, ...] = ()
    version: str = ""
    code: str = ""

    @property
    def shown(self) -> str:
        """What decides its parts, for people: version and digest."""
        return f"{f'{self.version}, ' if self.version else ''}code {self.code[:16]}"


class Part(NamedTuple):
    """What a plugin adds under a name; two encoders where they are a pair."""

    kind: Kind
    name: str
    values: tuple[Any, ...]
    whose: str

    def __str__(self) -> str:
        return f"{self.kind.noun} '{self.name}' of {self.whose}"


class _State:
    """What is registered now."""

    def __init__(self) -> None:
        self.references: tuple[Reference, ...] = ()
        self.parts: list[Part] = []
        self.added: list[tuple[Registry, str]] = []
        self.codes: dict[str, str] = {}  # of the modules that plugins are written in
        self.owners: dict[tuple[str, str], str] = {}  # digests of plugins by kind and name
        self.classes: dict[str, type] = {}  # by how a bundle calls them
        self.said: set[str] = set()


_NOW = _State()


def activate(names: Sequence[str], folder: Path) -> dict[int, list[str]]:
    """Register the parts of installed plugins, and of those that a grid names; of no others.

    Parameters
    ----------
    names : modules, beside the grid file or importable.
    folder : of the grid file.

    Returns
    -------
    What is wrong with each, by its position among the names. What is wrong with installed ones is
    said once, and these parts are left out.
    """
    installed = [
        Reference(distribution.name, None, distribution.entries, distribution.version)
        for distribution in distributions()
    ]
    named = [
        Reference(name, folder.absolute() if lies_beside(name, folder) else None)
        for name in names
    ]
    problems = _register([*installed, *named])
    for position in range(len(installed)):
        for problem in problems.get(position, ()):
            if problem not in _NOW.said:
                _NOW.said.add(problem)
                logger.warning("warning: not used: %s", problem)
    return {
        position - len(installed): said
        for position, said in problems.items()
        if position >= len(installed)
    }


@dataclass(frozen=True)
class Carried:
    """The plugins of a run, brought into another process: registered there when it is called.

    Parameters
    ----------
    parts : what they add, as messages call it; what is wrong with others of an installed plugin
        was said where the run began, and hinders nothing.
    """

    references: tuple[Reference, ...]
    parts: frozenset[str]

    def __call__(self) -> dict[str, str]:
        """Register the same parts here; what decides them, by the plugins' names.

        Raises
        ------
        PluginError
            Where one is not here, or has other code.
        """
        if self.references != _NOW.references:
            problems = _register(list(map(_here, self.references)))
            if missing := sorted(self.parts - _shown_parts()):
                said = [*chain.from_iterable(problems.values())]
                raise PluginError(f"{', '.join(missing)} cannot be used here: {'; '.join(said)}")
        for here, there in zip(_NOW.references, self.references, strict=True):
            if here.code != there.code:
                raise PluginError(
                    f"plugin {there.name} has code {here.code[:16]} here, and {there.code[:16]} "
                    "where the run began: give all machines the same, and do not change it while "
                    "a run goes on"
                )
        return versions()


def carried() -> Carried:
    """What brings the plugins that take part here into another process."""
    return Carried(_NOW.references, _shown_parts())


def _shown_parts() -> frozenset[str]:
    return frozenset(map(str, _NOW.parts))


def versions() -> dict[str, str]:
    """Version and digest of the code of each plugin that takes part, by name."""
    return {f"plugin {reference.name}": reference.shown for reference in _NOW.references}


def plugins_of(modules: Sequence[str]) -> tuple[Reference, ...]:
    """The plugins that take part in which some modules are written."""
    tops = set(map(top_of, modules))
    return tuple(
        reference for reference in _NOW.references if tops & set(_tops_of(reference))
    )


def parts_of(name: str) -> list[Part]:
    """The parts that a plugin has added."""
    return [part for part in _NOW.parts if part.whose == name]


def plugin_classes() -> dict[str, type]:
    """The classes of plugins that bundles may hold, by their names there."""
    return _NOW.classes


def code_of(cls: type) -> str | None:
    """Digest of the source that a plugin's class is written in; None for a class of ours."""
    tops = {top_of(base.__module__) for base in cls.__mro__} & _NOW.codes.keys()
    codes = {top: _NOW.codes[top] for top in sorted(tops)}
    return key_of(codes) if len(codes) > 1 else next(iter(codes.values()), None)


def code_of_part(group: str, name: str) -> str | None:
    """Digest of the plugin that a part comes from; None for a part of ours."""
    return _NOW.owners.get((group, name))


def _register(references: Sequence[Reference]) -> dict[int, list[str]]:
    """Make the parts of these plugins the ones that are registered beside ours; what is wrong."""
    _clear()
    problems: dict[int, list[str]] = {}
    whole: dict[int, Reference] = {}
    parts: dict[int, list[Part]] = {}
    for position, reference in enumerate(references):
        parts[position], problems[position] = _read(reference)
        try:
            codes = {top: code_digest(top) for top in _tops(reference, parts[position])}
        except PluginError as error:
            problems[position].append(f"plugin {reference.name}: {error}")
            continue
        _NOW.codes |= codes
        code = key_of(codes) if len(codes) > 1 else next(iter(codes.values()), "")
        whole[position] = replace(reference, code=code)
    clashes = _clashes(list(chain.from_iterable(parts.values())))
    for position, reference in whole.items():
        for part in parts[position]:
            if clash := clashes.get(part):
                problems[position].append(clash)
            else:
                _add(part, reference)
    _NOW.references = tuple(
        reference for position, reference in whole.items() if parts[position]
    )
    return {position: said for position, said in problems.items() if said}


def _here(reference: Reference) -> Reference:
    """Where to look for a plugin on this machine, whose grid folder may not be here."""
    there = reference.folder
    is_beside = there is not None and lies_beside(reference.name, there)
    return replace(reference, folder=there if is_beside else None, code="")


def _clear() -> None:
    for registry, name in _NOW.added:
        del registry[name]
    _NOW.added, _NOW.references, _NOW.codes = [], (), {}
    _NOW.owners, _NOW.classes, _NOW.parts = {}, {}, []


def _add(part: Part, reference: Reference) -> None:
    for value in part.values:
        registry = part.kind.registry(value)
        is_metric = part.kind.group == "metrics"
        registry[part.name] = guarded(value, str(part)) if is_metric else value
        _NOW.added.append((registry, part.name))
        if part.kind.group in HELD and top_of(value.__module__) not in OURS:
            _NOW.classes[name_of(value)] = value
    _NOW.owners[part.kind.group, part.name] = reference.code
    _NOW.parts.append(part)


def _read(reference: Reference) -> tuple[list[Part], list[str]]:
    """The sound parts of a plugin, and what is wrong with it and with others."""
    parts: list[Part] = []
    problems: list[str] = []
    read = _entries(reference) if reference.entries else _mappings(reference)
    for item in read:
        if isinstance(item, PluginError):
            problems.append(f"plugin {reference.name}: {item}")
            continue
        is_named = item.kind.group == "bundled" or NAME.fullmatch(item.name)
        lacking = [] if is_named else ["a name of letters, digits and _"]
        value = item.values if len(item.values) > 1 else item.values[0]
        lacking += item.kind.lacks(value)
        if lacking:
            problems.append(f"{item} lacks {', '.join(lacking)}")
        else:
            parts.append(item)
    return parts, problems


def _entries(reference: Reference) -> Iterator[Part | PluginError]:
    """The parts that the entry points of an installed distribution name."""
    for entry in reference.entries:
        kind = GROUPS[entry.group]
        try:
            value: Any = imported(entry.module, None)
            for name in filter(None, entry.attribute.split(".")):
                value = getattr(value, name)
        except (PluginError, AttributeError) as error:
            yield PluginError(f"{kind.noun} '{entry.name}': {error}")
        else:
            yield _part(kind, entry.name, value, reference)


def _mappings(reference: Reference) -> Iterator[Part | PluginError]:
    """The parts in the mappings of a module."""
    try:
        module = imported(reference.name, reference.folder)
    except PluginError as error:
        yield error
        return
    there = [kind for kind in KINDS if hasattr(module, kind.mapping)]
    if not there:
        known = ", ".join(kind.mapping for kind in KINDS)
        yield PluginError(f"the module adds nothing: it has none of {known}")
    for kind in there:
        mapping = getattr(module, kind.mapping)
        if kind is GROUPS["bundled"] and isinstance(mapping, list | tuple | set | frozenset):
            mapping = dict(enumerate(mapping))
        if not isinstance(mapping, Mapping):
            what = type(mapping).__name__
            yield PluginError(f"{kind.mapping} maps names to parts: it is no mapping but {what}")
            continue
        for name, value in mapping.items():
            yield _part(kind, str(name), value, reference)


def _part(kind: Kind, name: str, value: Any, reference: Reference) -> Part:
    is_pair = isinstance(value, tuple) and len(value) == 2 and kind.group == "encoders"
    if kind.group == "bundled" and isinstance(value, type):
        name = name_of(value)
    return Part(kind, name, value if is_pair else (value,), reference.name)


def _clashes(parts: Sequence[Part]) -> dict[Part, str]:
    """The parts whose name is not theirs alone, and who else has it."""
    names = Counter((part.kind.group, part.name) for part in parts)
    clashes: dict[Part, str] = {}
    for part in parts:
        others = [
            other.whose
            for other in parts
            if other is not part and (other.kind, other.name) == (part.kind, part.name)
        ]
        if any(part.name in names_of_ours for names_of_ours in part.kind.taken()):
            others.append("modalgrid")
        if others or names[part.kind.group, part.name] > 1:
            clashes[part] = (
                f"{part}: {' and '.join(others)} has one of that name, too: rename it"
            )
    return clashes


def name_of(cls: type) -> str:
    """How a class is called in a bundle."""
    return f"{cls.__module__}:{cls.__qualname__}"


def _tops(reference: Reference, parts: Sequence[Part]) -> list[str]:
    """The modules whose source decides the parts of a plugin, sorted."""
    values = chain.from_iterable(part.values for part in parts)
    written = {top_of(value.__module__) for value in values if isinstance(value, type)}
    tops = {*_tops_of(reference), *written} - OURS if parts else set[str]()
    return sorted(top for top in tops if top in sys.modules)


def _tops_of(reference: Reference) -> list[str]:
    """The modules that a plugin is reached by."""
    modules = [entry.module for entry in reference.entries] or [reference.name]
    return sorted(set(map(top_of, modules)))
