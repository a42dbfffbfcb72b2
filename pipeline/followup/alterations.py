"""What is done to test rows in the second phase: modalities go missing or are exchanged."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from features.block import BoolArray, Modality, modality_of
from models.views import Views
from pipeline.data.rows import Rows
from pipeline.folds.fold import Fold
from pipeline.seeds import derive

Change = Literal["missing", "swapped"]
CHANGES: tuple[Change, ...] = ("missing", "swapped")
SHARES = (0.25, 0.5, 0.75, 1.0)
PAIRED = 48  # rows of each fold whose pictures and texts are paired in all ways


@dataclass(frozen=True)
class Alteration:
    """A change to a share of the test rows.

    "missing" marks the modalities as missing. "swapped" exchanges one among the rows it falls on:
    each gets the content of another test row, which is real and of the right kind but wrong, the
    worst noise there is. Larger shares fall on the rows of the smaller ones and more.
    """

    change: Change
    modalities: tuple[Modality, ...]
    share: float


def alterations(modalities: Collection[Modality]) -> list[Alteration]:
    """All that is done to the rows of a cell that uses these modalities."""
    used: list[Modality] = [modality for modality in ("image", "text") if modality in modalities]
    of_single = [
        Alteration(change, (modality,), share)
        for modality, change, share in itertools.product(used, CHANGES, SHARES)
    ]
    if len(used) < 2:
        return of_single
    return [*of_single, Alteration("missing", ("image", "text"), 1.0)]


def altered(index: Rows, modality: Modality, alteration: Alteration, fold: Fold, seed: int) -> Rows:
    """Which distinct sample each test row has after an alteration, -1 for none.

    The rows it falls on derive from the seed, the fold and the modality: the same for every cell.

    Parameters
    ----------
    index : (n,) the distinct sample of each test row before.
    """
    if modality not in alteration.modalities:
        return index
    rng = np.random.default_rng(derive(seed, "alteration", fold.repeat, fold.fold, modality))
    chosen = rng.permutation(len(index))[: round(alteration.share * len(index))]
    changed = index.copy()
    changed[chosen] = -1 if alteration.change == "missing" else np.roll(index[chosen], -1)
    return changed


def altered_views(views: Views, alteration: Alteration, fold: Fold, seed: int) -> Views:
    """The test rows' views after an alteration; no features are copied."""
    blocks = {
        name: replace(block, index=altered(block.index, modality_of(name), alteration, fold, seed))
        for name, block in views.blocks().items()
    }
    return Views.of(blocks, views.groups)


def paired_rows(whole: BoolArray, fold: Fold, seed: int) -> Rows:
    """Positions of up to PAIRED test rows, drawn from those that have both modalities (`whole`)."""
    rng = np.random.default_rng(derive(seed, "pairs", fold.repeat, fold.fold))
    return np.sort(rng.permutation(np.flatnonzero(whole))[:PAIRED])
