"""From the text of a grid file to a checked Grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from features.machine.nearest import nearest, suggested
from models import CLASSIFIERS, FUSIONS
from pipeline.config import values
from pipeline.config.component_lists import (
    DefaultFusions,
    Lists,
    components,
    default_fusions,
    encoders,
    located,
    located_encoders,
)
from pipeline.config.components import told_apart
from pipeline.config.data_key import data_key, wrong_names
from pipeline.config.grid import Grid, GridError
from pipeline.config.problem import Mistake, Problem, broken, installs
from pipeline.config.reading.bounds import too_much
from pipeline.config.reading.nodes import Position
from pipeline.config.reading.origin import grid_file_of
from pipeline.config.rules import mismatches, task_problems, unseen_problems
from pipeline.config.yaml_lines import Lines, dotted, location, position_of, read_yaml
from pipeline.data.sources import SOURCES
from reports.wording import first_lines, for_terminal

KEYS: dict[str, str] = {
    "name": "what the run is called: its folder is runs/NAME",
    "task": "what is asked: classification of rows, or retrieval of texts by pictures and pictures "
    "by texts, for which rows need no label (default classification)",
    "plugins": "modules with parts of your own, like [my_module]: my_module.py or a package beside "
    "the grid file, or a module that Python can import (default: none but installed packages')",
    "seed": "every random choice derives from it (default 0)",
    "data": "where the samples come from: {source: ..., its keys, on_bad_rows: fail | drop | keep, "
    "keep_unlabelled: true for rows without a label that only some fusions learn from, "
    "missing_group: own | fail for rows without a value in the group's column, "
    "class_texts: what classes are described by where they are held out}",
    "split": "how folds are drawn",
    "image": "picture encoders to compare; a list among them is of encoders used together",
    "text": "text encoders to compare; a list among them is of encoders used together",
    "fusion": "ways to use one or both modalities (default: chance, each modality alone, and with "
    "both concat, attention, and late with the rules mean, product and log_pool; of retrieval "
    "text_space, cca and kernel_cca; of unseen classes majority and zero_shot; of these, those "
    "whose packages are installed)",
    "classifier": "classifiers on the features (default logistic)",
    "metric": "what cells are ranked by (default balanced_accuracy; of retrieval hit_at_10)",
    "tuning_metric": "what parameters are chosen by on the inner folds (default log_loss: it is "
    "smooth, and keeps the probabilities that late fusion combines comparable; of retrieval "
    "reciprocal_rank)",
    "extra_metrics": "scores beside those that every run has, like [same_class_hit_at_1_features]: "
    "whether the training rows next to a test row have its class, by the features that a cell's "
    "classifier is given or by its probabilities (default: none)",
    "rope": "the smallest difference that matters: a number for the run's metric, or {METRIC: "
    "number} (default .01, log_loss .02)",
    "learning_curve": "shares of the training labels, like [0.01, 0.05, 0.1, 0.25, 1], with which "
    "the best cells are fitted once more (default: none)",
    "track": "an experiment tracker that is told of the finished run: mlflow or trackio (default: "
    "none)",
    "run": "where it is computed, and how long it may take: {engine: processes | dask, address: of "
    "a dask scheduler, time_limit: 10m}; it changes no result, and the command line goes before it",
}
Sources: TypeAlias = Mapping[str, type]
LISTED, LONGEST = 100, 800  # mistakes of a grid that are told, and characters of each
_COMPARED = {("image",), ("text",), ("fusion",)}


def read_grid(path: Path, *, look: bool = False) -> Grid:
    """The grid in a YAML file.

    Parameters
    ----------
    look : whether its rows are here: the files and columns that it names must be there, too.

    Raises
    ------
    GridError
        With every mistake in the file: its line and key, the rule, the value, the nearest valid
        name.
    """
    return checked_grid(read_yaml(path), path, look=look)


def register_plugins(path: Path) -> None:
    """Register the plugins that a grid file names, whatever else stands in it.

    Raises
    ------
    GridError
        With what is wrong with them, or where the file cannot be read.
    """
    content, lines, problems = read_yaml(path)
    if isinstance(content, dict):
        folder = grid_file_of(path).resolve().parent
        values.plugins(content.get("plugins"), folder, problems)
    if problems:
        raise _error(path, lines, problems)


def checked_grid(
    read: tuple[Any, Lines, list[Problem]], path: Path, sources: Sources = SOURCES,
    *, look: bool = False,
) -> Grid:
    """The grid in what was read as YAML: content, the lines of its keys, and what is wrong with it.

    Takes and raises what `parse_grid` does.
    """
    content, lines, problems = read
    if not problems and not isinstance(content, dict):
        problems = [Problem((), f"must hold keys such as {', '.join(KEYS)}; it holds {content!r}")]
    if problems:
        raise _error(path, lines, problems)
    return parse_grid(content, path, lines, sources, look=look)


def parse_grid(
    content: Mapping[str, Any], path: Path, lines: Lines | None = None, sources: Sources = SOURCES,
    *, look: bool = False,
) -> Grid:
    """The grid in plain mappings and lists; `path` is the file they stand for (or would stand for).

    Parameters
    ----------
    sources : that `data` may name.
    look : see `read_grid`.

    Raises
    ------
    GridError
        With every mistake; see `read_grid`.
    """
    folder, problems = grid_file_of(path).resolve().parent, _unknown_keys(content)
    plugins = values.plugins(content.get("plugins"), folder, problems)  # known from here on
    task = values.task(content.get("task", "classification"), problems)
    data = data_key(content.get("data"), problems, sources)
    problems += wrong_names(content, data, folder, sources, problems) if look else []
    by_default = DefaultFusions([], []) if "fusion" in content else default_fusions(content)
    lists = _lists({"fusion": by_default.entries, **content}, problems)
    split = values.split(content.get("split", {}), problems)
    curve = values.label_shares(content.get("learning_curve", []), problems)
    unseen, fusions = split.unseen_classes, lists["fusion"]
    unmet = task_problems(task, content, fusions, unseen)
    if not any(problem.path[:1] in _COMPARED for problem in broken([*problems, *unmet])):
        unmet += unseen_problems(unseen, fusions, content.get("metric"), curve, data.class_texts)
        unmet += mismatches(fusions, lists["image"], lists["text"])
    problems += [*_together(unmet), *too_much(lists), *installs(problems)]
    return _without(problems, path, lines or {}, Grid(
        name=values.run_name(content.get("name", path.stem), problems),
        task=task,
        seed=values.seed(content.get("seed", 0), problems), track=values.track(content, problems),
        data=data.source, on_bad_rows=data.policy, keep_unlabelled=data.keep_unlabelled,
        missing_group=data.missing_group, class_texts=data.class_texts,
        split=split,
        **_located(lists, folder),
        metric=values.metric("metric", content, task, problems),
        tuning_metric=values.metric("tuning_metric", content, task, problems),
        extra_metrics=values.extra_metrics(content, task, unseen, problems),
        rope=values.rope(content, task, problems),
        learning_curve=curve,
        run=values.run(content.get("run", {}), problems),
        folder=folder, plugins=plugins, left_out=by_default.left_out,
    ))


def _together(problems: Iterable[Problem]) -> list[Problem]:
    """Problems of parts that do not go together, named so."""
    return [replace(problem, kind="together") for problem in problems]


def _without(problems: list[Problem], path: Path, lines: Lines, grid: Grid) -> Grid:
    """The grid; GridError where there are problems."""
    if problems:
        raise _error(path, lines, problems)
    return grid


def _unknown_keys(content: Mapping[str, Any]) -> list[Problem]:
    unknown = [key for key in content if key not in KEYS]
    return [
        Problem((key,), f"unknown key '{key}'; {nearest(key, KEYS)}", kind="unknown_key")
        for key in unknown
    ]


def _lists(content: Mapping[str, Any], problems: list[Problem]) -> Lists:
    """The components under each key that lists some; mistakes are added to `problems`."""
    given = {"classifier": ["logistic"], **content}
    lists = Lists(
        image=encoders("image", given, IMAGE_ENCODERS, problems),
        text=encoders("text", given, TEXT_ENCODERS, problems),
        fusion=components("fusion", given, FUSIONS, problems),
        classifier=components("classifier", given, CLASSIFIERS, problems),
    )
    if content.get("task") == "retrieval":
        lists["classifier"] = []
    return lists


def _located(lists: Lists, folder: Path) -> dict[str, Any]:
    return {
        "image": told_apart([located_encoders(listed, folder) for listed in lists["image"]]),
        "text": told_apart([located_encoders(listed, folder) for listed in lists["text"]]),
        "fusion": tuple(located(listed, folder) for listed in lists["fusion"]),
        "classifier": tuple(located(listed, folder) for listed in lists["classifier"]),
    }


def _error(path: Path, lines: Lines, problems: Iterable[Problem]) -> GridError:
    problems = sorted(problems, key=lambda problem: _order(problem, lines))
    mistakes = [_mistake(path, lines, problem) for problem in problems[:LISTED]]
    said = [
        f"{location(path.name, problem.path, lines)}: {_shortened(problem.rule)}"
        for problem in problems
    ]
    return GridError(first_lines(said, LISTED, what="mistakes"), mistakes)


def _order(problem: Problem, lines: Lines) -> tuple[bool, Position]:
    """As a reader comes to the mistakes; what is said of the whole comes last."""
    return not problem.path, position_of(problem.path, lines)


def _mistake(path: Path, lines: Lines, problem: Problem) -> Mistake:
    line, column = position_of(problem.path, lines)
    message = for_terminal(_shortened(problem.rule))
    key = for_terminal(dotted(problem.path))
    return Mistake(str(path), line, column, key, problem.kind, message, suggested(message))


def _shortened(rule: str) -> str:
    """A rule without the middle of a value that fills pages."""
    return rule if len(rule) <= LONGEST else f"{rule[:LONGEST // 2]} ... {rule[-LONGEST // 2:]}"
