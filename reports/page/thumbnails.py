"""Thumbnails of the few rows a page shows, as data URIs within a bound."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from reports.record import RunRecord
from reports.retrieval_record import RetrievalRecord
from reports.wording import count

LARGEST = 40_000  # bytes; a JPEG of a thumbnail's size has some 4,000
TOTAL = 600_000  # so that a page stays below 1.5 MB: base64 takes a third more
_JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True)
class Shown:
    """What stands in a picture's place: its data URI, or the reason there is none."""

    uri: str | None
    note: str = ""


class Thumbnails:
    """Reads thumbnails through the record and keeps account of their bytes."""

    def __init__(self, record: RunRecord | RetrievalRecord) -> None:
        self._read = record.thumbnail
        self._left = TOTAL

    def __call__(self, row: int) -> Shown:
        """The picture of a row of the data set; whatever is wrong with it is told, never raised."""
        if self._read is None:
            return Shown(None, "no picture")
        try:
            data = self._read(row)
        except (OSError, ValueError) as error:
            return Shown(None, f"picture unreadable: {error}")
        if data is None:
            return Shown(None, "no picture")
        if not data.startswith(_JPEG) or len(data) > min(LARGEST, self._left):
            return Shown(
                None, f"picture of {count(len(data), 'byte')} left out, to keep this page small"
            )
        self._left -= len(data)
        return Shown(f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}")
