"""Every distinct picture is decoded once before any encoding; the store has what came of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from features.block import Block
from features.machine.threads import ordered
from features.pictures import decoding
from pipeline.data.samples import Picture, reading_order
from pipeline.engine.progress import Tell, counted, step
from pipeline.store.sharded_rows import block_at
from pipeline.store.shards import LACKING, Shards
from pipeline.store.store import Store

Sizes = NDArray[np.int64]
VERSION = 3
AT_ONCE = 4096  # pictures whose sizes are kept together


def check_pictures(
    pictures: Mapping[str, Picture], store: Store
) -> tuple[dict[str, tuple[int, int]], dict[str, str]]:
    """Width and height in pixels of readable pictures, and why the others are not, by digest.

    What was readable is kept picture by picture: more pictures are checked by themselves. What was
    not is tried again each time, and so is a picture that was rewritten meanwhile.
    """
    checked = {"kind": "pictures", "check": VERSION, "pillow": version("pillow")}
    digests, shards = sorted(pictures), Shards(store, checked)
    errors: dict[str, str] = {}
    lacking = np.flatnonzero(shards.locate(digests).shard == LACKING)
    unknown = [digests[position] for position in lacking]
    order = reading_order([pictures[digest] for digest in unknown])
    with step("check pictures", len(order), "pictures") as tell:
        for start in range(0, len(order), AT_ONCE):
            part = [unknown[position] for position in order[start : start + AT_ONCE]]
            errors |= _checked(part, pictures, shards, tell, start)
    readable = [digest for digest in digests if digest not in errors]
    if not readable:
        return {}, errors
    sizes = np.asarray(block_at(store, shards.locate(readable)).values).astype(int).tolist()
    return {digest: tuple(size) for digest, size in zip(readable, sizes, strict=True)}, errors


def _checked(
    digests: Sequence[str],
    pictures: Mapping[str, Picture],
    shards: Shards,
    tell: Tell,
    before: int,
) -> dict[str, str]:
    """Keep the sizes of readable pictures; why the others are not, by digest.

    Parameters
    ----------
    before : how many were checked already.
    """
    begun = time.perf_counter()
    checks = ordered(lambda digest: _check(digest, pictures[digest]), digests)
    answers = list(counted(checks, tell, before))
    errors = {
        digest: reason for digest, (_, reason) in zip(digests, answers, strict=True) if reason
    }
    readable = [digest for digest in digests if digest not in errors]
    sizes = [size for size, reason in answers if not reason]
    if readable:
        block = Block.of(np.array(sizes, dtype=np.float32))
        shards.put(readable, block, time.perf_counter() - begun)
    return errors


def _check(digest: str, picture: Picture) -> tuple[tuple[int, int], str]:
    """Its size, and why it has none: what is read must still be what has the digest."""
    nothing = (0, 0)
    try:
        size, reason = _decoded(picture.read())
        if picture.digest() != digest:
            return nothing, "changed while it was checked; run again"
    except OSError as error:
        return nothing, error.strerror or str(error)
    return size, reason


def _decoded(content: bytes) -> tuple[tuple[int, int], str]:
    try:
        return decoding.check(content), ""
    except decoding.UnreadablePicture as error:  # any other error may pass, so it must not be kept
        return (0, 0), str(error)
