"""CSR matrices from `.npz` files that anybody may have written."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import scipy

MEMBERS = ("data", "indices", "indptr", "shape", "format")


def read_csr(path: Path) -> scipy.sparse.csr_matrix:
    """The matrix (n, d) that `scipy.sparse.save_npz` wrote, uncompressed.

    SciPy's own code reads and writes memory wherever the indices point: each is checked here.

    Raises
    ------
    ValueError
        For a file of anything else, and for indices out of bounds.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                raise ValueError("it is compressed")
        with np.load(path, allow_pickle=False) as arrays:
            data, indices, ends, shape, form = (arrays[name] for name in MEMBERS)
    except (zipfile.BadZipFile, KeyError, EOFError, TypeError, NotImplementedError) as error:
        raise ValueError(f"it is no CSR matrix: {error}") from error
    _check(data, indices, ends, shape, form)
    rows, columns = map(int, shape)
    matrix = scipy.sparse.csr_matrix((data, indices, ends), shape=(rows, columns))
    matrix.check_format(full_check=True)
    return matrix


def _check(data: Any, indices: Any, ends: Any, shape: Any, form: Any) -> None:
    """Kinds and sizes of the arrays; SciPy checks the rest of what they say."""
    if form.shape != () or form.item() not in (b"csr", "csr"):
        raise ValueError("it is no CSR matrix")
    if shape.shape != (2,) or shape.dtype.kind not in "iu" or (shape < 0).any():
        raise ValueError(f"its shape is {shape.tolist() if shape.size < 9 else shape.shape}")
    for array, kinds in ((data, "biuf"), (indices, "i"), (ends, "i")):
        if array.ndim != 1 or array.dtype.kind not in kinds:
            raise ValueError(f"it holds {array.dtype} {array.shape}")
    if len(ends) != int(shape[0]) + 1:
        raise ValueError(f"it has {len(ends)} ends of {int(shape[0])} rows")
