"""How much a grid may compare: beyond this it is a slip, and its plan alone would take hours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from models import FUSIONS
from models.fusion import TakesClassifier
from pipeline.config.components import Component
from pipeline.config.problem import Problem

CELLS = 10_000
SETTINGS = 10_000  # of a cell, that its inner folds choose among


def too_much(lists: Mapping[str, Sequence[Component]]) -> list[Problem]:
    """What is wrong with how many cells, or settings of a cell, the lists of a grid stand for."""
    cells = sum(_cells(fusion, lists) for fusion in lists["fusion"])
    fusions, classifiers = (
        max((_settings(component) for component in lists[key]), default=1)
        for key in ("fusion", "classifier")
    )
    problems = []
    if cells > CELLS:
        problems.append(f"stands for {cells:,} cells; a grid compares {CELLS:,} at most")
    if fusions * classifiers > SETTINGS:
        problems.append(
            f"stands for {fusions * classifiers:,} settings of a cell to choose among; "
            f"{SETTINGS:,} are tried at most"
        )
    return [Problem((), rule) for rule in problems]


def _cells(fusion: Component, lists: Mapping[str, Sequence[Component]]) -> int:
    cls = FUSIONS[fusion.name]
    crossed = [*cls.needs, *(["classifier"] if issubclass(cls, TakesClassifier) else [])]
    return math.prod(max(1, len(lists[key])) for key in crossed)


def _settings(component: Component) -> int:
    return math.prod(map(len, component.candidates.values()))
