"""Spaces that items and questions are compared in: each modality's own, and one for both."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from features.block import Block, BlockName, BoolArray, FloatArray, Modality, modality_of, unit_rows
from features.encoder import Encoder
from models.preparation.principal_components import BlockReduction
from models.shared_space.projections import (
    CanonicalCorrelation,
    EncodersSpace,
    Projection,
    TextSpace,
)
from models.views import Views
from pipeline.data.samples import NOUNS
from pipeline.metrics.ranks import Ranks, ranks
from pipeline.metrics.retrieval import chance_of_hit, hit_at
from pipeline.program.names import called
from pipeline.use.fitted import PredictingCell, encoded
from pipeline.use.index.relevance import Together, parts, relevance, together
from pipeline.use.problem import BundleError

WIDEST = 384  # principal components of a modality: as many as the sentence encoder's own width
DIMENSIONS = 128
REGULARISATIONS = (0.1, 0.5, 0.9)
PAIRS = 40  # below that, nothing can be learned of how pictures and texts go together, and measured
HELD_OUT = 5  # one in so many pairs is held out to choose by, and another to measure by
AT = 10  # candidates among which a hit counts


class Space(NamedTuple):
    """Where vectors of a modality lie: in its own space, or in the one for both."""

    modality: Modality
    shared: bool

    @property
    def name(self) -> str:
        """How its file of vectors is called."""
        return f"{self.modality}-shared" if self.shared else self.modality


@dataclass(frozen=True)
class Measured:
    """How well the space for both modalities finds a picture by its text, and the reverse.

    Parameters
    ----------
    pairs : held-out pairs, which are also the candidates.
    text_to_image, image_to_text : share of them whose counterpart is among the first `AT`.
    chance : the same for a random order.
    space : what the space is.
    """

    pairs: int
    text_to_image: float
    image_to_text: float
    chance: float
    space: str


@dataclass(frozen=True, eq=False)
class Spaces:
    """What brings items into vectors of norm 1.

    Parameters
    ----------
    encoders : of pooled features, by modality.
    reductions : each modality to its principal components, its own space.
    projection : into the space for both; None where there were too few pairs to learn it from.
    """

    encoders: Mapping[Modality, Encoder]
    reductions: Mapping[Modality, BlockReduction]
    projection: Projection | None

    @property
    def spaces(self) -> tuple[Space, ...]:
        """All that items have vectors in."""
        shared = (False, True) if self.projection is not None else (False,)
        return tuple(Space(*pair) for pair in product(self.encoders, shared))

    def vectors(self, modality: Modality, samples: Sequence[Any]) -> dict[Space, FloatArray]:
        """Vectors (n, k) of n samples in the spaces of their modality; zeros for missing ones."""
        return self.of_block(modality, encoded(self.encoders[modality], samples))

    def of_block(self, modality: Modality, block: Block) -> dict[Space, FloatArray]:
        """The same of encoded samples."""
        own_space = unit_rows(self.reductions[modality].transform(block))
        vectors = {Space(modality, shared=False): own_space}
        if self.projection is not None:
            vectors[Space(modality, shared=True)] = self.projection.project(modality, block)
        return vectors


def pooled_encoders(cell: PredictingCell) -> dict[Modality, Encoder]:
    """The first encoder of each modality of a cell, giving one vector for a sample.

    Raises
    ------
    BundleError
        Where none of them does: they were trained with what is built on them.
    """
    chosen: dict[Modality, Encoder] = {}
    for name, encoder in _encoders(cell):
        output = encoder.forms["pooled"]
        pooled = copy.copy(encoder)
        if output is not None:
            pooled.__dict__["output"] = output
        if not (encoder.gives_inputs and pooled.learns):
            chosen.setdefault(modality_of(name), pooled)
    if not chosen:
        raise BundleError(
            "this cell has no encoder that gives vectors by itself: make a bundle of another cell "
            f"({called('bundle')} RUN --cell NAME)"
        )
    return dict(sorted(chosen.items()))


def _encoders(cell: PredictingCell) -> Iterator[tuple[BlockName, Encoder]]:
    for model in cell.models:
        yield from model.encoders.items()


def learned_spaces(
    encoders: Mapping[Modality, Encoder], views: Views, digests: Mapping[Modality, Sequence[str]]
) -> tuple[Spaces, Measured | None]:
    """Spaces learned from n items, and how well the one for both does on pairs left out.

    Of the projections tried, the one that finds most pairs among a fifth of them is taken; another
    fifth measures it. Pairs that share a picture or a text are held out together. Where the
    encoders share a space, it is taken, needs no pairs, and is measured by such a fifth, too.

    Parameters
    ----------
    views : features of the items.
    digests : of their pictures and texts, (n,) each.
    """
    reductions = {
        modality: BlockReduction(WIDEST, 0).fit(block)
        for modality, block in views.by_modality().items()
    }
    rows = np.flatnonzero(np.all([block.present for block in views.blocks().values()], axis=0))
    as_encoded = EncodersSpace() if _share_space(encoders) else None
    if len(encoders) < 2 or len(rows) < PAIRS:
        return Spaces(encoders, reductions, as_encoded), None
    shared = together(*([digests[modality][row] for row in rows.tolist()] for modality in encoders))
    pairs, part = Pairs(views.take(rows), shared), parts(shared, HELD_OUT)
    chosen = as_encoded or max(
        candidates(),
        key=lambda candidate: sum(
            hit_at(AT)(ranked).sum()
            for ranked in _ranked(candidate, pairs, part >= 2, part == 0)
        ),
    )
    text_to_image, image_to_text = _ranked(chosen, pairs, part != 1, part == 1)
    measured = Measured(
        len(text_to_image),
        float(hit_at(AT)(text_to_image).mean()),
        float(hit_at(AT)(image_to_text).mean()),
        chance_of_hit(text_to_image, AT),
        type(chosen).__name__,
    )
    return Spaces(encoders, reductions, chosen.fit(pairs.views)), measured


def _share_space(encoders: Mapping[Modality, Encoder]) -> bool:
    """Whether vectors of all encoders can be compared as they are."""
    names = {encoder.shared_space for encoder in encoders.values()}
    return len(encoders) > 1 and len(names) == 1 and None not in names


class Pairs(NamedTuple):
    """Features of pairs, and which belong together."""

    views: Views
    together: Together


def candidates() -> list[Projection]:
    """The projections that are tried, the preferred ones first."""
    return [
        *(CanonicalCorrelation(dimensions=DIMENSIONS, regularisation=share, reduce=WIDEST)
          for share in REGULARISATIONS),
        *(TextSpace(regularisation=share, reduce=WIDEST) for share in REGULARISATIONS),
    ]


def _ranked(
    projection: Projection, pairs: Pairs, train: BoolArray, test: BoolArray
) -> tuple[Ranks, Ranks]:
    """Ranks of pictures by their texts, and of texts by their pictures, among test pairs."""
    fitted = projection.fit(pairs.views.take(np.flatnonzero(train)))
    rows = np.flatnonzero(test)
    held_out, right = pairs.views.take(rows), relevance(pairs.together[rows][:, rows])
    image, text = (
        fitted.project(modality, block) for modality, block in held_out.by_modality().items()
    )
    return ranks(text, image, right), ranks(image, text, right)


def known_modalities(modalities: Sequence[Modality]) -> str:
    """In words: "pictures and texts"."""
    return " and ".join(f"{NOUNS[modality]}s" for modality in modalities)
