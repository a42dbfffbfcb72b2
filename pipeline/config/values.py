"""Single values of the grid file, each checked; mistakes are added to a list of problems."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeGuard, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from features.machine.nearest import did_you_mean, nearest
from pipeline.config.components import is_number
from pipeline.config.grid import METRIC, TUNING_METRIC, GridTask, Run, Split, TrackerName
from pipeline.config.parameters import NO_TRUTH, is_truth_as_number
from pipeline.config.plugins.active import activate
from pipeline.config.problem import KeyPath, Problem, RuleKind
from pipeline.config.schema import NAME
from pipeline.metrics import METRICS_OF
from pipeline.metrics.same_class import EXTRA_METRICS

NAME_RULE = (
    "a name of letters, digits, . _ - that begins with a letter, a digit or _, 100 signs at most"
)
SHARES = 100  # of the labels
Model = TypeVar("Model", bound=BaseModel)


def _unknown(path: KeyPath, rule: str) -> Problem:
    return Problem(path, rule, kind="unknown_name")


def run_name(value: object, problems: list[Problem]) -> Any:
    """The key `name`."""
    return _scalar("name", value, _is_name, NAME_RULE, problems)


def seed(value: object, problems: list[Problem]) -> Any:
    """The key `seed`."""
    return _scalar("seed", value, _is_seed, "a whole number from 0 to 2**32 - 1", problems)


def plugins(given: object, folder: Path, problems: list[Problem]) -> tuple[str, ...]:
    """The key `plugins`; the parts of these modules are registered, and those of no others."""
    listed: list[Any] = given if isinstance(given, list) else [] if given is None else [given]
    names: dict[str, int] = {}
    for position, name in enumerate(listed):
        path = ("plugins", position)
        is_name = isinstance(name, str) and all(map(str.isidentifier, name.split(".")))
        if not is_name or name.endswith(".py"):
            rule = f"a plugin is the name of a module, like my_module (no .py), not {name!r}"
            problems.append(Problem(path, rule))
        elif name in names:
            problems.append(Problem(path, f"{name} is listed twice"))
        else:
            names[name] = position
    positions = list(names.values())
    for number, said in activate(tuple(names), folder).items():
        problems += [Problem(("plugins", positions[number]), rule, kind="plugin") for rule in said]
    return tuple(names)


def task(value: object, problems: list[Problem]) -> GridTask:
    """The key `task`; classification where it is wrong."""
    tasks: dict[object, GridTask] = {name: name for name in get_args(GridTask)}
    question = did_you_mean(value, METRICS_OF)
    rule = f"one of {', '.join(METRICS_OF)}{f' ({question})' if question else ''}"
    _scalar("task", value, tasks.__contains__, rule, problems)
    return tasks.get(str(value), "classification")


def metric(
    key: str, content: Mapping[str, Any], task: GridTask, problems: list[Problem]
) -> Any:
    """The keys `metric` and `tuning_metric`."""
    value = content.get(key, default_metric(key, task))
    known = METRICS_OF[task]
    rule = f"a metric of {task}; {nearest(value, known)}"
    return _scalar(key, value, known.__contains__, rule, problems)


def default_metric(key: str, task: GridTask) -> str:
    """What stands for `metric` or `tuning_metric` where the grid has none."""
    return METRIC[task] if key == "metric" else TUNING_METRIC[task]


def extra_metrics(
    content: Mapping[str, Any], task: GridTask, unseen: bool, problems: list[Problem]
) -> tuple[str, ...]:
    """The key `extra_metrics`: names, each once."""
    given, path = content.get("extra_metrics"), ("extra_metrics",)
    listed: list[Any] = given if isinstance(given, list) else [] if given is None else [given]
    problems += [
        _unknown(path, f"unknown extra metric {name!r}; {nearest(name, EXTRA_METRICS)}")
        for name in listed
        if not isinstance(name, str) or name not in EXTRA_METRICS
    ]
    if listed and task == "retrieval":
        rule = "hits of the same class are of rows with classes, and pairs for retrieval have none"
        problems.append(Problem(path, rule))
    if listed and unseen:
        rule = (
            "hits of the same class are training rows, and with split.unseen_classes none has the "
            "class of a test row"
        )
        problems.append(Problem(path, rule))
    names = tuple(map(str, listed))
    if len(set(names)) < len(names):
        problems.append(Problem(path, "an extra metric is listed twice"))
    return names


def _scalar(
    key: str, value: object, valid: Callable[[object], bool], rule: str, problems: list[Problem]
) -> object:
    """The value itself; a wrong one is returned too, for the problem stops the run."""
    if isinstance(value, list | dict) or not valid(value):
        problems.append(Problem((key,), f"{key} must be {rule}, not {value!r}"))
    return value


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 100 and re.fullmatch(NAME, value) is not None


def _is_seed(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32


def rope(content: Mapping[str, Any], task: GridTask, problems: list[Problem]) -> dict[str, float]:
    """The key `rope`: the smallest difference that matters, of the run's metric or by metric."""
    given, known = content.get("rope"), METRICS_OF[task]
    if given is None:
        return {}
    metric = content.get("metric", default_metric("metric", task))
    pairs = list(given.items()) if isinstance(given, dict) else [(metric, given)]
    problems += [
        _unknown(("rope", str(name)), f"unknown metric {name!r}; {nearest(name, known)}")
        for name, _ in pairs
        if isinstance(given, dict) and name not in known
    ]
    problems += [
        Problem(("rope",), f"the smallest difference that matters must be above 0, not {size!r}")
        for _, size in pairs
        if not _is_size(size)
    ]
    return {str(name): float(size) for name, size in pairs if _is_size(size)}


def _is_size(value: object) -> TypeGuard[int | float]:
    return is_number(value) and 0 < value < float("inf")


def label_shares(given: object, problems: list[Problem]) -> tuple[float, ...]:
    """The key `learning_curve`: shares of the labels, rising."""
    values: list[Any] = given if isinstance(given, list) else [given]
    wrong = [value for value in values if not _is_share(value)]
    problems += [
        Problem(
            ("learning_curve",),
            f"a share of the labels must be above 0 and at most 1, not {value!r}",
        )
        for value in wrong
    ]
    if len(values) > SHARES:
        rule = f"{len(values):,} shares of the labels; {SHARES} are tried at most"
        problems.append(Problem(("learning_curve",), rule))
    if not wrong and len(set(values)) < len(values):
        problems.append(Problem(("learning_curve",), "a share of the labels is listed twice"))
    return () if wrong else tuple(sorted(float(value) for value in values))


def _is_share(value: object) -> bool:
    return is_number(value) and 0 < value <= 1


def track(content: Mapping[str, Any], problems: list[Problem]) -> TrackerName | None:
    """The key `track`; None where it is not given, or wrong."""
    given = content.get("track")
    trackers: dict[object, TrackerName] = {name: name for name in get_args(TrackerName)}
    if given is not None and given not in get_args(TrackerName):
        rule = f"unknown tracker {given!r}; {nearest(given, get_args(TrackerName))}"
        problems.append(Problem(("track",), rule))
    return trackers.get(str(given))


def split(given: object, problems: list[Problem]) -> Split:
    """The key `split`; the default where it is wrong."""
    return _section("split", given, Split, problems)


def run(given: object, problems: list[Problem]) -> Run:
    """The key `run`; the default where it is wrong."""
    return _section("run", given, Run, problems)


def _section(name: str, given: object, model: type[Model], problems: list[Problem]) -> Model:
    """A key that holds keys of its own."""
    try:
        section = model.model_validate(given)
        problems += [
            Problem((name, key), f"{NO_TRUTH} (given: {value})")
            for key, value in (given.items() if isinstance(given, dict) else ())
            if is_truth_as_number(value, getattr(section, key))
        ]
        return section
    except ValidationError as error:
        for item in error.errors():
            path: KeyPath = (name, *item["loc"][:1])
            kind: RuleKind = "value"
            if item["type"] == "extra_forbidden":
                key = item["loc"][0]
                rule = f"unknown key '{key}'; {nearest(key, model.model_fields)}"
                kind = "unknown_key"
            elif item["type"] == "literal_error":
                choices = get_args(model.model_fields[str(item["loc"][0])].annotation)
                rule = f"unknown {item['loc'][0]} {item['input']!r}; " + nearest(
                    item["input"], choices
                )
            else:
                message = item["msg"].replace("Value error, ", "").replace("Input", "value")
                rule = f"{message} (given: {(item['input'] if item['loc'] else given)!r})"
            problems.append(Problem(path, rule, kind=kind))
        return model()
