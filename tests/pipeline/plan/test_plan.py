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
# could have several encoders of a modality.
KEYS = {
    "majority": "ec5bf4b23c89171f",
    "image_only": "cd22eaaa5dda80dd",
    "text_only": "8a92d77b71649ffc",
    "concat": "70066d3ae4661406",
    "{concat: {weight: [0.3, 0.6], components: 8}}": "82dcbe18fc716422",
    "{late: {rule: [product, stacking]}}": "744fe94906dc7f36",
    "{late: {rule: selection}}": "538eee437d493662",
    "attention": "0c6c92a281616d54",
    "cross_attention": "6207d30dbc33b60b",
    "gated": "00792bf117e876d6",
    "co_training": "b439066293329a68",
    "cca": "97dbf01f1b5216df",
    "kernel_cca": "869ec44ca1f33f69",
    "text_space": "a7a3ea4d1aa0d28e",
    "contrastive": "65588b2c7b41077b",
    "semi_supervised": "b88f7f27c1f4fb16",
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
    write_table(tmp_path)
    assert keys_of(fusion, tmp_path) == KEYS[fusion]
