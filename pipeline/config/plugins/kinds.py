"""What a plugin may add: of each kind, what a part must have and where it is registered."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeAlias, get_args

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from features.block import Form, Modality
from features.encoder import Encoder
from models import CLASSIFIERS, FUSIONS
from models.classifier import Classifier
from models.fusion import Fusion
from pipeline.config.parameters import SET_BY_PIPELINE, type_problem
from pipeline.data.frame import FRAMES
from pipeline.data.sources import SOURCES
from pipeline.metrics import METRICS
from pipeline.metrics.metric import Metric
from pipeline.metrics.retrieval import RETRIEVAL_METRICS, RetrievalMetric
from pipeline.metrics.same_class import EXTRA_METRICS
from reports.section import Section

Registry: TypeAlias = MutableMapping[str, Any]
NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of part.

    Parameters
    ----------
    group : what it is called among entry points (modalgrid.GROUP); in capitals, the mapping from
        names to parts in a module.
    noun : what a part is called in a message.
    lacks : what a part does not have that it must have, a phrase for each.
    registry : where a part belongs.
    taken : gives the mappings whose names it must not have.
    """

    group: str
    noun: str
    lacks: Callable[[Any], list[str]]
    registry: Callable[[Any], Registry]
    taken: Callable[[], tuple[Mapping[str, Any], ...]]

    @property
    def mapping(self) -> str:
        """The name of the mapping in a module."""
        return self.group.upper()


def _estimator_lacks(part: Any, base: type, methods: Iterable[str]) -> list[str]:
    """What a class of encoders, fusions or classifiers lacks; `methods` are to be overridden."""
    if not isinstance(part, type):
        return [f"a class (it is {type(part).__name__})"]
    name_of_base = f"{base.__module__}.{base.__name__}"
    lacking = [] if issubclass(part, base) else [f"the base class {name_of_base}"]
    lacking += [
        f"a method {name}"
        for name in methods
        if getattr(part, name, None) in (None, getattr(base, name))
    ]
    version = getattr(part, "version", None)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        lacking.append("version (ClassVar[int], from 1 on)")
    return lacking + _parameters_lack(part)


def _parameters_lack(part: type) -> list[str]:
    """What is missing of a constructor whose parameters are the grid's keys."""
    lacking: list[str] = []
    try:
        parameters = inspect.signature(part).parameters
    except ValueError:
        return ["a constructor whose parameters can be read"]
    for name, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            lacking.append(f"parameters by name (its constructor takes *{name})")
            continue
        if parameter.annotation is parameter.empty:
            lacking.append(f"a type of its parameter {name}")
        elif name not in SET_BY_PIPELINE and (problem := type_problem(part, name)):
            lacking.append(f"a type of {name} that a grid can be checked by ({problem})")
    return lacking


def encoder_lacks(part: Any) -> list[str]:
    """What an encoder lacks, or one of a pair of encoders."""
    if isinstance(part, tuple):
        modalities = [getattr(half, "modality", None) for half in part]
        of_both = [] if modalities == ["image", "text"] else ["(image encoder, text encoder) in it"]
        return sum(map(encoder_lacks, part), of_both)
    lacking = _estimator_lacks(part, Encoder, ["transform"])
    if getattr(part, "modality", None) not in get_args(Modality):
        lacking.append('modality ("image" or "text")')
    if "pooled" not in getattr(part, "forms", {"pooled": None}):
        lacking.append('the form "pooled"')
    return lacking


def fusion_lacks(part: Any) -> list[str]:
    """What a fusion lacks."""
    lacking = _estimator_lacks(part, Fusion, ["fit", "predict_proba"])
    needs = getattr(part, "needs", None)
    is_sound = isinstance(needs, Mapping) and all(
        modality in get_args(Modality) and form in get_args(Form)
        for modality, form in needs.items()
    )
    if not is_sound:
        lacking.append('needs (like {"image": "pooled", "text": "pooled"})')
    return lacking + _tuned_lack(part)


def classifier_lacks(part: Any) -> list[str]:
    """What a classifier lacks."""
    methods = ["fit", "predict_proba"] if _overrides(part, "fit") else ["_model"]
    return _estimator_lacks(part, Classifier, methods) + _tuned_lack(part)


def _overrides(part: Any, name: str) -> bool:
    return getattr(part, name, Classifier.fit) is not Classifier.fit


def _tuned_lack(part: Any) -> list[str]:
    tuned = getattr(part, "tuned", {})
    if not isinstance(part, type) or not tuned:
        return []
    known = inspect.signature(part).parameters
    return [f"the parameter {name} that its `tuned` names" for name in tuned if name not in known]


def metric_lacks(part: Any) -> list[str]:
    """What a metric lacks."""
    if not isinstance(part, Metric | RetrievalMetric):
        return [
            "pipeline.metrics.metric.Metric around its function, or RetrievalMetric (it is "
            f"{type(part).__name__})"
        ]
    lacking: list[str] = [] if callable(part.function) else ["a function"]
    if not isinstance(part.version, int) or part.version < 1:
        lacking.append("version (a whole number from 1 on)")
    return lacking


def section_lacks(part: Any) -> list[str]:
    """What a section of the report lacks."""
    if not isinstance(part, Section):
        return [f"reports.section.Section around its facts (it is {type(part).__name__})"]
    lacking: list[str] = [] if callable(part.facts) else ["a function facts"]
    return lacking + part.template_problems()


def source_lacks(part: Any) -> list[str]:
    """What a source lacks."""
    if not isinstance(part, type):
        return [f"a class (it is {type(part).__name__})"]
    lacking: list[str] = []
    if not callable(getattr(part, "load", None)):
        lacking.append("a method load")
    return lacking + _parameters_lack(part)


def class_lacks(part: Any) -> list[str]:
    """What a class that bundles may hold lacks."""
    return [] if isinstance(part, type) else [f"a class (it is {type(part).__name__})"]


def _sections() -> Registry:
    # sections import all that the report is made with, and few runs have any of a plugin's
    from reports.sections import SECTIONS

    return SECTIONS


BUNDLED: dict[str, type] = {}  # classes of plugins, no parts of grids, that bundles may hold
KINDS: tuple[Kind, ...] = (
    Kind(
        "encoders", "encoder", encoder_lacks,
        lambda part: IMAGE_ENCODERS if part.modality == "image" else TEXT_ENCODERS,
        lambda: (IMAGE_ENCODERS, TEXT_ENCODERS),
    ),
    Kind("fusions", "fusion", fusion_lacks, lambda _: FUSIONS, lambda: (FUSIONS,)),
    Kind(
        "classifiers", "classifier", classifier_lacks, lambda _: CLASSIFIERS,
        lambda: (CLASSIFIERS,),
    ),
    Kind(
        "metrics", "metric", metric_lacks,
        lambda part: METRICS if isinstance(part, Metric) else RETRIEVAL_METRICS,
        lambda: (METRICS, RETRIEVAL_METRICS, EXTRA_METRICS),
    ),
    Kind("sections", "section", section_lacks, lambda _: _sections(), lambda: (_sections(),)),
    Kind("sources", "source", source_lacks, lambda _: SOURCES, lambda: (SOURCES, FRAMES)),
    Kind("bundled", "class for bundles", class_lacks, lambda _: BUNDLED, lambda: (BUNDLED,)),
)
GROUPS: dict[str, Kind] = {kind.group: kind for kind in KINDS}
