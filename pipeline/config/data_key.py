"""The grid's key `data`: the source, and what is asked of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from features.machine.nearest import nearest
from pipeline.config.components import Component, variants
from pipeline.config.problem import Problem, not_installed_problems
from pipeline.data.build import GROUPS, no_group
from pipeline.data.frame import FRAME
from pipeline.data.row_check import MissingGroup, Policy
from pipeline.data.samples import LooksAhead
from pipeline.data.sources import SOURCES
from pipeline.data.sources.class_texts import GivenTexts, wrong_class_texts

CLASS_TEXTS_SCHEMA: dict[str, Any] = {
    "description": "what classes are described by where they are held out (default: their names): "
    "a table with the columns class and text, or the text or texts of each class",
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {
                "anyOf": [
                    {"type": "string"},
                    {"type": "array", "items": {"type": "string"}, "minItems": 1},
                ]
            },
        },
    ],
}
DATA_KEYS: dict[str, str] = {
    "on_bad_rows": "what becomes of rows whose picture or text cannot be used",
    "keep_unlabelled": "whether rows without a label are kept for fusions that learn from such",
    "missing_group": "what becomes of rows without a value in the column that groups them",
    "class_texts": str(CLASS_TEXTS_SCHEMA["description"]),
}
NO_SOURCE = Component("none")  # stands for one that is wrong


@dataclass(frozen=True)
class DataKey:
    """What stands under `data`; see `pipeline.config.grid.Grid`."""

    source: Component = NO_SOURCE
    policy: Policy = "fail"
    keep_unlabelled: bool = False
    missing_group: MissingGroup = "own"
    class_texts: GivenTexts | None = None


def data_key(
    given: object, problems: list[Problem], sources: Mapping[str, type] = SOURCES
) -> DataKey:
    """The key `data`; mistakes are added to `problems`, and defaults stand for them."""
    if isinstance(given, str):
        given = {"source": given}
    if not isinstance(given, dict) or "source" not in given:
        rule = (
            "data must name the columns of the rows, such as {image: ..., text: ..., label: ...}"
            if FRAME in sources else f"data must name its source; {nearest('', sources)}"
        )
        problems.append(Problem(("data",), rule, kind="missing_key"))
        return DataKey()
    keys = dict(given)
    name, unlabelled = keys.pop("source"), keys.pop("keep_unlabelled", False)
    policy = _choice(keys, "on_bad_rows", get_args(Policy), problems)
    missing_group = _choice(keys, "missing_group", get_args(MissingGroup), problems)
    texts = class_texts(keys.pop("class_texts", None), problems)
    if not isinstance(unlabelled, bool):
        rule = f"keep_unlabelled must be true or false, not {unlabelled!r}"
        problems.append(Problem(("data", "keep_unlabelled"), rule))
    if not isinstance(name, str) or name not in sources:
        problems.append(Problem(("data", "source"), _unknown(name, sources), kind="unknown_name"))
        return DataKey()
    source = _source(name, sources[name], keys, problems)
    return DataKey(source, policy, unlabelled, missing_group, texts)


def _choice(
    keys: dict[str, Any], name: str, allowed: tuple[Any, ...], problems: list[Problem]
) -> Any:
    """Take a key that has one of some values, by default the first of them."""
    value = keys.pop(name, allowed[0])
    if value in allowed:
        return value
    rule = f"unknown policy {value!r}; {nearest(value, allowed)}"
    problems.append(Problem(("data", name), rule))
    return allowed[0]


def _unknown(name: object, sources: Mapping[str, type]) -> str:
    """What is said of a source that cannot be taken."""
    if name == FRAME:
        return (
            "these rows were given from Python and stand in no file: give them to "
            "pipeline.use.compare again, with this grid"
        )
    if FRAME in sources:
        return f"the rows are given beside the grid: leave out source, and what only {name!r} has"
    return f"unknown source {name!r}; {nearest(name, sources)}"


def _source(
    name: str, cls: type, keys: dict[str, Any], problems: list[Problem]
) -> Component:
    sources, wrong = variants(name, cls, keys, ("data",), {})
    if len(sources) > 1:
        rule = "data is one source: its keys take one value each, no lists to compare"
        wrong = [Problem(("data",), rule)]
    parameters = [source.parameters for source in sources]
    problems += [*wrong, *not_installed_problems(name, cls, parameters, ("data", "source"))]
    return sources[0] if sources else NO_SOURCE


def class_texts(given: object, problems: list[Problem]) -> GivenTexts | None:
    """The key data.class_texts; None where it is not given."""
    path = ("data", "class_texts")
    if given is None:
        return None
    if isinstance(given, str) and given.strip():
        return given
    if not isinstance(given, dict) or not given:
        problems.append(
            Problem(
                path,
                "class_texts must be a table with the columns class and text, or a mapping from "
                f"each class to its text or texts, not {given!r}",
            )
        )
        return None
    texts = {
        str(name): value if isinstance(value, list) else [value] for name, value in given.items()
    }
    problems += [
        Problem(
            (*path, name),
            f"the text of class '{name}' must be text, or a list of texts, not {value!r}",
        )
        for name, value in texts.items()
        if not value or not all(isinstance(text, str) for text in value)
    ]
    return {name: tuple(value) for name, value in texts.items()}


def wrong_names(
    content: Mapping[str, Any], data: DataKey, folder: Path, sources: Mapping[str, type],
    problems: Sequence[Problem],
) -> list[Problem]:
    """Files and columns that a grid names and that are not there, as far as headers tell.

    Parameters
    ----------
    content : of the grid; `data` is what it says of rows.
    folder : of the grid file.
    problems : of the grid so far; where some are of this key, nothing can be said.
    """
    if any(problem.path[:1] == ("data",) for problem in problems):
        return []
    source = sources[data.source.name](**data.source.parameters)
    ahead = source if isinstance(source, LooksAhead) else None
    wrong = [] if ahead is None else [
        (("data", *key.path), key.reason) for key in ahead.wrong_keys(folder)
    ]
    wrong += [
        (("data", "class_texts"), reason) for reason in wrong_class_texts(data.class_texts, folder)
    ]
    split = content.get("split")
    group = split.get("group") if isinstance(split, dict) else None
    reason = no_group(group, ahead.group_columns()) if ahead and isinstance(group, str) else None
    wrong += [] if reason is None else [(("split", "group"), f"{reason}. {GROUPS}")]
    return [Problem(path, reason, kind="unknown_name") for path, reason in wrong]
