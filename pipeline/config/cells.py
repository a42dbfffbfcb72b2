"""The grid expanded into cells: one cell is one choice of encoders, fusion and classifier."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from features.block import BlockName, Form, Modality, block_name, modalities_of
from features.encoder import Encoder
from models import CLASSIFIERS, FUSIONS
from models.combining import CombinesPredictions
from models.early.settings import OF_CLASSIFIER
from models.fusion import Fusion, TakesClassifier
from models.matching import ComparesAsEncoded
from pipeline.config.components import Component, Encoders, beyond, is_number, members_of
from pipeline.config.grid import Grid
from pipeline.seeds import derive

Estimator = TypeVar("Estimator", Encoder, Fusion)
ENCODERS: dict[Modality, Mapping[str, type[Encoder]]] = {
    "image": IMAGE_ENCODERS,
    "text": TEXT_ENCODERS,
}

WIDENINGS = 4  # times that candidates by default are widened at most: C by 3 ** 4, say


@dataclass(frozen=True)
class Cell:
    """One model to evaluate.

    Parameters
    ----------
    parts : single-modality cells whose predictions it combines; empty for a cell with fits of its
        own. A cell that combines all of a modality's encoders names none of them itself.
    """

    fusion: Component
    image: Encoders | None = None
    text: Encoders | None = None
    classifier: Component | None = None
    parts: tuple[Cell, ...] = ()

    @property
    def name(self) -> str:
        """Unique and readable: encoders / fusion / classifier."""
        encoders = " + ".join(self.encoder_labels().values())
        parts = [encoders, self.fusion.label, self.classifier.label if self.classifier else ""]
        return " / ".join(part for part in parts if part)

    def encoder_labels(self) -> dict[Modality, str]:
        """What to call each modality's encoder; "any ..." where it combines several."""
        labels: dict[Modality, str] = {}
        for part in self.parts:
            labels |= {modality: f"any {modality}" for modality in part.encoder_labels()}
        return labels | {modality: encoders.label for modality, encoders in self._named().items()}

    def together(self) -> dict[Modality, tuple[str, ...]]:
        """Labels of the encoders that it uses together, of modalities with several."""
        sets = {modality: members_of(encoders) for modality, encoders in self._named().items()}
        return {
            modality: tuple(member.label for member in members)
            for modality, members in sets.items()
            if len(members) > 1
        }

    def _named(self) -> dict[Modality, Encoders]:
        """The encoders it names itself."""
        encoders: dict[Modality, Encoders | None] = {"image": self.image, "text": self.text}
        return {name: encoder for name, encoder in encoders.items() if encoder is not None}

    def encoders(self) -> dict[BlockName, tuple[Component, Form]]:
        """The encoders it needs, and in which form their features, by the blocks' names."""
        return dict(self._blocks())

    def _blocks(self) -> Iterator[tuple[BlockName, tuple[Component, Form]]]:
        needs: Mapping[Modality, Form] = FUSIONS[self.fusion.name].needs
        for modality, encoders in self._named().items():
            for number, encoder in enumerate(members_of(encoders), start=1):
                yield block_name(modality, number), (encoder, needs[modality])

    def recognised_by(self) -> Modality | None:
        """The only modality of a sample that decides, where it needs another for other ends."""
        asked = self.estimator(0).asked
        return asked[0] if len(asked) < len(FUSIONS[self.fusion.name].needs) else None

    def settings(self) -> list[dict[str, Any]]:
        """Every combination of tuned parameters, for `set_params` of the estimator."""
        candidates = dict(self.fusion.candidates)
        if self.classifier:
            candidates |= {
                f"{OF_CLASSIFIER}{name}": values
                for name, values in self.classifier.candidates.items()
            }
        candidates |= FUSIONS[self.fusion.name].tuned_with(self._encoder_counts())
        return [
            dict(zip(candidates, values, strict=True))
            for values in itertools.product(*candidates.values())
        ]

    def _encoder_counts(self) -> dict[Modality, int]:
        return {modality: len(members_of(chosen)) for modality, chosen in self._named().items()}

    def further(
        self, settings: Sequence[Mapping[str, Any]], best: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Settings to try beside those tried so far: what is wider, and steps from the best.

        None is among those tried. After a step other strengths of the classifier may be best: those
        next to the best one's are tried again beside it.
        """
        wider = self.wider(settings, best) if len(settings) > 1 else []
        steps = FUSIONS[self.fusion.name].steps_from(best, self._encoder_counts())
        near = _near(settings, best) if self.takes_steps else []
        return [setting for setting in (*wider, *near, *steps) if setting not in settings]

    @property
    def takes_steps(self) -> bool:
        """Whether some of what is tuned is chosen by steps (Fusion.steps_from)."""
        return bool(FUSIONS[self.fusion.name].tuned_with(self._encoder_counts()))

    def wider(
        self, settings: Sequence[Mapping[str, Any]], best: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Further settings, where the best of those tried is at an end of candidates by default.

        One for each such parameter, WIDENINGS times at most: the next value beyond that end, the
        others as they are in the best.
        """
        parts: list[tuple[str, type, Component]] = [
            ("", FUSIONS[self.fusion.name], self.fusion)
        ]
        if self.classifier is not None:
            parts.append((OF_CLASSIFIER, CLASSIFIERS[self.classifier.name], self.classifier))
        further = []
        for prefix, cls, component in parts:
            for name in sorted(component.by_default):
                key = f"{prefix}{name}"
                tried = {setting[key] for setting in settings}
                if len(tried) >= len(component.candidates[name]) + WIDENINGS:
                    continue
                value = beyond(cls, name, tried, best[key])
                if value is not None:
                    further.append({**best, key: value})
        return further

    @property
    def by_default(self) -> list[str]:
        """Tuned parameters whose candidates the grid does not give, sorted."""
        of_classifier = self.classifier.by_default if self.classifier else frozenset[str]()
        return sorted(self.fusion.by_default | of_classifier)

    def estimator(self, seed: int) -> Fusion:
        """Unfitted estimator, every random part seeded by the grid's seed and its own name."""
        parameters: dict[str, Any] = dict(self.fusion.parameters)
        if self.classifier:
            parameters["classifier"] = CLASSIFIERS[self.classifier.name](
                **self.classifier.parameters
            )
        estimator = FUSIONS[self.fusion.name](**parameters)
        if isinstance(estimator, ComparesAsEncoded):
            estimator = estimator.on_encoders(shares_space(self.image, self.text))
        return seeded(
            estimator, seed, self.fusion.name, self.classifier.name if self.classifier else ""
        )


def seeded(estimator: Estimator, seed: int, *names: str) -> Estimator:
    """The estimator with each `random_state` it has derived from the seed and its name."""
    states = {name: derive(seed, *names, name) for name in estimator.get_params(deep=True)
              if name.split("__")[-1] == "random_state"}
    estimator.set_params(**states)
    return estimator


def build_encoder(modality: Modality, component: Component, form: Form, seed: int) -> Encoder:
    """Unfitted encoder that gives features of that form (pooled where it has no sequence form)."""
    cls = ENCODERS[modality][component.name]
    output = cls.forms.get(form, cls.forms["pooled"])
    parameters = dict(component.parameters) | ({"output": output} if output is not None else {})
    return seeded(cls(**parameters), seed, component.name)


def shares_space(image: Encoders | None, text: Encoders | None) -> bool:
    """Whether two encoders put pictures and texts into one space; several together do not."""
    if not isinstance(image, Component) or not isinstance(text, Component):
        return False
    of_image = IMAGE_ENCODERS[image.name](**image.parameters).shared_space
    of_text = TEXT_ENCODERS[text.name](**text.parameters).shared_space
    return of_image is not None and of_image == of_text


def needs_shared_space(fusion: Component) -> bool:
    """Whether a fusion is of no use on encoders that share no space."""
    cls = FUSIONS[fusion.name]
    return issubclass(cls, ComparesAsEncoded) and cls(**fusion.parameters).needs_shared_space


def sample_modalities(cells: Iterable[Cell]) -> list[Modality]:
    """The modalities that rows must have for these cells, sorted."""
    modalities: set[Modality] = set()
    for cell in cells:
        modalities |= set(modalities_of(cell.encoders())) & set(cell.estimator(0).samples_need)
    return sorted(modalities)


def _near(
    settings: Sequence[Mapping[str, Any]], best: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """The best setting with the next lower and higher number of the classifier that was tried."""
    for name, value in best.items():
        if name.startswith(OF_CLASSIFIER) and is_number(value):
            tried = sorted({setting[name] for setting in settings if is_number(setting[name])})
            at = tried.index(value)
            for other in (*tried[max(0, at - 1):at], *tried[at + 1:at + 2]):
                yield {**best, name: other}


def expand(grid: Grid) -> tuple[Cell, ...]:
    """Every cell of the grid, parts before the cells that combine them, each once."""
    cells: dict[Cell, None] = {}
    for fusion in grid.fusion:
        for cell in _cells(grid, fusion):
            cells.update(dict.fromkeys((*cell.parts, cell)))
    return tuple(sorted(cells, key=lambda cell: bool(cell.parts)))


def _cells(grid: Grid, fusion: Component) -> Iterable[Cell]:
    cls = FUSIONS[fusion.name]
    images: Sequence[Encoders | None] = grid.image if "image" in cls.needs else (None,)
    texts: Sequence[Encoders | None] = grid.text if "text" in cls.needs else (None,)
    classifiers: Iterable[Component | None] = (
        grid.classifier or (None,) if issubclass(cls, TakesClassifier) else (None,)
    )
    pairs = list(itertools.product(images, texts))
    if needs_shared_space(fusion):
        pairs = [pair for pair in pairs if shares_space(*pair)]
    for classifier in classifiers:
        parts = [_parts(cls, image, text, classifier) for image, text in pairs]
        if _combines_all(Cell(fusion, classifier=classifier).estimator(grid.seed)):
            all_parts = tuple(dict.fromkeys(itertools.chain.from_iterable(parts)))
            yield Cell(fusion, _only(images), _only(texts), classifier, all_parts)
        else:
            for (image, text), combined in zip(pairs, parts, strict=True):
                yield Cell(fusion, image, text, classifier, combined)


def _combines_all(estimator: Fusion) -> bool:
    return isinstance(estimator, CombinesPredictions) and estimator.combines_all


def _parts(
    cls: type[Fusion], image: Encoders | None, text: Encoders | None, classifier: Component | None
) -> tuple[Cell, ...]:
    """The cells that a fusion of these encoders combines, if any: each has a single encoder."""
    combines = cls.combines if issubclass(cls, CombinesPredictions) else ()
    parts = (_parts_of(name, image, text, classifier) for name in combines)
    return tuple(itertools.chain.from_iterable(parts))


def _parts_of(
    name: str, image: Encoders | None, text: Encoders | None, classifier: Component | None
) -> list[Cell]:
    needs = FUSIONS[name].needs
    images = members_of(image) if image is not None and "image" in needs else (None,)
    texts = members_of(text) if text is not None and "text" in needs else (None,)
    return [
        Cell(Component(name), of_pictures, of_texts, classifier)
        for of_pictures, of_texts in itertools.product(images, texts)
    ]


def _only(listed: Sequence[Encoders | None]) -> Encoders | None:
    return listed[0] if len(listed) == 1 else None
