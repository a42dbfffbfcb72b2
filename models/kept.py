"""Results that were computed last, in memory, by the content that decides them.

Cells of a fold share much of their work.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import scipy
from numpy.typing import NDArray

Result = TypeVar("Result")
Arrays = tuple[NDArray[Any], ...]

MOST_BYTES = 2**29  # in each process


class RecentResults:
    """Results by the digest of everything that decides them, those used last at most.

    Content decides, never where it lies in memory: what a process did before saves time and changes
    no result.

    Parameters
    ----------
    most : bytes kept. A result larger than that is kept until the next one.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self.most = most
        self._results: OrderedDict[bytes, tuple[Any, int]] = OrderedDict()

    def get(
        self,
        decided_by: Sequence[Any],
        compute: Callable[[], Result],
        size: Callable[[Result], int],
    ) -> Result:
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
        if key not in self._results:
            computed = compute()
            self._results[key] = computed, size(computed)
        self._results.move_to_end(key)
        while len(self._results) > 1 and self.bytes > self.most:
            self._results.popitem(last=False)
        result: Result = self._results[key][0]
        return result

    def arrays(self, decided_by: Sequence[Any], compute: Callable[[], Arrays]) -> Arrays:
        """As `get`, for arrays, which nobody may change any more."""
        return self.get(
            decided_by,
            lambda: tuple(map(_frozen, compute())),
            lambda arrays: sum(array.nbytes for array in arrays),
        )

    @property
    def bytes(self) -> int:
        """Bytes of all that is kept."""
        return sum(size for _, size in self._results.values())

    def __len__(self) -> int:
        return len(self._results)

    def clear(self) -> None:
        """Forget everything."""
        self._results.clear()


RECENT = RecentResults()  # of this process


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _digest(parts: Iterable[Any]) -> bytes:
    digest = hashlib.sha256()
    for piece in _pieces(parts):
        if isinstance(piece, np.ndarray):
            if piece.dtype.hasobject:
                raise TypeError(
                    "an array of Python objects has no content to tell it by: use its codes"
                )
            # The order in memory too: products of equal numbers may be rounded differently.
            digest.update(repr((piece.dtype.str, piece.shape, piece.flags.c_contiguous)).encode())
            digest.update(np.ascontiguousarray(piece).data)
        else:
            digest.update(repr(piece).encode() + b"\n")
    return digest.digest()


def _pieces(parts: Iterable[Any]) -> Iterator[Any]:
    for part in parts:
        if scipy.sparse.issparse(part):
            yield from ("csr", part.shape, part.data, part.indices, part.indptr)
        else:
            yield part
