"""Rules that the parts of a grid must keep together."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from features.block import Modality
from models import FUSIONS
from models.matching import SharesSpace
from models.unseen_classes import RecognisesUnseenClasses
from pipeline.config.cells import build_encoder, needs_shared_space, shares_space
from pipeline.config.components import Component, Encoders, EncoderSet, members_of
from pipeline.config.grid import GridTask
from pipeline.config.parameters import parameters_of
from pipeline.config.problem import Problem
from pipeline.data.sources import SOURCES
from pipeline.data.sources.class_texts import GivenTexts


def mismatches(
    fusions: Sequence[Component], images: Sequence[Encoders], texts: Sequence[Encoders]
) -> list[Problem]:
    """Fusions that ask for other encoders than those that the grid lists."""
    unmet = _unmet_needs(fusions, images, texts)
    together = _not_together(fusions, {"image": images, "text": texts})
    shared = [] if unmet or together else _unshared(fusions, images, texts)
    return [
        *unmet,
        *_untrainable(fusions, images, texts),
        *together,
        *_unequal_copies(images),
        *shared,
    ]


def _not_together(
    fusions: Sequence[Component], listed: Mapping[Modality, Sequence[Encoders]]
) -> list[Problem]:
    """Fusions of a single encoder of each modality, where the grid has encoders used together."""
    able = ", ".join(name for name, cls in FUSIONS.items() if cls.takes_several)
    problems: list[Problem] = []
    for name in _names(fusions):
        cls = FUSIONS[name]
        sets = [
            encoders.label
            for encoders in itertools.chain(*(listed[modality] for modality in cls.needs))
            if isinstance(encoders, EncoderSet)
        ]
        if sets and not cls.takes_several:
            rule = (
                f"{name} takes a single encoder of each modality: give it a grid without "
                f"{' and '.join(sets)} together (fusions that take several: {able})"
            )
            problems.append(Problem(("fusion",), rule))
    return problems


def _unequal_copies(images: Sequence[Encoders]) -> list[Problem]:
    """Encoders used together of which some make more augmented copies of a picture than others."""
    problems: list[Problem] = []
    for chosen in images:
        encoders = [build_encoder("image", member, "pooled", 0) for member in members_of(chosen)]
        copies = {encoder.augmented for encoder in encoders} - {0}
        if len(copies) > 1:
            rule = (
                f"{chosen.label}: encoders used together make equally many copies of a picture, or "
                f"none; not {' and '.join(map(str, sorted(copies)))}"
            )
            problems.append(Problem(("image",), rule))
    return problems


def _unmet_needs(
    fusions: Sequence[Component], images: Sequence[Encoders], texts: Sequence[Encoders]
) -> list[Problem]:
    """Fusions that need a modality of which the grid lists no encoder."""
    there = {"image": bool(images), "text": bool(texts)}
    problems: list[Problem] = []
    for component in fusions:
        missing = [name for name in FUSIONS[component.name].needs if not there[name]]
        problems += [
            Problem(
                ("fusion",),
                f"{component.name} needs {modality} features, but the grid has no '{modality}' "
                "list",
            )
            for modality in missing
        ]
    return problems


def _untrainable(
    fusions: Sequence[Component], images: Sequence[Encoders], texts: Sequence[Encoders]
) -> list[Problem]:
    """Pairs of encoders of which neither has a network, for fusions that train it."""
    encoders = {**IMAGE_ENCODERS, **TEXT_ENCODERS}
    fixed = {name for name, cls in encoders.items() if "inputs" not in cls.forms}
    known = ", ".join(name for name in encoders if name not in fixed)
    alone = [
        _names([chosen for chosen in listed if isinstance(chosen, Component)])
        for listed in (images, texts)
    ]
    pairs = itertools.product(*alone)
    fixed_pairs = [pair for pair in pairs if fixed.issuperset(pair)]
    training = [name for name in _names(fusions) if "inputs" in FUSIONS[name].needs.values()]
    return [
        Problem(
            ("fusion",),
            f"{name} trains encoders, but neither {pair[0]} nor {pair[1]} has a network to train: "
            f"give it a grid without this pair (with a network: {known})",
        )
        for name, pair in itertools.product(training, fixed_pairs)
    ]


def _unshared(
    fusions: Sequence[Component], images: Sequence[Encoders], texts: Sequence[Encoders]
) -> list[Problem]:
    """Fusions that need encoders with a common space, where no two of the grid's have one."""
    if any(itertools.starmap(shares_space, itertools.product(images, texts))):
        return []
    pairs = ", ".join(IMAGE_ENCODERS.keys() & TEXT_ENCODERS.keys())
    return [
        Problem(
            ("fusion",),
            f"{fusion.label} compares pictures and texts as their encoders give them, but "
            f"{_listed(images)} and {_listed(texts)} share no space: list a pair of encoders under "
            f"both 'image' and 'text', with the same model (pairs: {pairs})",
        )
        for fusion in fusions
        if needs_shared_space(fusion)
    ]


def _listed(listed: Sequence[Encoders]) -> str:
    return ", ".join(encoders.label for encoders in listed)


def task_problems(
    task: GridTask, content: Mapping[str, Any], fusions: Sequence[Component], unseen: bool
) -> list[Problem]:
    """What does not go together with the task: the grid's `content`, and what it asks for."""
    if task == "classification":
        return _unlabelled_source(content)
    able = ", ".join(name for name, cls in FUSIONS.items() if issubclass(cls, SharesSpace))
    problems = [
        Problem(
            ("fusion",),
            f"{name} puts pictures and texts into no space where one finds the other (task: "
            f"retrieval; those that do: {able})",
        )
        for name in _names(fusions)
        if not issubclass(FUSIONS[name], SharesSpace)
    ]
    rules = {
        "classifier": "there is nothing to classify where pictures find texts (task: retrieval): "
        "leave it out",
        "learning_curve": "a learning curve hides labels, and pairs for retrieval have none",
    }
    problems += [Problem((key,), rule) for key, rule in rules.items() if content.get(key)]
    if unseen:
        rule = "no classes can be held out where rows have none (task: retrieval)"
        problems.append(Problem(("split", "unseen_classes"), rule))
    return problems


def _unlabelled_source(content: Mapping[str, Any]) -> list[Problem]:
    """A source that can do without labels, and gives none."""
    given = content.get("data")
    keys: Mapping[str, Any] = given if isinstance(given, dict) else {"source": given}
    source = SOURCES.get(str(keys.get("source")))
    parameters = {} if source is None else parameters_of(source)
    can_do_without = "label" in parameters and parameters["label"][1] is None
    if not can_do_without or keys.get("label") is not None:
        return []
    rule = f"{keys['source']} needs the key 'label' (only with task: retrieval rows need none)"
    return [Problem(("data",), rule)]


def unseen_problems(
    unseen: bool,
    fusions: Sequence[Component],
    metric: object,
    learning_curve: Sequence[float],
    texts: GivenTexts | None,
) -> list[Problem]:
    """What does not go together with classes that are held out (`unseen`), or only with these."""
    if not unseen:
        return _only_with_unseen(fusions, texts)
    able = ", ".join(name for name in FUSIONS if _recognises_unseen(name))
    problems = [
        Problem(
            ("fusion",),
            f"{name} can only predict classes it has learned from, and split.unseen_classes leaves "
            f"no training row of those it would be asked about (those that can: {able})",
        )
        for name in _names(fusions)
        if not _recognises_unseen(name)
    ]
    if metric == "roc_auc":
        rule = (
            "roc_auc compares rows across folds, and with split.unseen_classes these have other "
            "candidates: take balanced_accuracy, f1_macro or log_loss"
        )
        problems.append(Problem(("metric",), rule))
    if learning_curve:
        rule = (
            "a learning curve hides labels of the classes that are asked about, and with "
            "split.unseen_classes none of their rows is learned from"
        )
        problems.append(Problem(("learning_curve",), rule))
    return problems


def _recognises_unseen(name: str) -> bool:
    return issubclass(FUSIONS[name], RecognisesUnseenClasses)


def _uses_class_texts(name: str) -> bool:
    cls = FUSIONS[name]
    return issubclass(cls, RecognisesUnseenClasses) and cls.uses_class_texts


def _only_with_unseen(fusions: Sequence[Component], texts: GivenTexts | None) -> list[Problem]:
    """What only makes sense where classes are held out."""
    advice = "say split: {folds: ..., unseen_classes: true}"
    problems = [
        Problem(
            ("fusion",),
            f"{name} recognises classes without training rows, and this split has none: {advice}",
        )
        for name in _names(fusions)
        if _uses_class_texts(name)
    ]
    if texts:
        rule = f"class_texts describe classes that are held out: {advice}"
        problems.append(Problem(("data", "class_texts"), rule))
    return problems


def _names(components: Sequence[Component]) -> list[str]:
    """The components' names, each once."""
    return list(dict.fromkeys(component.name for component in components))
