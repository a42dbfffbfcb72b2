"""Every distinct picture is decoded once before any encoding; the store has what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from features.machine.threads import ordered
from features.pictures import decoding
from pipeline.data.samples import Picture
from pipeline.store.manifest import Entry
from pipeline.store.store import Store

Sizes = NDArray[np.int64]
VERSION = 1


def check_pictures(
    pictures: Mapping[str, Picture], store: Store
) -> tuple[dict[str, tuple[int, int]], dict[str, str]]:
    """Width and height in pixels of readable pictures, and why the others are not, by digest."""
    digests = sorted(pictures)
    ingredients = {
        "kind": "pictures",
        "check": VERSION,
        "pillow": version("pillow"),
        "digests": digests,
    }

    def compute() -> Entry:
        checked = list(ordered(lambda digest: _check(pictures[digest]), digests))
        sizes = np.array([size for size, _ in checked], dtype=np.int64).reshape(-1, 2)
        reasons = zip(digests, (reason for _, reason in checked), strict=True)
        errors = {digest: reason for digest, reason in reasons if reason}
        return Entry(
            {"sizes": sizes}, {"errors": errors, "label": f"{len(digests)} pictures checked"}
        )

    entry = store.get(ingredients, compute)
    errors = dict(entry.facts["errors"])
    sizes = {digest: (int(size[0]), int(size[1]))
             for digest, size in zip(digests, np.asarray(entry.arrays["sizes"]), strict=True)}
    return {digest: size for digest, size in sizes.items() if digest not in errors}, errors


def _check(picture: Picture) -> tuple[tuple[int, int], str]:
    try:
        return decoding.check(picture.read()), ""
    except decoding.UnreadablePicture as error:  # any other error may pass, so it must not be kept
        return (0, 0), str(error)
