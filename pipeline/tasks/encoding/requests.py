"""The features that a cell needs on a fold, each described once."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from features.block import BlockName, Form, Modality, modality_of
from features.encoder import Encoder, Targets
from pipeline.config.cells import Cell, build_encoder
from pipeline.config.components import Component
from pipeline.data.dataset import Dataset, DistinctSamples
from pipeline.data.rows import Rows
from pipeline.folds.fold import Fold
from pipeline.store.keys import canonical, key_of
from pipeline.tasks.context import Context, SplitReference
from pipeline.tasks.digests import plain_parameters, plugin_ingredients
from pipeline.tasks.encoding.features import Features, targets_of
from pipeline.tasks.procedures import versions_of


class TrainingRows(NamedTuple):
    """The rows (m,) that an encoder may learn from, and the split whose training rows they are."""

    rows: Rows
    split: SplitReference


class FeatureRequests:
    """The features that cells ask for, learned from their own training rows.

    Parameters
    ----------
    context : of the same data set, with the folds whose rows are asked for.
    seed : the grid's.
    """

    def __init__(self, dataset: Dataset, context: Context, seed: int) -> None:
        self._dataset, self._context, self._seed = dataset, context, seed
        self._features: dict[tuple[Modality, Component, Form, SplitReference], Features] = {}
        self._descriptions: dict[tuple[type[Encoder], str], dict[str, Any]] = {}

    def of(self, cell: Cell, fold: Fold) -> dict[BlockName, list[Features]]:
        """Features of each block, for the outer training rows and those of every inner fold."""
        training = [
            TrainingRows(train, self._context.reference(fold, position))
            for position, (train, _, _) in enumerate(fold.splits())
        ]
        return {
            name: [self.request(modality_of(name), component, form, rows) for rows in training]
            for name, (component, form) in cell.encoders().items()
        }

    def request(
        self, modality: Modality, component: Component, form: Form, training: TrainingRows
    ) -> Features:
        """The features that a model needs when it is trained on these rows."""
        known = modality, component, form, training.split
        if known not in self._features:
            encoder = build_encoder(modality, component, form, self._seed)
            self._features[known] = self._described(encoder, modality, component, training)
        return self._features[known]

    def _described(
        self, encoder: Encoder, modality: Modality, component: Component, training: TrainingRows
    ) -> Features:
        modal = self._dataset.modalities[modality]
        targets = None
        if encoder.supervised:
            present = training.rows[modal.index[training.rows] >= 0]
            targets = targets_of(self._dataset.labels, self._dataset.groups, present)
        ingredients = {
            "kind": "features",
            "samples": samples_digest(modal.digests),
            "encoder": self._description(encoder),
            "train": _training_digest(modal, training.rows, targets) if encoder.learns else None,
            **versions_of("encode"),
        }
        frozen = encoder.frozen_stage()
        return Features(
            modality,
            component,
            encoder,
            len(modal.digests) * (1 + encoder.augmented),
            ingredients,
            training.split if encoder.learns else None,
            training.rows if encoder.learns else None,
            targets,
            None if frozen is None else self._described(frozen, modality, component, training),
        )

    def _description(self, encoder: Encoder) -> dict[str, Any]:
        """As `describe_encoder`, which reads an encoder's files, but once for equal encoders."""
        known = type(encoder), repr(encoder)
        if known not in self._descriptions:
            self._descriptions[known] = describe_encoder(encoder)
        return self._descriptions[known]


def describe_encoder(encoder: Encoder) -> dict[str, Any]:
    """Class, version, parameters and identity, as JSON.

    A path is no ingredient: what it holds is (identity). Nor is the seed, where nothing is drawn at
    random: in a frozen encoder without augmented copies.
    """
    parameters = plain_parameters(encoder)
    if not encoder.learns and not encoder.augmented:
        parameters.pop("random_state", None)
    return {
        "class": type(encoder).__name__,
        "version": encoder.version,
        **plugin_ingredients(type(encoder)),
        "parameters": parameters,
        "identity": encoder.identity(),
    }


_CHECKED: set[str] = set()  # descriptions of encoders that this process makes true


def check_encoder(features: Features) -> None:
    """Make sure that an encoder is here what its key says, before it encodes anything.

    A machine with other weights, or one on which `precision: auto` is another number format, would
    put other features under the same key.

    Raises
    ------
    ValueError
        With what differs.
    """
    expected = features.ingredients["encoder"]
    text = canonical(expected)
    if text in _CHECKED:
        return
    here = describe_encoder(features.encoder)
    if canonical(here) != text:
        differing = ", ".join(
            f"{name} is {value} there, not {asked}"
            for name, (value, asked) in differing_parts(here, expected).items()
        )
        raise ValueError(
            f"{features.component.label} would make other features on {socket.gethostname()} than "
            f"on the machine that began the run: {differing}; give all machines "
            "the same files and packages, and say precision: float32 where only some have bfloat16"
        )
    _CHECKED.add(text)


def differing_parts(
    here: Mapping[str, Any], expected: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """What two descriptions of an encoder do not have in common: the name and value in each."""
    ours, theirs = {**here, **here["identity"]}, {**expected, **expected["identity"]}
    return {
        name: (ours.get(name), theirs.get(name))
        for name in {**ours, **theirs}
        if name != "identity" and canonical(ours.get(name)) != canonical(theirs.get(name))
    }


@cache
def samples_digest(digests: tuple[str, ...]) -> str:
    """Digest of the distinct samples of a modality."""
    return key_of({"digests": digests})


def _training_digest(modal: DistinctSamples, train: Rows, targets: Targets | None) -> str:
    """Digest of the training samples, in order, and of a supervised encoder's targets."""
    positions = modal.index[train]
    ingredients: dict[str, Any] = {
        "digests": [modal.digests[position] for position in positions[positions >= 0].tolist()]
    }
    if targets is not None:
        ingredients["labels"] = targets.labels.tolist()
        ingredients["groups"] = None if targets.groups is None else targets.groups.tolist()
    return key_of(ingredients)
