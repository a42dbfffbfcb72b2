"""What was worked out last, kept in memory by the content that decides it: cells of a fold share much of their work."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Found = TypeVar("Found")
Arrays = tuple[NDArray[Any], ...]

KEPT_BYTES = 2**29  # in each process


class Kept:
    """Results by the digest of everything that decides them, those used last at most.

    Content decides, never where it lies in memory: what a process did before saves time and changes
    no result.

    Parameters
    ----------
    most : bytes kept. A result larger than that is kept until the next one.
    """

    def __init__(self, most: int = KEPT_BYTES) -> None:
        self.most = most
        self._found: OrderedDict[bytes, tuple[Any, int]] = OrderedDict()

    def get(
        self, decided_by: Sequence[Any], compute: Callable[[], Found], size: Callable[[Found], int]
    ) -> Found:
        """The result of `compute`, or the kept one that was computed from the same.

        Parameters
        ----------
        decided_by : the name of the work, then all it depends on: arrays of numbers, dense or CSR,
            and plain values.
        size : bytes of a result.

        Raises
        ------
        TypeError
            For an array of Python objects, whose content is elsewhere.
        """
        key = _digest(decided_by)
        if key not in self._found:
            found = compute()
            self._found[key] = found, size(found)
        self._found.move_to_end(key)
        while len(self._found) > 1 and self.bytes > self.most:
            self._found.popitem(last=False)
        result: Found = self._found[key][0]
        return result

    def arrays(self, decided_by: Sequence[Any], compute: Callable[[], Arrays]) -> Arrays:
        """As `get`, for arrays, which nobody may change any more."""
        return self.get(decided_by, lambda: tuple(map(_frozen, compute())),
                        lambda found: sum(array.nbytes for array in found))

    @property
    def bytes(self) -> int:
        """Bytes of all that is kept."""
        return sum(size for _, size in self._found.values())

    def __len__(self) -> int:
        return len(self._found)

    def clear(self) -> None:
        """Forget everything."""
        self._found.clear()


KEPT = Kept()  # of this process


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _digest(parts: Iterable[Any]) -> bytes:
    found = hashlib.sha256()
    for piece in _pieces(parts):
        if isinstance(piece, np.ndarray):
            if piece.dtype.hasobject:
                raise TypeError(
                    "an array of Python objects has no content to tell it by: use its codes"
                )
            # The order in memory too: products of equal numbers may be rounded differently.
            found.update(repr((piece.dtype.str, piece.shape, piece.flags.c_contiguous)).encode())
            found.update(np.ascontiguousarray(piece).data)
        else:
            found.update(repr(piece).encode() + b"\n")
    return found.digest()


def _pieces(parts: Iterable[Any]) -> Iterator[Any]:
    for part in parts:
        if sparse.issparse(part):
            yield from ("csr", part.shape, part.data, part.indices, part.indptr)
        else:
            yield part
