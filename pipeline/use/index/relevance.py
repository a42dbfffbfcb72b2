"""Which items count as the right ones for a question: those of the same picture or text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from features.block import Modality
from pipeline.use.fitted import Items

MODALITIES: tuple[Modality, ...] = ("image", "text")


@dataclass(frozen=True, eq=False)
class Relevance:
    """Number (n,) of the picture and of the text of n pairs."""

    picture: NDArray[np.int64]
    text: NDArray[np.int64]

    def take(self, rows: Any) -> Relevance:
        """Of some pairs."""
        return Relevance(self.picture[rows], self.text[rows])

    def of(self, row: int) -> NDArray[np.bool_]:
        """Bool (n,): which pairs are right for one of them."""
        return np.asarray((self.picture == self.picture[row]) | (self.text == self.text[row]))

    def parts(self, count: int) -> NDArray[np.int64]:
        """A part 0..count-1 for each pair, at random; what shares a picture or text has the same.

        The seed is fixed: the same pairs give the same parts.
        """
        n = len(self.picture)
        pictures = n + np.unique(self.picture, return_inverse=True)[1]
        texts = pictures.max() + 1 + np.unique(self.text, return_inverse=True)[1]
        rows = np.tile(np.arange(n), 2)
        ends = np.concatenate([pictures, texts])
        size = int(texts.max()) + 1
        graph = coo_array((np.ones(2 * n), (rows, ends)), shape=(size, size))
        component = connected_components(graph, directed=False)[1][:n]
        groups = np.unique(component, return_inverse=True)[1]
        order = np.random.default_rng(0).permutation(groups.max() + 1)
        return np.asarray(order[groups] % count)

    def chance(self, at: int) -> float:
        """Mean probability that a right one is among `at` of n in random order."""
        n = len(self.picture)
        if not n:
            return 0.0
        at = min(at, n)
        counts = [int(self.of(row).sum()) for row in range(n)]
        return float(np.mean([1 - comb(n - right, at) / comb(n, at) for right in counts]))


def relevance_of(items: Items, rows: NDArray[np.int64]) -> Relevance:
    """Of some items, which have both a picture and a text."""
    picture, text = (_numbers([items[modality][row] for row in rows]) for modality in MODALITIES)
    return Relevance(picture, text)


def _numbers(samples: Sequence[Any]) -> NDArray[np.int64]:
    """Equal samples have equal numbers, counted as they first appear."""
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(sample, len(numbers)) for sample in samples], np.int64)


def hit_rate(similarity: NDArray[Any], relevance: Relevance, at: int) -> float:
    """Share of n questions with a right one among the `at` most similar of n candidates.

    Of candidates that are equally similar the earlier comes first.
    """
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :at]
    hits = [relevance.of(row)[nearest].any() for row, nearest in enumerate(order)]
    return float(np.mean(hits)) if hits else 0.0
