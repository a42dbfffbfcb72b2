"""Texts as arrays: their bytes one after the other, and where each ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

ENCODING = "utf-8", "surrogatepass"


def packed(texts: Sequence[str]) -> dict[str, NDArray[np.generic]]:
    """Arrays "bytes" uint8 and "ends" int64 of m texts."""
    encoded = [text.encode(*ENCODING) for text in texts]
    ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    return {"bytes": np.frombuffer(bytearray().join(encoded), dtype=np.uint8), "ends": ends}


class PackedTexts(Sequence[str]):
    """Texts that are decoded when they are asked for, from arrays that may lie on disk.

    Parameters
    ----------
    content, ends : see `packed`.
    positions : which of the texts, in this order.
    """

    def __init__(
        self,
        content: NDArray[np.uint8],
        ends: NDArray[np.int64],
        positions: NDArray[np.int64] | None = None,
    ) -> None:
        self._content, self._ends = content, ends
        self._positions = np.arange(len(ends)) if positions is None else positions

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, position: int) -> str: ...

    @overload
    def __getitem__(self, position: slice) -> list[str]: ...

    def __getitem__(self, position: int | slice) -> str | list[str]:
        if isinstance(position, slice):
            return [self._text(int(number)) for number in self._positions[position]]
        return self._text(int(self._positions[position]))

    def take(self, positions: NDArray[np.int64]) -> PackedTexts:
        """The texts at some positions."""
        return PackedTexts(self._content, self._ends, self._positions[positions])

    def _text(self, number: int) -> str:
        start = int(self._ends[number - 1]) if number else 0
        return self._content[start : int(self._ends[number])].tobytes().decode(*ENCODING)
