"""Data sets without a source, for tests that only need rows."""

from __future__ import annotations

import numpy as np

from pipeline.data.dataset import Dataset, DistinctSamples


def dataset_of(labels, groups=None, split=None, index=None) -> Dataset:
    """A data set of rows whose texts are their numbers, with these labels (n,)."""
    n = len(labels)
    index = np.arange(n) if index is None else np.array(index)
    distinct = DistinctSamples(tuple(map(str, range(n))), list(map(str, range(n))), index)
    return Dataset(
        ids=tuple(map(str, range(n))),
        labels=np.array(labels),
        classes=tuple(map(str, sorted(set(labels)))),
        modalities={"text": distinct},
        texts=("x",) * n,
        groups=None if groups is None else np.array(groups),
        group_name=None if groups is None else "g",
        split=None if split is None else np.array(split),
        fingerprint="",
        sizes=np.zeros((0, 2), dtype=int),
    )
