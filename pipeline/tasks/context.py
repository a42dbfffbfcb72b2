"""What every fit needs of the data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from features.block import Modality
from pipeline.data.dataset import ClassTextIndex, Dataset
from pipeline.data.rows import Rows
from pipeline.store.store import Store


@dataclass(frozen=True, eq=False)
class Context:
    """What every fit needs of the data set, small enough to be sent to workers.

    Parameters
    ----------
    labels : (n,) codes; `classes` is their number K.
    index : for each modality, the distinct sample of each row.
    groups : (n,) codes of the groups that never straddle folds, where there are any.
    described : the classes' texts, where classes are held out.
    """

    labels: Rows
    classes: int
    index: Mapping[Modality, Rows]
    groups: Rows | None
    tuning_metric: str
    store: Path
    described: ClassTextIndex | None = None


def context_of(dataset: Dataset, tuning_metric: str, store: Store) -> Context:
    """The context of a data set."""
    index = {modality: modal.index for modality, modal in dataset.modalities.items()}
    return Context(
        dataset.labels,
        len(dataset.classes),
        index,
        dataset.groups,
        tuning_metric,
        store.root,
        dataset.class_texts,
    )


@cache
def store_at(root: Path) -> Store:
    """The store of a folder; one per process, so that a file is verified once and not for every fit."""
    return Store(root)
