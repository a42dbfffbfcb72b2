"""What the arrays of models hold."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from features.block import FloatArray, IntArray

Rows: TypeAlias = IntArray  # positions (n,) among samples
Codes: TypeAlias = IntArray  # positions (n,) of the samples' classes among all classes, sorted
Labels: TypeAlias = NDArray[Any]  # the samples' classes (n,), by whatever names
Probabilities: TypeAlias = NDArray[np.float64]  # (n, K), rows summing to 1


def unit_rows(rows: NDArray[Any]) -> FloatArray:
    """Rows (n, k) of norm 1, so that products are cosines; zeros stay zeros."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1), dtype=np.float32)
