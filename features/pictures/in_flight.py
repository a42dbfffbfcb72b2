"""How many pixels may be decoded at once: memory goes by them, not by the number of threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Pixels in flight; each takes up to 19 bytes while transparency is laid on white, 6 in a JPEG file.
LIMIT = 2**27


class PixelBudget:
    """Lets pictures be decoded side by side as long as they have no more pixels than a limit.

    A picture that has more by itself is decoded alone.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._pixels = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Within, so many pixels are in flight; waits until there is room for them."""
        with self._changed:
            self._changed.wait_for(lambda: not self._pixels or self._pixels + pixels <= self.limit)
            self._pixels += pixels
        try:
            yield
        finally:
            with self._changed:
                self._pixels -= pixels
                self._changed.notify_all()


PIXELS = PixelBudget(LIMIT)
