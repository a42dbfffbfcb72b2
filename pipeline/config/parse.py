"""From the text of a grid file to a checked Grid."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from features.machine.nearest import nearest
from models import CLASSIFIERS, FUSIONS
from pipeline.config.components import Component, variants
from pipeline.config.grid import Grid, GridError, Split
from pipeline.config.problem import Problem
from pipeline.config.rules import class_texts, unmet_needs, unseen_problems, untrainable
from pipeline.config.schema import NAME
from pipeline.config.yaml_lines import Lines, place, read_yaml
from pipeline.data.row_check import Policy
from pipeline.data.sources import SOURCES
from pipeline.data.sources.class_texts import GivenTexts
from pipeline.metrics import METRICS

Registry = Mapping[str, type]
KEYS: dict[str, str] = {
    "name": "what the run is called: its folder is runs/NAME",
    "seed": "every random choice derives from it (default 0)",
    "data": "where the samples come from: {source: ..., its keys, on_bad_rows: fail | drop | keep, "
            "keep_unlabelled: true for rows without a label that only some fusions learn from, class_texts: what "
            "classes are described by where they are held out}",
    "split": "how folds are drawn",
    "image": "picture encoders to compare",
    "text": "text encoders to compare",
    "fusion": "ways to use one or both modalities",
    "classifier": "classifiers on the features (default logistic)",
    "metric": "what cells are ranked by (default balanced_accuracy)",
    "tuning_metric": "what parameters are chosen by on the inner folds (default log_loss: it is smooth, and keeps "
                     "the probabilities that late fusion combines comparable)",
    "learning_curve": "shares of the training labels, like [0.01, 0.05, 0.1, 0.25, 1], with which the best cells are "
                      "fitted once more (default: none)",
}


def read_grid(path: Path) -> Grid:
    """The grid in a YAML file.

    Raises
    ------
    GridError
        With every mistake in the file: its line and key, the rule, the value, the nearest valid
        name.
    """
    content, lines, problems = read_yaml(path)
    if not problems and not isinstance(content, dict):
        problems = [Problem((), f"must hold keys such as {', '.join(KEYS)}; it holds {content!r}")]
    if problems:
        raise _error(path, lines, problems)
    return parse_grid(content, path, lines)


def parse_grid(content: Mapping[str, Any], path: Path, lines: Lines | None = None) -> Grid:
    """The grid in plain mappings and lists; `path` is the file they stand for (it need not exist)."""
    folder = path.resolve().parent
    problems = [Problem((key,), f"unknown key '{key}'; {nearest(key, KEYS)}")
                for key in content if key not in KEYS]
    data, policy, keep_unlabelled, texts = _data(content.get("data"), problems)
    parts = {
        "image": _components("image", content, IMAGE_ENCODERS, problems),
        "text": _components("text", content, TEXT_ENCODERS, problems),
        "fusion": _components("fusion", content, FUSIONS, problems),
        "classifier": _components(
            "classifier", {"classifier": ["logistic"], **content}, CLASSIFIERS, problems
        ),
    }
    split = _split(content.get("split", {}), problems)
    curve = _shares(content.get("learning_curve", []), problems)
    if not any(problem.path[:1] in {("image",), ("text",), ("fusion",)} for problem in problems):
        problems += unseen_problems(
            split.unseen_classes, parts["fusion"], content.get("metric"), curve, texts
        )
        problems += unmet_needs(parts["fusion"], bool(parts["image"]), bool(parts["text"]))
        problems += untrainable(parts["fusion"], parts["image"], parts["text"])
    grid = Grid(
        name=_scalar(
            "name",
            content.get("name", path.stem),
            _is_name,
            "a name of letters, digits, . _ -",
            problems,
        ),
        seed=_scalar(
            "seed", content.get("seed", 0), _is_seed, "a whole number from 0 to 2**32 - 1", problems
        ),
        data=data,
        on_bad_rows=policy,
        keep_unlabelled=keep_unlabelled,
        class_texts=texts,
        split=split,
        metric=_metric("metric", content.get("metric", "balanced_accuracy"), problems),
        tuning_metric=_metric("tuning_metric", content.get("tuning_metric", "log_loss"), problems),
        learning_curve=curve,
        folder=folder,
        **{
            key: tuple(_located(component, folder) for component in value)
            for key, value in parts.items()
        },
    )
    if problems:
        raise _error(path, lines or {}, problems)
    return grid


def _error(path: Path, lines: Lines, problems: Iterable[Problem]) -> GridError:
    return GridError(
        [f"{place(path.name, problem.path, lines)}: {problem.rule}" for problem in problems]
    )


def _scalar(
    key: str, value: Any, valid: Callable[[Any], bool], rule: str, problems: list[Problem]
) -> Any:
    if isinstance(value, list | dict) or not valid(value):
        problems.append(Problem((key,), f"{key} must be {rule}, not {value!r}"))
    return value


def _metric(key: str, value: Any, problems: list[Problem]) -> Any:
    return _scalar(
        key, value, METRICS.__contains__, f"a metric {nearest(value, METRICS)}", problems
    )


def _shares(given: Any, problems: list[Problem]) -> tuple[float, ...]:
    """Shares of the labels, rising."""
    values = given if isinstance(given, list) else [given]
    wrong = [value for value in values
             if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 1]
    problems += [
        Problem(
            ("learning_curve",),
            f"a share of the labels must be above 0 and at most 1, not {value!r}",
        )
        for value in wrong
    ]
    if not wrong and len(set(values)) < len(values):
        problems.append(Problem(("learning_curve",), "a share of the labels is listed twice"))
    return () if wrong else tuple(sorted(float(value) for value in values))


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 100 and re.fullmatch(NAME, value) is not None


def _is_seed(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32


def _data(given: Any, problems: list[Problem]) -> tuple[Component, Policy, bool, GivenTexts | None]:
    """The source, the policy for bad rows, whether rows without a label are kept, and what describes the classes."""
    nothing: tuple[Component, Policy, bool, None] = Component("none"), "fail", False, None
    if isinstance(given, str):
        given = {"source": given}
    if not isinstance(given, dict) or "source" not in given:
        problems.append(Problem(("data",), f"data must name its source; {nearest('', SOURCES)}"))
        return nothing
    keys = dict(given)
    name, policy, unlabelled = (keys.pop("source"), keys.pop("on_bad_rows", "fail"),
                                keys.pop("keep_unlabelled", False))
    described = class_texts(keys.pop("class_texts", None), problems)
    if not isinstance(unlabelled, bool):
        problems.append(Problem(("data", "keep_unlabelled"),
                                f"keep_unlabelled must be true or false, not {unlabelled!r}"))
    if policy not in get_args(Policy):
        problems.append(Problem(("data", "on_bad_rows"),
                                f"unknown policy {policy!r}; {nearest(policy, get_args(Policy))}"))
    if not isinstance(name, str) or name not in SOURCES:
        problems.append(
            Problem(("data", "source"), f"unknown source {name!r}; {nearest(name, SOURCES)}")
        )
        return nothing
    found, wrong = variants(name, SOURCES[name], keys, ("data",), {})
    if len(found) > 1:
        wrong = [
            Problem(
                ("data",), "data is one source: its keys take one value each, no lists to compare"
            )
        ]
    problems += wrong
    return (found[0] if found else nothing[0]), policy, unlabelled, described


def _split(given: Any, problems: list[Problem]) -> Split:
    try:
        return Split.model_validate(given)
    except ValidationError as error:
        for item in error.errors():
            path: tuple[str | int, ...] = ("split", *item["loc"][:1])
            if item["type"] == "extra_forbidden":
                rule = (
                    f"unknown key '{item['loc'][0]}'; {nearest(item['loc'][0], Split.model_fields)}"
                )
            else:
                message = item["msg"].replace("Value error, ", "").replace("Input", "value")
                rule = f"{message} (given: {(item['input'] if item['loc'] else given)!r})"
            problems.append(Problem(path, rule))
        return Split()


def _components(
    key: str, content: Mapping[str, Any], registry: Registry, problems: list[Problem]
) -> list[Component]:
    """Every component under a key of the grid, lists of parameter values expanded."""
    given = content.get(key)
    entries = given if isinstance(given, list) else [given]
    if given is None or not entries:
        if key in ("fusion", "classifier"):
            problems.append(Problem((key,) if key in content else (),
                                    f"the grid needs one {key} at least; {nearest('', registry)}"))
        return []
    found: list[Component] = []
    for position, entry in enumerate(entries):
        path: tuple[str | int, ...] = (key, position) if isinstance(given, list) else (key,)
        for component in _component(key, entry, path, registry, problems):
            if component in found:
                problems.append(Problem(path, f"{component.label} is listed twice"))
            elif component.label in [other.label for other in found]:
                problems.append(Problem(path, f"{component.label} stands here twice, with other values to choose from "
                                              "on the inner folds: give these in one list"))
            found.append(component)
    return found


def _component(
    key: str, entry: Any, path: tuple[str | int, ...], registry: Registry, problems: list[Problem]
) -> list[Component]:
    """Forms: `name`, `{name: {key: value}}` or `{encoder: name, key: value}` (fusion:, classifier: likewise)."""
    kind = "encoder" if key in ("image", "text") else key
    name, keys = _name_and_keys(entry, kind)
    if name is None:
        problems.append(Problem(path, f"write a name, {{name: {{key: value}}}} or {{{kind}: name, key: value}}, "
                                      f"not {entry!r}"))
        return []
    if name not in registry:
        problems.append(
            Problem(
                path,
                f"unknown {key} {kind} '{name}'; {nearest(name, registry)}"
                if kind != key
                else f"unknown {kind} '{name}'; {nearest(name, registry)}",
            )
        )
        return []
    cls = registry[name]
    inner = path if isinstance(entry, dict) and kind in entry else (*path, name)
    found, wrong = variants(name, cls, keys, inner, getattr(cls, "tuned", {}))
    problems += wrong
    return found


def _name_and_keys(entry: Any, kind: str) -> tuple[str | None, dict[str, Any]]:
    if isinstance(entry, str):
        return entry, {}
    if isinstance(entry, dict) and isinstance(entry.get(kind), str):
        return entry[kind], {key: value for key, value in entry.items() if key != kind}
    if isinstance(entry, dict) and len(entry) == 1:
        name, keys = next(iter(entry.items()))
        if keys is None or isinstance(keys, dict):
            return name, keys or {}
    return None, {}


def _located(component: Component, folder: Path) -> Component:
    """The component with its paths made absolute: they count from the grid file's folder.

    Where a name or a folder may stand (as for models), ./ or ../ in front makes it a folder.
    """
    located = {
        key: folder / value
        if isinstance(value, Path) or str(value).startswith(("./", "../"))
        else value
        for key, value in component.parameters.items()
    }
    return Component(component.name, located, component.candidates)
