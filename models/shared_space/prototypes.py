"""Where classes lie in a shared space, by the texts that describe them."""

from __future__ import annotations

import numpy as np

from features.block import Block, FloatArray, unit_rows
from models.arrays import Labels
from models.fusion import ClassTexts
from models.shared_space.projections import Projection


def prototypes(projection: Projection, class_texts: ClassTexts, candidates: Labels) -> FloatArray:
    """Unit vectors float32 (K, k) of the mean points of the candidates' texts.

    Zeros for a candidate without texts.
    """
    assert class_texts.texts is not None
    points = projection.project("text", class_texts.texts)
    sums = np.zeros((len(candidates), points.shape[1]), dtype=np.float32)
    chosen = np.isin(class_texts.classes, candidates)
    np.add.at(sums, np.searchsorted(candidates, class_texts.classes[chosen]), points[chosen])
    return unit_rows(sums)


def texts_in_turn(class_texts: ClassTexts, y: Labels) -> Block:
    """For each label (n,) one of its class's texts, all of them equally often.

    Missing where the class has none.
    """
    assert class_texts.texts is not None
    index = np.full(len(y), -1, dtype=np.int64)
    for name in np.unique(y):
        of_class, rows = np.flatnonzero(class_texts.classes == name), np.flatnonzero(y == name)
        if len(of_class):
            index[rows] = class_texts.texts.index[of_class[np.arange(len(rows)) % len(of_class)]]
    return class_texts.texts.at(index)
