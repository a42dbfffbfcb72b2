"""Columns of tables, as they lie in memory: made of lists, pyarrow would import pandas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def flat(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    """The values (n,) as they lie in memory.

    `pa.array` would import pandas to look whether they are of its kind.
    """
    return pa.Array.from_buffers(
        kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))]
    )


def whole_numbers(values: NDArray[Any]) -> pa.Array:
    """Values (n,) as int32."""
    return flat(values.astype(np.int32), pa.int32())


def strings(texts: Sequence[str]) -> pa.Array:
    """Texts as UTF-8."""
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(
        len(encoded), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))
    )


def named(codes: NDArray[Any], names: Sequence[str]) -> pa.Array:
    """Names by their positions (n,)."""
    return strings(names).take(whole_numbers(codes))
