"""Rules that the parts of a grid must keep together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from models import FUSIONS
from pipeline.config.components import Component
from pipeline.config.problem import Problem
from pipeline.data.sources.class_texts import GivenTexts

JSON_SCHEMA: dict[str, Any] = {
    "description": "what classes are described by where they are held out (default: their names): a table with the "
    "columns class and text, or the text or texts of each class",
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


def unmet_needs(fusions: Sequence[Component], has_image: bool, has_text: bool) -> list[Problem]:
    """Fusions that need a modality of which the grid lists no encoder."""
    there = {"image": has_image, "text": has_text}
    return [
        Problem(
            ("fusion",),
            f"{component.name} needs {modality} features, but the grid has no '{modality}' list",
        )
        for component in fusions
        for modality in FUSIONS[component.name].needs
        if not there[modality]
    ]


def untrainable(
    fusions: Sequence[Component], images: Sequence[Component], texts: Sequence[Component]
) -> list[Problem]:
    """Pairs of encoders of which neither has a network, for fusions that train it."""
    fixed = {name for registry in (IMAGE_ENCODERS, TEXT_ENCODERS) for name, cls in registry.items()
             if "inputs" not in cls.forms}
    pairs = dict.fromkeys((image.name, text.name) for image in images for text in texts
                          if image.name in fixed and text.name in fixed)
    known = ", ".join(name for name in (*IMAGE_ENCODERS, *TEXT_ENCODERS) if name not in fixed)
    return [Problem(("fusion",), f"{name} trains encoders, but neither {image} nor {text} has a network to train: give "
                                 f"it a grid without this pair (with a network: {known})")
            for name in dict.fromkeys(fusion.name for fusion in fusions
                                      if "inputs" in FUSIONS[fusion.name].needs.values())
            for image, text in pairs]


def class_texts(given: Any, problems: list[Problem]) -> GivenTexts | None:
    """The key data.class_texts; None where it is not given."""
    path = ("data", "class_texts")
    if given is None or (isinstance(given, str) and given.strip()):
        return given
    if not isinstance(given, dict) or not given:
        problems.append(Problem(path, "class_texts must be a table with the columns class and text, or a mapping from "
                                      f"each class to its text or texts, not {given!r}"))
        return None
    several = {
        str(name): value if isinstance(value, list) else [value] for name, value in given.items()
    }
    problems += [
        Problem(
            (*path, name),
            f"the text of class '{name}' must be text, or a list of texts, not {value!r}",
        )
        for name, value in several.items()
        if not value or not all(isinstance(one, str) for one in value)
    ]
    return {name: tuple(value) for name, value in several.items()}


def unseen_problems(
    unseen: bool, fusions: Sequence[Component], metric: Any, learning_curve: Sequence[float],
    texts: GivenTexts | None,
) -> list[Problem]:
    """What does not go together with classes that are held out (`unseen`), or only with these."""
    if not unseen:
        alone = [("fusion", name) for name in _names(fusions) if FUSIONS[name].uses_class_texts]
        return [*(Problem((key,), f"{name} recognises classes without training rows, and this split has none: say "
                                  "split: {folds: ..., unseen_classes: true}") for key, name in alone),
                *([Problem(("data", "class_texts"), "class_texts describe classes that are held out: say split: "
                                                    "{folds: ..., unseen_classes: true}")] if texts else [])]
    able = ", ".join(name for name, cls in FUSIONS.items() if cls.recognises_unseen)
    found = [Problem(("fusion",), f"{name} can only predict classes it has learned from, and split.unseen_classes "
                                  f"leaves no training row of those it would be asked about (those that can: {able})")
             for name in _names(fusions) if not FUSIONS[name].recognises_unseen]
    if metric == "roc_auc":
        found.append(Problem(("metric",), "roc_auc compares rows across folds, and with split.unseen_classes these "
                                          "have other candidates: take balanced_accuracy, f1_macro or log_loss"))
    if learning_curve:
        found.append(Problem(("learning_curve",), "a learning curve hides labels of the classes that are asked about, "
                                                  "and with split.unseen_classes none of their rows is learned from"))
    return found


def _names(fusions: Sequence[Component]) -> list[str]:
    return list(dict.fromkeys(fusion.name for fusion in fusions))
