"""Features from the store, or encoded and stored: frozen encoders once over all, learned ones per training set."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from scipy import sparse

from features.block import Block, Form, Modality
from features.encoder import Encoder, Targets
from pipeline.array_file import write_pieces
from pipeline.cells import build_encoder
from pipeline.components import Component
from pipeline.dataset import Dataset, Modal
from pipeline.procedures import versions_of
from pipeline.samples import Picture
from pipeline.store import Entry, Ingredients, Store, key_of

Rows = NDArray[np.int64]
PIECE = 4096  # samples whose learned stage is computed at once


class Pictures(Sequence[bytes]):
    """Encoded pictures, read one by one when asked for, so that they are never in memory together.

    Raises ValueError for one that is no longer what was checked: its features would be stored under the key
    of another picture.
    """

    def __init__(self, pictures: Sequence[Picture], digests: Sequence[str]) -> None:
        self._pictures, self._digests = pictures, digests

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return Pictures(self._pictures[position], self._digests[position])
        picture = self._pictures[position]
        content = picture.read()
        if picture.digest() != self._digests[position]:
            raise ValueError(f"picture {picture.name} changed while the run was reading it; run again")
        return content


@dataclass(frozen=True, eq=False)
class Features:
    """Features of one encoder in one form, for every row, learned (if it learns) from `train` rows only.

    Parameters
    ----------
    count : distinct samples to encode, augmented views counted.
    ingredients : everything that decides them; see `store.key_of`.
    stage : the frozen features that the encoder learns from, where it learns from such; see `Encoder.frozen_stage`.
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
        return Block(entry.arrays["values"], index, mask, self.encoder.augmented, self.encoder.averaged,
                     self.encoder if self.encoder.gives_inputs else None, entry.checksums.get("values"))

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


def compute(many: Sequence[Features], modal: Modal, store: Store) -> dict[str, Entry]:
    """Stored entries, by key, of features that differ in their form only; encoded now where they are not there.

    An encoder that gives several forms in one pass over the samples is asked for all that are missing at once.
    """
    stages = [one.stage for one in many if one.stage is not None]
    if stages:  # learned, each for itself, from features that are computed together and once for all folds
        compute(stages, modal, store)
    missing = [one.output for one in many if not store.has(one.ingredients)]
    written: dict[str | None, dict[str, Any]] = {}
    key = key_of({**many[0].ingredients, "encoder": many[0].component.label})

    def encode(one: Features, scratch: Path) -> Entry:
        if one.output not in written:
            others = [] if one.stage else [output for output in missing if output != one.output]
            written.update(write_pieces(_pieces(one, [one.output, *others], modal, store), one.count, scratch))
        return _entry(one, written.pop(one.output), modal)

    with store.lock(key), store.scratch(key) as scratch:  # one pass at a time
        return {one.key: store.get(one.ingredients, partial(encode, one, scratch)) for one in many}


def _pieces(
    one: Features, outputs: Sequence[str | None], modal: Modal, store: Store
) -> Iterator[dict[str | None, Block]]:
    if one.stage is not None:
        return _staged_pieces(one, one.stage, modal, store)
    return fitted_encoder(one, modal).pieces(_samples(one, modal), outputs)


def fitted_encoder(one: Features, modal: Modal) -> Encoder:
    """The encoder of some features, fitted on its training samples where it learns from samples."""
    if one.train is not None:
        training = _samples(one, modal, modal.index[_present(modal, one.train)])
        if one.targets is None:
            one.encoder.fit(training)
        else:
            one.encoder.fit_supervised(training, one.targets)
    return one.encoder


def _staged_pieces(
    one: Features, stage: Features, modal: Modal, store: Store
) -> Iterator[dict[str | None, Block]]:
    """What an encoder learns from the stored features of its frozen stage and makes of them."""
    features = stage.load(store, np.arange(one.count))
    if features is None or one.train is None:
        raise FileNotFoundError(f"features of {stage.component.label} were removed while they were needed; run again")
    rows = modal.index[one.train]
    one.encoder.fit_features(features.take(rows[rows >= 0]), one.targets)
    at_once = max(one.count, 1) if features.is_sparse else PIECE  # only dense blocks come in several pieces
    for start in range(0, max(one.count, 1), at_once):
        piece = features.take(np.arange(start, min(start + at_once, one.count)))
        yield {one.output: one.encoder.transform_features(piece)}


def _entry(one: Features, arrays: Mapping[str, Any], modal: Modal) -> Entry:
    values = arrays["values"] if sparse.issparse(arrays["values"]) else None
    return Entry(arrays, {"label": one.component.label, "class": one.work, "work": one.count,
                          "counts": one.encoder.counts(_samples(one, modal), values)})


def _samples(one: Features, modal: Modal, positions: Rows | None = None) -> Sequence[Any]:
    """The distinct samples, or those at some positions; pictures are read when they are asked for."""
    samples, digests = modal.samples, modal.digests
    if positions is not None:
        samples, digests = [samples[place] for place in positions], tuple(digests[place] for place in positions)
    return Pictures(samples, digests) if one.modality == "image" else samples


def _present(modal: Modal, rows: Rows) -> Rows:
    """Those of the rows that have a sample."""
    return rows[modal.index[rows] >= 0]


Describe: TypeAlias = Callable[[Encoder], dict[str, Any]]


def request(
    dataset: Dataset, modality: Modality, component: Component, form: Form, train: Rows, seed: int,
    describe: Describe | None = None,
) -> Features:
    """The features a model needs when it is trained on the rows `train`; `describe` stands for `describe_encoder`."""
    encoder = build_encoder(modality, component, form, seed)
    return _request(encoder, modality, component, dataset, train, describe or describe_encoder)


def _request(
    encoder: Encoder, modality: Modality, component: Component, dataset: Dataset, train: Rows, describe: Describe
) -> Features:
    modal = dataset.views[modality]
    targets = _targets(dataset, _present(modal, train)) if encoder.supervised else None
    ingredients = {
        "kind": "features",
        "samples": _samples_digest(modal.digests),
        "encoder": describe(encoder),
        "train": _training_digest(modal, train, targets) if encoder.learns else None,
        **versions_of("encode"),
    }
    frozen = encoder.frozen_stage()
    stage = None if frozen is None else _request(frozen, modality, component, dataset, train, describe)
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


def plain_parameters(estimator: Any) -> dict[str, Any]:
    """The estimator's own parameters as JSON values, paths left out."""
    return {name: _plain(value) for name, value in estimator.get_params(deep=False).items()
            if not isinstance(value, os.PathLike)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, BaseModel):
        return _plain(value.model_dump())
    if hasattr(value, "get_params"):
        return {"class": type(value).__name__, "version": getattr(value, "version", None),
                "parameters": plain_parameters(value)}
    return value


@cache
def _samples_digest(digests: tuple[str, ...]) -> str:
    return key_of({"digests": digests})


def _training_digest(modal: Modal, train: Rows, targets: Targets | None) -> str:
    """Digest of the training samples, in order and with repetitions, and of what a supervised encoder is told."""
    told: dict[str, Any] = {} if targets is None else {
        "labels": targets.labels.tolist(), "groups": None if targets.groups is None else targets.groups.tolist()}
    return key_of({"digests": [modal.digests[place] for place in modal.index[_present(modal, train)]], **told})


def _targets(dataset: Dataset, rows: Rows) -> Targets:
    """Labels and groups of the rows, numbered among these rows: what other rows have makes no difference."""
    return Targets(np.unique(dataset.labels[rows], return_inverse=True)[1], numbered_groups(dataset, rows))


def numbered_groups(dataset: Dataset, rows: Rows) -> Rows | None:
    """The groups of some rows, numbered among these; None where there are none."""
    return None if dataset.groups is None else np.unique(dataset.groups[rows], return_inverse=True)[1]
