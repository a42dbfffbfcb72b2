"""What every fit needs of the data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.block import Modality
from pipeline.data.dataset import Dataset, Described
from pipeline.store.store import Store

Rows = NDArray[np.int64]
Probabilities = NDArray[np.float64]


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
    described: Described | None = None


def context_of(dataset: Dataset, tuning_metric: str, store: Store) -> Context:
    """The context of a data set."""
    index = {modality: modal.index for modality, modal in dataset.views.items()}
    return Context(
        dataset.labels,
        len(dataset.classes),
        index,
        dataset.groups,
        tuning_metric,
        store.root,
        dataset.described,
    )


@cache
def store_at(root: Path) -> Store:
    """The store of a folder; one per process, so that a file is verified once and not for every fit."""
    return Store(root)
