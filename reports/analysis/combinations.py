"""Picture encoder x text encoder, one map for each fusion, framed by each encoder alone."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from math import isfinite

from reports.analysis.ranking import Ranking
from reports.analysis.standing import Kind, Standing

MAPS = 12


@dataclass(frozen=True)
class Square:
    """Best score of one pair of encoders.

    `share` is where it lies between the lowest (0) and the highest (1) of all maps. `above` says
    whether it is better than both of its encoders alone, where both were tried alone.
    """

    score: float | None
    share: float = 0.0
    above: bool | None = None


@dataclass(frozen=True)
class FusionMap:
    """One fusion: rows are picture encoders, columns text encoders; the best over classifiers."""

    fusion: str
    squares: tuple[tuple[Square, ...], ...]


@dataclass(frozen=True)
class Combinations:
    """The maps and what frames them: each encoder alone, the best over classifiers."""

    images: tuple[str, ...]
    texts: tuple[str, ...]
    image_alone: tuple[Square, ...]
    text_alone: tuple[Square, ...]
    maps: tuple[FusionMap, ...]


def combinations(ranking: Ranking) -> Combinations:
    """Maps of the first MAPS fusions, the one with the best cell first; complete cells only."""
    fused = ranking.ranked("fusion")
    images = tuple(dict.fromkeys(str(standing.cell.image) for standing in fused))
    texts = tuple(dict.fromkeys(str(standing.cell.text) for standing in fused))
    alone = {**_alone(ranking, "image", images), **_alone(ranking, "text", texts)}
    shown = [*fused, *alone.values()]
    scale = _Scale(ranking, shown)
    pairs = _pairs(fused)

    def square(fusion: str, image: str, text: str) -> Square:
        halves = alone.get(("image", image)), alone.get(("text", text))
        return _square(pairs.get((fusion, image, text)), halves, scale)

    maps = [
        FusionMap(
            fusion, tuple(tuple(square(fusion, image, text) for text in texts) for image in images)
        )
        for fusion in list(dict.fromkeys(standing.cell.fusion for standing in fused))[:MAPS]
    ]
    return Combinations(
        images,
        texts,
        tuple(scale.square(alone.get(("image", name))) for name in images),
        tuple(scale.square(alone.get(("text", name))) for name in texts),
        tuple(maps),
    )


class _Scale:
    """Shades from the worst to the best of the standings."""

    def __init__(self, ranking: Ranking, standings: Iterable[Standing]) -> None:
        self.sign = 1 if ranking.metric.greater_is_better else -1
        scores = [
            self.sign * standing.score.mean
            for standing in standings
            if isfinite(standing.score.mean)
        ]
        self.low, self.high = min(scores, default=0.0), max(scores, default=0.0)

    def square(self, standing: Standing | None, above: bool | None = None) -> Square:
        if standing is None:
            return Square(None)
        height = self.sign * standing.score.mean - self.low
        return Square(
            standing.score.mean,
            height / (self.high - self.low) if self.high > self.low else 1.0,
            above,
        )


Alone = dict[tuple[str, str], Standing]
Pairs = dict[tuple[str, str, str], Standing]


def _alone(ranking: Ranking, kind: Kind, names: Container[str]) -> Alone:
    """Best cell of each of these encoders alone, by kind and encoder."""
    best: Alone = {}
    for standing in ranking.ranked(kind):
        encoder = str(getattr(standing.cell, kind))
        if encoder in names:
            best.setdefault((kind, encoder), standing)
    return best


def _pairs(fused: Iterable[Standing]) -> Pairs:
    """Best cell of each fusion and pair of encoders: (fusion, picture encoder, text encoder)."""
    best: Pairs = {}
    for standing in fused:
        cell = standing.cell
        best.setdefault((cell.fusion, str(cell.image), str(cell.text)), standing)
    return best


def _square(best: Standing | None, halves: Sequence[Standing | None], scale: _Scale) -> Square:
    """Its shade, and whether it is above both halves where it and they are there."""
    if best is None or None in halves:
        return scale.square(best)
    heights = [scale.sign * half.score.mean for half in halves if half]
    return scale.square(best, all(scale.sign * best.score.mean > height for height in heights))
