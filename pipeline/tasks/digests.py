"""Digests of rows, samples, groups and parameters, for keys."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel

from features.block import Modality
from features.estimator import Estimator
from features.machine.identity import versions
from features.machine.precision import trained_on
from models.course import TrainsNetwork
from models.fusion import Fusion, TakesClassifier
from models.groups import UsesGroups
from pipeline.config.plugins.active import code_of, code_of_part
from pipeline.data.dataset import Dataset
from pipeline.data.rows import Rows
from pipeline.folds.fold import Fold
from pipeline.store.keys import key_of

# Packages whose releases may change what any fitted model predicts.
VERSIONS = versions("numpy", "scipy", "scikit-learn")


def further_versions(estimator: Estimator) -> dict[str, str]:
    """The version of torch, where it computes in a model; the base install does without."""
    return versions("torch") if "torch" in estimator.all_required() else {}


def plain_parameters(estimator: Estimator) -> dict[str, Any]:
    """The estimator's own parameters as JSON values, paths left out."""
    return {name: _plain(value) for name, value in estimator.get_params(deep=False).items()
            if not isinstance(value, os.PathLike)}


def model_ingredients(estimator: Estimator) -> dict[str, Any]:
    """What a key says of a model: its class, version and parameters."""
    return {
        "class": type(estimator).__name__,
        "version": getattr(estimator, "version", None),
        **plugin_ingredients(type(estimator)),
        "parameters": {
            name: value
            for name, value in plain_parameters(estimator).items()
            if value or name not in getattr(estimator, "later", ())
        },
        **(trained_on() if isinstance(estimator, TrainsNetwork) and estimator.gpu_pays else {}),
    }


def plugin_ingredients(cls: type) -> dict[str, str]:
    """What a key says of a plugin's class beyond that: its module, and the digest of its source."""
    code = code_of(cls)
    return {} if code is None else {"module": cls.__module__, "code": code}


def metric_ingredients(name: str, version: int) -> list[str | int]:
    """What a key says of the metric that a choice is made by."""
    code = code_of_part("metrics", name)
    return [name, version] if code is None else [name, version, code]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, BaseModel):
        return _plain(value.model_dump())
    if isinstance(value, Estimator):
        return model_ingredients(value)
    return value


def numbered_groups(groups: Rows | None, rows: Rows) -> Rows | None:
    """The groups of some rows, numbered among these; None where there are none."""
    return None if groups is None else np.unique(groups[rows], return_inverse=True)[1]


def rows_digest(dataset: Dataset, fold: Fold, modalities: tuple[Modality, ...]) -> str:
    """Digest of the samples and classes of the fold's rows, in order, and of its inner folds."""
    rows = np.concatenate([fold.train, fold.test])
    return key_of({
        "classes": dataset.classes,
        "train": len(fold.train),
        "labels": dataset.labels[rows].tolist(),
        "samples": {modality: _sample_digests(dataset, modality, rows) for modality in modalities},
        "inner": [
            [np.searchsorted(fold.train, part).tolist() for part in split] for split in fold.inner
        ],
    })


def uses_groups(estimator: Fusion) -> bool:
    """Whether the fusion or its classifier learns from groups."""
    return isinstance(estimator, UsesGroups) or (
        isinstance(estimator, TakesClassifier) and isinstance(estimator.classifier, UsesGroups)
    )


def unlabelled_digest(dataset: Dataset, fold: Fold, modalities: Sequence[Modality]) -> str:
    """Digest of the samples that each split learns from without a label, and of their groups."""
    return key_of({"splits": [{
        "samples": {modality: _sample_digests(dataset, modality, rows) for modality in modalities},
        "groups": _listed_groups(dataset, np.concatenate([train, rows])),
    } for train, _, rows in fold.splits()]})


def class_texts_digest(dataset: Dataset, modalities: Sequence[Modality]) -> str:
    """Digest of the classes' texts, in order, and that there are some, where a model uses none."""
    assert dataset.class_texts is not None
    digests = dataset.modalities["text"].digests if "text" in modalities else ()
    return key_of(
        {
            "texts": [
                [dataset.classes[code], digests[position]]
                for code, position in zip(
                    dataset.class_texts.classes, dataset.class_texts.positions, strict=True
                )
            ]
            if digests
            else []
        }
    )


def groups_digest(dataset: Dataset, fold: Fold) -> str | None:
    """Digest of which training rows belong together."""
    groups = _listed_groups(dataset, fold.train)
    return None if groups is None else key_of({"groups": groups})


def _listed_groups(dataset: Dataset, rows: Rows) -> list[int] | None:
    groups = numbered_groups(dataset.groups, rows)
    return None if groups is None else list(groups.tolist())


def _sample_digests(dataset: Dataset, modality: Modality, rows: Rows) -> list[str | None]:
    modal = dataset.modalities[modality]
    positions = modal.index[rows].tolist()
    return [modal.digests[position] if position >= 0 else None for position in positions]
