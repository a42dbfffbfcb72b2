"""Picture encoder x text encoder, one map for each fusion, framed by each encoder alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

from reports.analysis.ranking import Kind, Ranking, Standing

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
    images = tuple(dict.fromkeys(str(s.cell.image) for s in fused))
    texts = tuple(dict.fromkeys(str(s.cell.text) for s in fused))
    alone = {**_alone(ranking, "image", images), **_alone(ranking, "text", texts)}
    shown = [*fused, *alone.values()]
    scale = _Scale(ranking, shown)
    maps = [
        FusionMap(
            fusion,
            tuple(
                tuple(_pair(fused, fusion, image, text, alone, scale) for text in texts)
                for image in images
            ),
        )
        for fusion in list(dict.fromkeys(s.cell.fusion for s in fused))[:MAPS]
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
        scores = [self.sign * s.score.mean for s in standings if isfinite(s.score.mean)]
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


def _alone(ranking: Ranking, kind: Kind, names: Iterable[str]) -> Alone:
    best = {
        (kind, name): next((s for s in ranking.ranked(kind) if getattr(s.cell, kind) == name), None)
        for name in names
    }
    return {name: standing for name, standing in best.items() if standing is not None}


def _pair(
    fused: Iterable[Standing], fusion: str, image: str, text: str, alone: Alone, scale: _Scale
) -> Square:
    best = next(
        (s for s in fused if (s.cell.fusion, s.cell.image, s.cell.text) == (fusion, image, text)),
        None,
    )
    halves = [alone.get(("image", image)), alone.get(("text", text))]
    above = None
    if best is not None and None not in halves:
        above = all(
            scale.sign * best.score.mean > scale.sign * half.score.mean for half in halves if half
        )
    return scale.square(best, above)
