"""Encoded pictures, read one by one when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from pipeline.data.rows import Rows
from pipeline.data.samples import Picture


class Pictures(Sequence[bytes]):
    """Encoded pictures, read one by one when asked for, so that they are never in memory together.

    Raises ValueError for one that is no longer what was checked: its features would be stored under
    the key of another picture.
    """

    def __init__(self, pictures: Sequence[Picture], digests: Sequence[str]) -> None:
        self._pictures, self._digests = pictures, digests

    def __len__(self) -> int:
        return len(self._pictures)

    @property
    def digests(self) -> Sequence[str]:
        """Sha256 of each, as it was checked."""
        return self._digests

    def take(self, positions: Rows) -> Pictures:
        """The pictures at some positions."""
        return Pictures(
            [self._pictures[position] for position in positions],
            [self._digests[position] for position in positions],
        )

    @overload
    def __getitem__(self, position: int) -> bytes: ...

    @overload
    def __getitem__(self, position: slice) -> Pictures: ...

    def __getitem__(self, position: int | slice) -> bytes | Pictures:
        if isinstance(position, slice):
            return Pictures(self._pictures[position], self._digests[position])
        picture = self._pictures[position]
        content = picture.read()
        if picture.digest() != self._digests[position]:
            raise ValueError(
                f"picture {picture.name} changed while the run was reading it; run again"
            )
        return content
