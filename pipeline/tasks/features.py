"""Features of one encoder for a training set, and their keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, TypeAlias

import numpy as np

from features.block import Block, Form, Modality
from features.encoder import Encoder, Targets
from pipeline.config.cells import build_encoder
from pipeline.config.components import Component
from pipeline.data.dataset import Dataset, DistinctSamples
from pipeline.data.rows import Rows
from pipeline.store.keys import Ingredients, key_of
from pipeline.store.store import Store
from pipeline.tasks.digests import numbered_groups, plain_parameters
from pipeline.tasks.procedures import versions_of

Describe: TypeAlias = Callable[[Encoder], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Features:
    """Features of one encoder in one form, for every row, learned (if it learns) from `train` rows only.

    Parameters
    ----------
    count : distinct samples to encode, augmented views counted.
    ingredients : everything that decides them; see `store.key_of`.
    stage : the frozen features that the encoder learns from, where it learns from such; see
        `Encoder.frozen_stage`.
    targets : labels and groups of the training samples, where the encoder is supervised.
    """

    modality: Modality
    component: Component
    encoder: Encoder
    train: Rows | None
    count: int
    ingredients: Ingredients
    stage: Features | None = None
    targets: Targets | None = None

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
            entry.arrays["values"],
            index,
            mask,
            self.encoder.augmented,
            self.encoder.averaged,
            self.encoder if self.encoder.gives_inputs else None,
            entry.checksums.get("values"),
        )

    @property
    def work(self) -> str:
        """What its cost is noted under: the encoder's class, and whether it only prepares inputs."""
        return f"{type(self.encoder).__name__}{' inputs' if self.encoder.gives_inputs else ''}"

    @property
    def output(self) -> str | None:
        """Value of the encoder's parameter `output`, where it has one."""
        output: str | None = getattr(self.encoder, "output", None)
        return output


def with_stages(features: Iterable[Features]) -> dict[str, Features]:
    """The features and the frozen stages that they learn from, each once, by key; stages first."""
    wanted = list(features)
    stages = [one.stage for one in wanted if one.stage is not None]
    return {one.key: one for one in (*stages, *wanted)}


def present_rows(modal: DistinctSamples, rows: Rows) -> Rows:
    """Those of the rows that have a sample."""
    return rows[modal.index[rows] >= 0]


def request(
    dataset: Dataset, modality: Modality, component: Component, form: Form, train: Rows, seed: int,
    describe: Describe | None = None,
) -> Features:
    """The features a model needs when it is trained on the rows `train`; `describe` stands for `describe_encoder`."""
    encoder = build_encoder(modality, component, form, seed)
    return _request(encoder, modality, component, dataset, train, describe or describe_encoder)


def _request(
    encoder: Encoder,
    modality: Modality,
    component: Component,
    dataset: Dataset,
    train: Rows,
    describe: Describe,
) -> Features:
    modal = dataset.modalities[modality]
    targets = _targets(dataset, present_rows(modal, train)) if encoder.supervised else None
    ingredients = {
        "kind": "features",
        "samples": _samples_digest(modal.digests),
        "encoder": describe(encoder),
        "train": _training_digest(modal, train, targets) if encoder.learns else None,
        **versions_of("encode"),
    }
    frozen = encoder.frozen_stage()
    stage = (
        None if frozen is None else _request(frozen, modality, component, dataset, train, describe)
    )
    return Features(modality, component, encoder, train if encoder.learns else None,
                    len(modal.digests) * (1 + encoder.augmented), ingredients, stage, targets)


def describe_encoder(encoder: Encoder) -> dict[str, Any]:
    """Class, version, parameters and identity, as JSON. A path is no ingredient: what it holds is (identity).

    Nor is the seed, where nothing is drawn at random: in a frozen encoder without augmented views.
    """
    parameters = plain_parameters(encoder)
    if not encoder.learns and not encoder.augmented:
        parameters.pop("random_state", None)
    return {
        "class": type(encoder).__name__,
        "version": encoder.version,
        "parameters": parameters,
        "identity": encoder.identity(),
    }


def described_once() -> Describe:
    """As `describe_encoder`, which reads an encoder's files, but once for equal encoders."""
    known: dict[tuple[type[Encoder], str], dict[str, Any]] = {}

    def describe(encoder: Encoder) -> dict[str, Any]:
        key = type(encoder), repr(encoder)
        if key not in known:
            known[key] = describe_encoder(encoder)
        return known[key]

    return describe


@cache
def _samples_digest(digests: tuple[str, ...]) -> str:
    return key_of({"digests": digests})


def _training_digest(modal: DistinctSamples, train: Rows, targets: Targets | None) -> str:
    """Digest of the training samples, in order and with repetitions, and of what a supervised encoder is told."""
    told: dict[str, Any] = (
        {}
        if targets is None
        else {
            "labels": targets.labels.tolist(),
            "groups": None if targets.groups is None else targets.groups.tolist(),
        }
    )
    return key_of(
        {
            "digests": [modal.digests[place] for place in modal.index[present_rows(modal, train)]],
            **told,
        }
    )


def _targets(dataset: Dataset, rows: Rows) -> Targets:
    """Labels and groups of the rows, numbered among these rows: what other rows have makes no difference."""
    return Targets(
        np.unique(dataset.labels[rows], return_inverse=True)[1], numbered_groups(dataset, rows)
    )
