"""How much a grid may compare: beyond this it is a slip, and its plan alone would take hours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from features.block import Modality
from models import FUSIONS
from models.fusion import TakesClassifier
from pipeline.config.component_lists import Lists
from pipeline.config.components import Component, Encoders, members_of
from pipeline.config.problem import Problem

CELLS = 10_000
SETTINGS = 10_000  # of a cell, that its inner folds choose among


def too_much(lists: Lists) -> list[Problem]:
    """What is wrong with how many cells, or settings of a cell, the lists of a grid stand for."""
    cells = sum(_cells(fusion, lists) for fusion in lists["fusion"])
    encoders: dict[Modality, int] = {"image": _most(lists["image"]), "text": _most(lists["text"])}
    fusions = max((_settings(component, encoders) for component in lists["fusion"]), default=1)
    classifiers = max(
        (_combinations(component.candidates) for component in lists["classifier"]), default=1
    )
    problems = []
    if cells > CELLS:
        problems.append(f"stands for {cells:,} cells; a grid compares {CELLS:,} at most")
    if fusions * classifiers > SETTINGS:
        problems.append(
            f"stands for {fusions * classifiers:,} settings of a cell to choose among; "
            f"{SETTINGS:,} are tried at most"
        )
    return [Problem((), rule, kind="too_much") for rule in problems]


def _cells(fusion: Component, lists: Lists) -> int:
    cls = FUSIONS[fusion.name]
    classifiers = len(lists["classifier"]) if issubclass(cls, TakesClassifier) else 1
    crossed = [classifiers, *(len(lists[modality]) for modality in cls.needs)]
    return math.prod(max(1, count) for count in crossed)


def _most(encoders: Sequence[Encoders]) -> int:
    """The most encoders of a modality that a cell uses together."""
    return max((len(members_of(chosen)) for chosen in encoders), default=1)


def _settings(fusion: Component, encoders: Mapping[Modality, int]) -> int:
    cls = FUSIONS[fusion.name]
    needed = {modality: encoders[modality] for modality in cls.needs}
    return _combinations({**fusion.candidates, **cls.tuned_with(needed)})


def _combinations(candidates: Mapping[str, Sequence[Any]]) -> int:
    return math.prod(map(len, candidates.values()))
