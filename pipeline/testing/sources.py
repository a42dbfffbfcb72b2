"""What every source must do: a function for each rule."""

from __future__ import annotations

import hashlib
import inspect
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.config.components import Component, variants
from pipeline.data.samples import LooksAhead, Samples


@dataclass(frozen=True, eq=False)
class Example:
    """A source with the grid's keys of a small data set, of three rows at least.

    Parameters
    ----------
    folder : that relative paths count from.
    """

    name: str
    cls: type[Any]
    keys: Mapping[str, Any]
    folder: Path

    def load(self) -> Samples:
        """The rows."""
        rows: Samples = self.cls(**self.keys).load(self.folder)
        return rows


def constructor_only_stores(example: Example) -> None:
    """The constructor only stores its parameters, given by name, and reads nothing."""
    parameters = inspect.signature(example.cls).parameters
    needed = {
        name: f"nowhere-{name}"
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty
    }
    source = example.cls(**needed)
    for name, parameter in parameters.items():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert getattr(source, name) == needed.get(name, parameter.default)


def parameters_are_documented_and_checked(example: Example) -> None:
    """Every parameter is in the docstring, and a misspelt one is refused."""
    document = example.cls.__doc__ or ""
    for name in inspect.signature(example.cls).parameters:
        assert name in document, name
    _, problems = variants(example.name, example.cls, {"pth": "x"}, ("data",), {})
    assert any("unknown key 'pth'" in problem.rule for problem in problems)


def loads_full_rows(example: Example) -> None:
    """The example loads into full rows: distinct places, clean texts, pictures that open."""
    components, problems = variants(example.name, example.cls, example.keys, ("data",), {})
    assert (problems, [type(component) for component in components]) == ([], [Component])
    source = example.cls(**example.keys)
    assert not isinstance(source, LooksAhead) or source.wrong_keys(example.folder) == []
    samples = example.load()
    assert isinstance(samples, Samples)
    assert len(samples) == len(set(samples.locations)) > 2
    assert samples.group is None or samples.group in samples.groups
    assert set(samples.split or ["train"]) <= {"train", "test"}
    columns = (*samples.groups.values(), *samples.breakdown.values())
    for values in (samples.texts, samples.labels, samples.ids or [], *columns):
        assert all(value is None or (value and value == value.strip()) for value in values)
    pictures = [picture for picture in samples.pictures if picture is not None]
    for picture in pictures[:1]:
        assert Image.open(io.BytesIO(picture.read())).size >= (4, 4)
        assert len(picture.digest()) == len(hashlib.sha256().hexdigest())


def loads_the_same_twice(example: Example) -> None:
    """The example loads the same twice."""
    first, second = example.load(), example.load()
    assert first.ids == second.ids
    assert list(first.texts) == list(second.texts)
    assert [p and p.digest() for p in first.pictures] == [p and p.digest() for p in second.pictures]


CHECKS: tuple[Callable[[Example], None], ...] = (
    constructor_only_stores,
    parameters_are_documented_and_checked,
    loads_full_rows,
    loads_the_same_twice,
)
