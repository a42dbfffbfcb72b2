"""Plans: what decides a result has not changed for grids whose results lie in stores."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import features
from features.block import Block, Form, Modality
from features.encoder import Encoder
from models import CLASSIFIERS, FUSIONS
from pipeline.plan.plan import make_plan
from pipeline.tasks import combination, unit
from tests.support.comparisons import comparison_of
from tests.support.tiny import register, write_grid, write_table


class Lengths(Encoder):
    """The number of a text's words; it learns, so that its key tells the training rows."""

    modality: ClassVar[Modality] = "text"
    version: ClassVar[int] = 1
    forms: ClassVar[dict[Form, str | None]] = {"pooled": None, "sequence": None}
    learns: ClassVar[bool] = True

    def fit(self, samples: Sequence[str]) -> Lengths:
        return self

    def transform(self, samples: Sequence[str]) -> Block:
        return Block.of(np.array([[len(text.split())] for text in samples], dtype=np.float32))


GRID = """
name: tiny
seed: 3
data: {source: table, path: items.csv, image: picture, text: words, label: kind, id: sku}
split: {folds: 3, repeats: 1, inner: 2}
image: [mean_colour, mean_colour: {power: 2.0}]
text: [lengths]
fusion: [FUSION]
classifier: [logistic: {C: [1, 100]}, ridge]
"""
# The digest of the keys of all results of a grid, in order, by fusion: as they were before cells
# could have several encoders of a modality; that of concat since its weight may be 0 and 1, those
# of attention since they keep predictions for their training rows, that of gated since it learns at
# another rate, as attention and cross_attention do.
KEYS = {
    "majority": "ec5bf4b23c89171f",
    "image_only": "98869e4acadbec8c",
    "text_only": "f130e1479c98ef37",
    "concat": "6c5337d53e5dbdaf",
    "{concat: {weight: [0.3, 0.6], components: 8}}": "51ddbc6c832fe429",
    "{late: {rule: [product, stacking]}}": "066174f908051f1f",
    "{late: {rule: selection}}": "4aa4b009e82f887f",
    "attention": "5fe57272501020c6",
    "cross_attention": "9ef444b1938bebcb",
    "gated": "3102b0058892973e",
    "co_training": "b439066293329a68",
    "cca": "930e0971ad09a950",
    "kernel_cca": "aedda87c79a912fc",
    "text_space": "4a052f839b61fc24",
    "contrastive": "e3694c4924f7d3f3",
    "semi_supervised": "0f5d331bdb78a047",
    "{late: {rule: log_pool}}": "3f9d88fd8c30aedd",
    "label_propagation": "f5194a8579b5e86b",
}


def keys_of(fusion: str, folder: Path) -> str:
    comparison = comparison_of(write_grid(folder, GRID.replace("FUSION", fusion)))
    modalities = {
        # what a picture's file is like depends on the library that wrote it
        name: replace(modal, digests=tuple(f"{name} {at}" for at in range(len(modal.digests))))
        for name, modal in comparison.dataset.modalities.items()
    }
    dataset = replace(comparison.dataset, modalities=modalities)
    plan = make_plan(replace(comparison, dataset=dataset))
    assert not plan.failures
    keys = [*(piece.key for piece in (*plan.units, *plan.combinations)), *plan.features]
    return hashlib.sha256(" ".join(keys).encode()).hexdigest()[:16]


@pytest.mark.parametrize("fusion", KEYS)
def test_results_of_cells_with_one_encoder_keep_their_keys(fusion, tmp_path, monkeypatch):
    register(monkeypatch)
    monkeypatch.setitem(features.TEXT_ENCODERS, "lengths", Lengths)
    for module in (unit, combination):
        monkeypatch.setattr(module, "VERSIONS", {"numpy": "1"})
    monkeypatch.setattr(unit, "further_versions", lambda estimator: {})  # torch's
    for model in (*FUSIONS.values(), *CLASSIFIERS.values()):
        monkeypatch.setattr(model, "version", 1)  # raised where results change
    write_table(tmp_path)
    assert keys_of(fusion, tmp_path) == KEYS[fusion]
