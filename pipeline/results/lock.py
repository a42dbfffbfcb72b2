"""grid.lock.yaml: the filled-in grid, versions and fingerprint."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from models import CLASSIFIERS, FUSIONS
from pipeline.config.components import Encoders, EncoderSet, filled_in
from pipeline.config.grid import Grid
from pipeline.config.reading.origin import FINGERPRINT, ORIGIN
from pipeline.data.frame import FRAME, FRAMES
from pipeline.data.sources import SOURCES
from pipeline.program.names import called

LISTS: dict[str, Mapping[str, type]] = {
    "image": IMAGE_ENCODERS, "text": TEXT_ENCODERS, "fusion": FUSIONS, "classifier": CLASSIFIERS}


def lock_text(grid: Grid, versions: Mapping[str, str], fingerprint: str) -> str:
    """The filled-in grid as YAML, with the versions, the seed and the data's fingerprint."""
    content = {
        "name": grid.name,
        "task": grid.task,
        **({"plugins": list(grid.plugins)} if grid.plugins else {}),
        "seed": grid.seed,
        "data": {
            "source": grid.data.name,
            **_plain(filled_in(grid.data, {**SOURCES, **FRAMES}[grid.data.name])),
            "on_bad_rows": grid.on_bad_rows,
            "keep_unlabelled": grid.keep_unlabelled,
            "missing_group": grid.missing_group,
            **({} if grid.class_texts is None else {"class_texts": _plain(grid.class_texts)}),
        },
        "split": _plain(grid.split.model_dump()),
        **{
            key: [_entry(component, registry, grid.folder) for component in getattr(grid, key)]
            for key, registry in LISTS.items()
            if getattr(grid, key)
        },
        "metric": grid.metric,
        "tuning_metric": grid.tuning_metric,
        **({"extra_metrics": list(grid.extra_metrics)} if grid.extra_metrics else {}),
        **({"rope": dict(grid.rope)} if grid.rope else {}),
        **({"learning_curve": list(grid.learning_curve)} if grid.learning_curve else {}),
    }
    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(content, text)
    facts = {**_how_again(grid),
             "tuned parameters that are not listed": "candidates by default of these versions",
             FINGERPRINT.strip("#: "): fingerprint, **versions}
    return text.getvalue() + "".join(f"# {name}: {value}\n" for name, value in facts.items())


def _how_again(grid: Grid) -> dict[str, str]:
    if grid.data.name == FRAME:
        return {
            "rows": "given from Python, and in no file: this file cannot be run by itself",
            "the same run": "pipeline.use.compare(this file, the rows) in the same folder",
        }
    return {
        "the same run": f"{called('run')} and this file: paths count from the folder of the grid "
        f"file, which {ORIGIN} beside it names"
    }


def _entry(component: Encoders, registry: Mapping[str, type], folder: Path) -> Any:
    """An entry of the grid's list, with paths as they count from its folder.

    They then read as the same, and the cells are called the same.
    """
    if isinstance(component, EncoderSet):
        return [_entry(member, registry, folder) for member in component.members]
    filled = {
        name: _from(folder, value) if isinstance(value, os.PathLike) else value
        for name, value in filled_in(component, registry[component.name]).items()
    }
    for name in component.by_default:  # given, they would not be widened
        del filled[name]
    parameters = _plain(filled)
    return {component.name: parameters} if parameters else component.name


def _from(folder: Path, path: os.PathLike[str]) -> str:
    try:
        relative = Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive
        return str(path)
    return relative if relative.startswith("../") else f"./{relative}"


def _plain(value: Any) -> Any:
    """The value in YAML's plain types."""
    if isinstance(value, BaseModel):
        return _plain(value.model_dump())
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, os.PathLike) else value
