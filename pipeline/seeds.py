"""One seed in the grid; every component derives its own from it and from the component's name."""

from __future__ import annotations

import hashlib


def derive(seed: int, *names: object) -> int:
    """Seed in 0..2**32-1 for the component `names`, whatever the order of work and the machine."""
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
