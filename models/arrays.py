"""What the arrays of models hold."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from features.block import IntArray

Rows: TypeAlias = IntArray  # positions (n,) among samples
Codes: TypeAlias = IntArray  # positions (n,) of the samples' classes among all classes, sorted
Labels: TypeAlias = NDArray[Any]  # the samples' classes (n,), by whatever names
Probabilities: TypeAlias = NDArray[np.float64]  # (n, K), rows summing to 1
