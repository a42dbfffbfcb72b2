"""Features of one encoder for a training set, as the store knows them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.block import Block, Modality
from features.encoder import Encoder, Targets
from pipeline.config.components import Component
from pipeline.data.rows import Rows
from pipeline.data.samples import NOUNS
from pipeline.store.keys import Ingredients, key_of
from pipeline.store.sharded_rows import rows_at
from pipeline.store.store import Store
from pipeline.tasks.context import Context, SplitReference
from pipeline.tasks.digests import numbered_groups


@dataclass(frozen=True, eq=False)
class Features:
    """Features of one encoder in one form, for every row, learned from `train` rows only.

    Parameters
    ----------
    count : distinct samples to encode, augmented copies counted.
    ingredients : everything that decides them; see `pipeline.store.keys.key_of`.
    split : the split whose training rows it learns from; None for a frozen encoder.
    train : these rows; None also while it travels.
    targets : labels and groups of the training samples, where the encoder is supervised.
    stage : the frozen features that the encoder learns from, where it learns from such; see
        `Encoder.frozen_stage`.
    """

    modality: Modality
    component: Component
    encoder: Encoder
    count: int
    ingredients: Ingredients
    split: SplitReference | None = None
    train: Rows | None = None
    targets: Targets | None = None
    stage: Features | None = None

    @cached_property
    def key(self) -> str:
        """Their key in the store."""
        return key_of(self.ingredients)

    def load(self, store: Store, index: Rows) -> Block | None:
        """Block of all rows from the store; None where it is not there."""
        entry = store.load(self.ingredients)
        if entry is None:
            return None
        mask: Any = entry.arrays.get("mask")
        return Block(
            rows_at(store, entry),
            index,
            mask,
            self.encoder.augmented,
            self.encoder.averaged,
            self.encoder if self.encoder.gives_inputs else None,
            self.key,
        )

    @property
    def by_sample(self) -> bool:
        """Whether they are kept by sample: see Encoder.by_sample."""
        return self.encoder.by_sample and self.count > 0

    def encode_seconds(self, store: Store) -> float | None:
        """What encoding the samples took, whenever that was; None where nobody knows."""
        manifest = store.manifest_at(self.key)
        if manifest is None:
            return None
        return float(manifest["facts"].get("encode_seconds", manifest["seconds"]))

    def is_sparse(self, store: Store) -> bool:
        """Whether the store has them as a sparse matrix; no where it does not have them."""
        manifest = store.manifest_at(self.key)
        files = {} if manifest is None else manifest["files"]
        return "values" in files and str(files["values"]["file"]).endswith(".npz")

    def numbers_of_sample(self, store: Store) -> float | None:
        """Stored numbers of a sample, 4 bytes each; of a sparse one with their columns.

        None where the store does not have them.
        """
        manifest = store.manifest_at(self.key)
        if manifest is None:
            return None
        if "shape" in manifest["facts"]:
            return float(math.prod(manifest["facts"]["shape"][1:]))
        return float(manifest["files"]["values"]["bytes"] / 4 / max(self.count, 1))

    def without_rows(self) -> Features:
        """As they travel: the rows are looked up where they are needed.

        Nor does the encoder take along what it learned, where it was fitted in this process.
        """
        stage = None if self.stage is None else self.stage.without_rows()
        # Its `unfitted` imports scikit-learn, which a run whose results are all stored never needs.
        encoder = type(self.encoder)(**self.encoder.get_params(deep=False))
        return replace(self, encoder=encoder, train=None, targets=None, stage=stage)

    def with_rows(self, context: Context) -> Features:
        """With the rows that travelled as a reference."""
        if self.split is None:
            return self
        _, repeat, fold, position = self.split
        train = context.fold(repeat, fold).splits()[position][0]
        present = train[context.index[self.modality][train] >= 0]
        targets = None
        if self.encoder.supervised:
            targets = targets_of(context.labels, context.groups, present)
        return replace(self, train=train, targets=targets)

    @property
    def work(self) -> str:
        """What its cost is noted under: its class, and whether it only prepares inputs."""
        return f"{type(self.encoder).__name__}{' inputs' if self.encoder.gives_inputs else ''}"

    def over(self, samples: int) -> str:
        """Its encoder over so many samples in words, with the fold that it learned from."""
        noun = NOUNS[self.modality] + "s" * (samples != 1)
        learned = "" if self.split is None else f", learned on {self.split.in_words}"
        return f"{self.component.label} over {samples:,} {noun}{learned}"

    @property
    def output(self) -> str | None:
        """Value of the encoder's parameter `output`, where it has one."""
        output: str | None = getattr(self.encoder, "output", None)
        return output


def with_stages(features: Iterable[Features]) -> dict[str, Features]:
    """The features and the frozen stages that they learn from, by key; stages first."""
    asked_for = list(features)
    stages = [feature.stage for feature in asked_for if feature.stage is not None]
    return {feature.key: feature for feature in (*stages, *asked_for)}


def targets_of(labels: Rows, groups: Rows | None, rows: Rows) -> Targets:
    """Labels and groups of the rows, numbered among these: other rows make no difference."""
    codes: NDArray[np.int64] = np.unique(labels[rows], return_inverse=True)[1]
    return Targets(codes, numbered_groups(groups, rows))
