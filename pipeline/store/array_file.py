"""Arrays as files: dense ones as `.npy`, mapped when read, written in pieces; CSR as `.npz`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import scipy
from numpy.typing import NDArray

from features.block import Block
from pipeline.store.checks.csr import read_csr
from pipeline.store.files import flush

Array: TypeAlias = "NDArray[Any] | scipy.sparse.csr_matrix"

MAPPED = 2**14  # numbers, from which on mapping a file takes no longer than reading it


def read_array(path: Path, shape: Sequence[int]) -> Array:
    """The array in a file, on disk where it is dense and large. Nothing is unpickled.

    Raises ValueError for a file of anything else.
    """
    if path.suffix == ".npz":
        return read_csr(path)
    if math.prod(shape) < MAPPED:
        with path.open("rb") as file:
            small: Array = np.lib.format.read_array(file, allow_pickle=False)
        small.flags.writeable = False  # as a mapped one
        return small
    mapped: Array = np.lib.format.open_memmap(path, mode="r")
    return mapped


def write_array(folder: Path, name: str, array: Array | Path) -> tuple[Path, tuple[int, ...], str]:
    """Put an array into `folder`, or move the file there that already holds it; flushed to disk.

    Returns
    -------
    path, shape, dtype
    """
    path = folder / f"{name}.{'npz' if scipy.sparse.issparse(array) else 'npy'}"
    if isinstance(array, Path):
        array.rename(path)
        moved: NDArray[Any] = np.load(path, mmap_mode="r")
        return path, moved.shape, str(moved.dtype)
    with path.open("wb") as file:
        if scipy.sparse.issparse(array):
            scipy.sparse.save_npz(file, scipy.sparse.csr_matrix(array), compressed=False)
        else:
            np.save(_Plain(file), array, allow_pickle=False)
        flush(file)
    return path, array.shape, str(array.dtype)


class _Plain:
    """A file that NumPy writes to as Python does.

    Into files that it knows NumPy writes by itself, and of a full disk then says only how much was
    written: who catches that cannot tell it from a fault of the work.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write


class GrowingArray:
    """An array (rows, ...) written to a `.npy` file piece by piece, never in memory as a whole.

    Plain writes, no memory map: the pages of a map count as the process's own until the system
    takes them back.

    Parameters
    ----------
    file : an empty file, open for writing.
    rows : rows of all pieces together.
    like : an array of the first piece, for the shape of a row and the dtype.
    """

    def __init__(self, file: BinaryIO, rows: int, like: NDArray[Any]) -> None:
        self._left, self._row, self._dtype = rows, like.shape[1:], like.dtype
        self._file = file
        header = {"descr": np.lib.format.dtype_to_descr(like.dtype), "fortran_order": False,
                  "shape": (rows, *self._row)}
        np.lib.format.write_array_header_1_0(self._file, header)

    def append(self, piece: NDArray[Any]) -> None:
        """Write the next rows. Raises ValueError for rows unlike the first, or too many."""
        if piece.shape[1:] != self._row or piece.dtype != self._dtype or len(piece) > self._left:
            raise ValueError(f"{piece.dtype} {piece.shape} does not continue {self._dtype} "
                             f"{self._row} with {self._left} rows left to write")
        self._file.write(np.ascontiguousarray(piece).data)
        self._left -= len(piece)

    def finish(self) -> Path:
        """The complete file, flushed. Raises ValueError where rows are missing."""
        if self._left:
            raise ValueError(f"{self._left} rows of {self._file.name} were never written")
        flush(self._file)
        return Path(self._file.name)


Output: TypeAlias = str | None


def block_arrays(block: Block) -> dict[str, NDArray[Any]]:
    """Arrays "values", and of sequences "mask", of a dense block."""
    arrays: dict[str, NDArray[Any]] = {"values": np.asarray(block.values)}
    return arrays if block.mask is None else {**arrays, "mask": block.mask}


def write_pieces(
    pieces: Iterable[Mapping[Output, Block]], rows: int, folder: Path
) -> dict[Output, dict[str, Array | Path]]:
    """Arrays "values" and "mask" of each output of an encoder, dense ones in files under `folder`.

    Parameters
    ----------
    pieces : blocks of consecutive samples, by output; see `features.encoder.Encoder.pieces`.
    rows : samples in all pieces together.
    """
    growing: dict[tuple[Output, str], GrowingArray] = {}
    whole: dict[Output, dict[str, Array | Path]] = {}
    with ExitStack() as files:
        for output, block in itertools.chain.from_iterable(piece.items() for piece in pieces):
            arrays = whole.setdefault(output, {})
            # never as large as pictures' features: only dense blocks come in several pieces
            if block.is_sparse:
                arrays["values"] = block.values
                continue
            for name, array in block_arrays(block).items():
                if (output, name) not in growing:
                    file = files.enter_context((folder / f"{output}.{name}.npy").open("wb"))
                    growing[output, name] = GrowingArray(file, rows, array)
                growing[output, name].append(array)
        for (output, name), array_file in growing.items():
            whole[output][name] = array_file.finish()
    return whole
