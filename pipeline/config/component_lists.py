"""The grid's lists of encoders, fusions and classifiers."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, TypeVar

from features.machine.extras import lacking
from features.machine.nearest import nearest
from models import FUSIONS
from models.classifier import Classifier
from models.fusion import Fusion
from pipeline.config.components import (
    VARIANTS,
    Component,
    Encoders,
    EncoderSet,
    members_of,
    variants,
)
from pipeline.config.problem import (
    KeyPath,
    Problem,
    modules_lacked,
    not_installed_problems,
)

Registry = Mapping[str, type]
# As in the default grid: chance, each modality alone, then early, attention and late fusion.
BOTH: tuple[Any, ...] = (
    "majority", "image_only", "text_only", "concat", "attention",
    {"late": {"rule": ["mean", "product", "log_pool"]}},
)
ALONE: dict[str, tuple[Any, ...]] = {
    "image": ("majority", "image_only"), "text": ("majority", "text_only")
}
# Spaces that are learned from pairs.
RETRIEVAL: tuple[Any, ...] = ("text_space", "cca", "kernel_cca")
# Classes that no training row has, by each space and by each modality; one space needs a network.
UNSEEN: tuple[Any, ...] = (
    "majority",
    {"zero_shot": {"space": ["text", "cca"], "recognised_by": ["image", "text", "both"]}},
    {"zero_shot": {"space": "contrastive", "recognised_by": ["image", "text", "both"]}},
)
Listed = TypeVar("Listed", bound=Encoders)


class Lists(TypedDict):
    """The components under each key of the grid that lists some."""

    image: list[Encoders]
    text: list[Encoders]
    fusion: list[Component]
    classifier: list[Component]


def components(
    key: str, content: Mapping[str, object], registry: Registry, problems: list[Problem]
) -> list[Component]:
    """Every component under a key of the grid, lists of parameter values expanded.

    Mistakes are added to `problems`.
    """

    def stands_for(entry: object, path: KeyPath) -> list[Component]:
        return _variants(key, entry, path, registry, problems)

    return _listed(key, content, registry, problems, stands_for)


def encoders(
    key: str, content: Mapping[str, object], registry: Registry, problems: list[Problem]
) -> list[Encoders]:
    """As `components`, of a modality's encoders; a list in the list is a set used together."""

    def stands_for(entry: object, path: KeyPath) -> Sequence[Encoders]:
        if isinstance(entry, list):
            return _sets(key, entry, path, registry, problems)
        return _variants(key, entry, path, registry, problems)

    return _listed(key, content, registry, problems, stands_for)


def _listed(
    key: str,
    content: Mapping[str, object],
    registry: Registry,
    problems: list[Problem],
    stands_for: Callable[[object, KeyPath], Sequence[Listed]],
) -> list[Listed]:
    """What the entries under a key stand for, each once."""
    given = content.get(key)
    entries = given if isinstance(given, list) else [given]
    if given is None or not entries:
        if key in ("fusion", "classifier"):
            rule = f"the grid needs one {key} at least; {nearest('', registry)}"
            problems.append(Problem((key,) if key in content else (), rule, kind="missing_key"))
        return []
    listed: dict[tuple[str, ...], Listed] = {}
    for position, entry in enumerate(entries):
        path: KeyPath = (key, position) if isinstance(given, list) else (key,)
        for component in stands_for(entry, path):
            # In whatever order its members stand, a set is the same.
            labels = tuple(sorted(member.whole_label for member in members_of(component)))
            problems += _twice(component, listed.get(labels), path)
            listed[labels] = component
    return list(listed.values())


def _sets(
    key: str,
    entries: Sequence[object],
    path: KeyPath,
    registry: Registry,
    problems: list[Problem],
) -> list[EncoderSet]:
    """The sets of encoders that a list within the list stands for: one of each entry's variants."""
    by_entry = [
        _variants(key, entry, (*path, position), registry, problems)
        for position, entry in enumerate(entries)
    ]
    if len(entries) < 2:
        rule = (
            f"a list within the list is for {key} encoders that cells use together, two at least: "
            f"leave out the inner brackets of {list(entries)!r}"
        )
        problems.append(Problem(path, rule))
        return []
    if math.prod(map(len, by_entry)) > VARIANTS:
        rule = f"this list stands for more than {VARIANTS:,} sets of encoders, the most compared"
        problems.append(Problem(path, rule))
        return []
    sets = [EncoderSet(members) for members in itertools.product(*by_entry)]
    repeats = dict.fromkeys(itertools.chain.from_iterable(map(_repeated, sets)))
    problems += [
        Problem(path, f"{label} stands twice among encoders that are used together")
        for label in repeats
    ]
    return [] if repeats else sets


def _repeated(encoders: EncoderSet) -> list[str]:
    times = Counter(member.whole_label for member in encoders.members)
    return [member.label for member in encoders.members if times[member.whole_label] > 1]


def _twice(component: Encoders, other: Encoders | None, path: KeyPath) -> list[Problem]:
    """What is wrong where a component of that label, the `other`, stands in its list already."""
    if isinstance(component, EncoderSet) and other is not None:
        return [Problem(path, f"{component.label} is listed twice")]
    if component == other:
        return [Problem(path, f"{component.label} is listed twice")]
    if other is not None:
        return [
            Problem(
                path,
                f"{component.label} stands here twice, with other values to choose from on the "
                "inner folds: give these in one list",
            )
        ]
    return []


def _variants(
    key: str, entry: object, path: KeyPath, registry: Registry, problems: list[Problem]
) -> list[Component]:
    """What an entry stands for: `name`, `{name: {key: value}}` or `{encoder: name, key: value}`.

    The last form is `{fusion: name, ...}` and `{classifier: name, ...}` in their lists.
    """
    kind = "encoder" if key in ("image", "text") else key
    name, keys = _name_and_keys(entry, kind)
    if name is None:
        rule = (
            f"write a name, {{name: {{key: value}}}} or {{{kind}: name, key: value}}, not {entry!r}"
        )
        problems.append(Problem(path, rule))
        return []
    if name not in registry:
        what = kind if kind == key else f"{key} {kind}"
        rule = f"unknown {what} '{name}'; {nearest(name, registry)}"
        problems.append(Problem(path, rule, kind="unknown_name"))
        return []
    cls = registry[name]
    inner = path if isinstance(entry, dict) and kind in entry else (*path, name)
    tuned = cls.tuned if issubclass(cls, Fusion | Classifier) else {}
    listed, wrong = variants(name, cls, keys, inner, tuned)
    parameters = [component.parameters for component in listed]
    problems += [*wrong, *not_installed_problems(name, cls, parameters, inner)]
    return listed


def _name_and_keys(entry: object, kind: str) -> tuple[str | None, dict[str, Any]]:
    if isinstance(entry, str):
        return entry, {}
    if not isinstance(entry, dict):
        return None, {}
    if isinstance(entry.get(kind), str):
        return entry[kind], {key: value for key, value in entry.items() if key != kind}
    if len(entry) == 1:
        name, keys = next(iter(entry.items()))
        if keys is None or isinstance(keys, dict):
            return name, keys or {}
    return None, {}


def located(component: Component, folder: Path) -> Component:
    """The component with its paths made absolute: they count from the grid file's folder.

    Where a name or a folder may stand (as for models), ./ or ../ in front makes it a folder.
    """
    parameters = {
        key: folder / value
        if isinstance(value, Path) or str(value).startswith(("./", "../"))
        else value
        for key, value in component.parameters.items()
    }
    return replace(component, parameters=parameters)


def located_encoders(encoders: Encoders, folder: Path) -> Encoders:
    """The same of a modality's encoders, used together or not."""
    if isinstance(encoders, EncoderSet):
        return EncoderSet(tuple(located(member, folder) for member in encoders.members))
    return located(encoders, folder)


class DefaultFusions(NamedTuple):
    """What `recommended` names, by whether it can run here.

    Parameters
    ----------
    entries : of a grid that names no fusions, as it would list them.
    lacked : the others by their names, with the modules they need that are not installed.
    """

    entries: list[Any]
    lacked: list[tuple[str, tuple[str, ...]]]

    @property
    def left_out(self) -> tuple[str, ...]:
        """What would be compared, too, if it were installed, and what installs it."""
        return tuple(
            f"By default {name} would be compared, too: {lacking('it', modules)}"
            for name, modules in self.lacked
        )


def default_fusions(content: Mapping[str, Any]) -> DefaultFusions:
    """The fusions of a grid that names none."""
    lacked = [(entry, _lacked(entry)) for entry in recommended(content)]
    return DefaultFusions(
        [entry for entry, modules in lacked if not modules],
        [(_shortest(entry), modules) for entry, modules in lacked if modules],
    )


def _lacked(entry: object) -> tuple[str, ...]:
    """Modules that a fusion needs which are not installed."""
    name, keys = _name_and_keys(entry, "fusion")
    if name is None:
        return ()
    components, _ = variants(name, FUSIONS[name], keys, (), FUSIONS[name].tuned)
    lacked = [modules_lacked(FUSIONS[name], component.parameters) for component in components]
    return tuple(dict.fromkeys(itertools.chain.from_iterable(lacked)))


def _shortest(entry: object) -> str:
    """A fusion by its name, and the parameters that have one value."""
    name, keys = _name_and_keys(entry, "fusion")
    settled = [f"{key}: {value}" for key, value in keys.items() if not isinstance(value, list)]
    return f"{name} with {', '.join(settled)}" if settled else str(name)


def recommended(content: Mapping[str, Any]) -> list[Any]:
    """Fusions that a grid compares by default, by its task and its lists of encoders.

    Empty where it names no encoders either.
    """
    listed = [modality for modality in ("image", "text") if content.get(modality)]
    if not listed:
        return []
    if content.get("task") == "retrieval":
        return list(RETRIEVAL)
    split = content.get("split")
    if isinstance(split, Mapping) and split.get("unseen_classes") is True:
        return list(UNSEEN)
    return list(BOTH if len(listed) > 1 else ALONE[listed[0]])
