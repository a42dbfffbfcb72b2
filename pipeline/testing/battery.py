"""Which checks there are of the parts of a plugin."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.config.plugins.active import Part, parts_of
from pipeline.config.plugins.modules import PluginError
from pipeline.config.plugins.named import with_named
from pipeline.testing import (
    classifiers,
    encoders,
    estimators,
    fusions,
    metrics,
    sections,
    sources,
)

EXAMPLES = "EXAMPLES"  # what a module calls the parameters of small examples, by the parts' names


@dataclass(frozen=True, eq=False)
class Check:
    """A rule of a part's contract: call it, and it raises AssertionError where it is broken."""

    part: str
    function: Callable[..., None]
    arguments: tuple[Any, ...]

    def __call__(self) -> None:
        """Check it."""
        self.function(*self.arguments)

    @property
    def rule(self) -> str:
        """What must be so."""
        return " ".join(inspect.cleandoc(self.function.__doc__ or "").split())

    def __str__(self) -> str:
        return f"{self.part}: {self.function.__name__}"


def checks_of(name: str) -> list[Check]:
    """The contract checks of all parts of a plugin.

    Parameters
    ----------
    name : a module, in the working folder or importable. Its mapping EXAMPLES says how to build
        parts whose defaults are slow or missing: parameters, by the parts' names.

    Raises
    ------
    PluginError
        With all that is wrong with the plugin.
    """
    if not __debug__:
        raise PluginError("checks are assertions, which python -O leaves out")
    with_named([name])
    module = sys.modules[name]
    examples: Mapping[str, Mapping[str, Any]] = getattr(module, EXAMPLES, {})
    parts = parts_of(name)
    unknown = sorted(set(examples) - {part.name for part in parts})
    if unknown:
        raise PluginError(f"{EXAMPLES} of {name} is of parts that it has not: {', '.join(unknown)}")
    folder = Path(module.__file__ or ".").parent
    checks: list[Check] = []
    for part in parts:
        checks += _checks(part, examples.get(part.name), folder)
    return checks


def _checks(part: Part, example: Mapping[str, Any] | None, folder: Path) -> Iterator[Check]:
    """Those of a part: of each half, where it is a pair of encoders."""
    name = f"{part.kind.noun} {part.name}"
    for value in part.values:
        if part.kind.group == "encoders":
            half = f"{value.modality} {name}" if len(part.values) > 1 else name
            yield from _of_encoder(half, partial(value, **(example or {})))
        elif part.kind.group in ("fusions", "classifiers"):
            estimators.EXAMPLES[value] = example or {}
            family: Any = fusions if part.kind.group == "fusions" else classifiers
            of_both = (*estimators.CHECKS, *family.CHECKS)
            yield from (Check(name, check, (value,)) for check in of_both)
        elif part.kind.group == "metrics":
            yield from (Check(name, check, (value,)) for check in metrics.CHECKS)
        elif part.kind.group == "sections":
            yield from (Check(name, check, (part.name, value)) for check in sections.CHECKS)
        elif part.kind.group == "sources":
            yield from _of_source(name, part, example, folder)


def _of_encoder(name: str, make: Callable[[], Any]) -> Iterator[Check]:
    case = encoders.Case(name, make)
    yield from (Check(name, check, (case,)) for check in encoders.OF_CLASS)
    for form in make().forms:
        of_form = case.in_form(form)
        shown = f"{name} ({form})"
        yield from (Check(shown, check, (of_form,)) for check in encoders.OF_FORM)


def _of_source(
    name: str, part: Part, example: Mapping[str, Any] | None, folder: Path
) -> Iterator[Check]:
    if example is None:
        yield Check(name, has_an_example, (part.name,))
        return
    made = sources.Example(part.name, part.values[0], example, folder)
    yield from (Check(name, check, (made,)) for check in sources.CHECKS)


def has_an_example(name: str) -> None:
    """A source is checked with a small data set that EXAMPLES names, from the module's folder."""
    raise AssertionError(f'say EXAMPLES = {{"{name}": {{"path": ...}}}} in the module')
