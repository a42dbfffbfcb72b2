"""Locks made of objects that can only be created once.

A lock is the object `locks/KEY/GENERATION`, held by whoever created the highest generation. The
holder writes a new count into it every HEARTBEAT seconds. Who waits and sees the same content for
EXPIRES seconds, by a clock of its own, creates the next generation: of several, one succeeds. No
clocks of two machines are compared, and nothing but "create unless it is there" is asked of the
bucket.

A holder that was only slow (or computed for so long without letting its heartbeat's thread run)
goes on beside its successor: work is then done twice, and the entry is that of whoever creates its
manifest first. Nothing breaks by it.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pipeline.store.objects.bucket import Bucket

HEARTBEAT, EXPIRES = 5.0, 30.0  # seconds
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0  # seconds between two looks at a lock that others hold


@contextmanager
def held(bucket: Bucket, key: str, *, wait: bool = True) -> Iterator[bool]:
    """Hold a key; whether it is held, which only without `wait` it may not be.

    Raises
    ------
    OSError
        Where the bucket cannot be reached.
    """
    lease = _waited_for(bucket, key) if wait else _free(bucket, key)
    if lease is None:
        yield False
        return
    lease.keep_alive()
    try:
        yield True
    finally:
        lease.release()


def _waited_for(bucket: Bucket, key: str) -> _Lease:
    """A lease on a key, once nobody else has a live one."""
    watch, pause = _Watch(bucket), FIRST_PAUSE
    while True:
        generations = _generations(bucket, key)
        highest = generations[-1] if generations else 0
        if not generations or watch.is_silent(_path(key, highest)):
            lease = _Lease(bucket, key, highest + 1)
            if lease.take():
                return lease
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _free(bucket: Bucket, key: str) -> _Lease | None:
    """A lease on a key, where nobody else has one now."""
    if _generations(bucket, key):
        return None
    lease = _Lease(bucket, key, 1)
    return lease if lease.take() else None


def _generations(bucket: Bucket, key: str) -> list[int]:
    return sorted(int(listed.path.rpartition("/")[2]) for listed in bucket.listed(f"locks/{key}"))


def _path(key: str, generation: int) -> str:
    return f"locks/{key}/{generation:010d}"


class _Watch:
    """How long the highest generation of a lock has said the same."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._seen: tuple[str, bytes] | None = None
        self._since = 0.0

    def is_silent(self, path: str) -> bool:
        """Look at a lock; whether its holder has been silent for EXPIRES seconds."""
        try:
            seen = path, self._bucket.read(path)
        except FileNotFoundError:  # released since it was listed
            return False
        now = time.monotonic()
        if seen != self._seen:
            self._seen, self._since = seen, now
        return now - self._since >= EXPIRES


class _Lease:
    """A generation of a lock, and the thread that keeps it alive."""

    def __init__(self, bucket: Bucket, key: str, generation: int) -> None:
        self._bucket, self._key, self._generation = bucket, key, generation
        self._path = _path(key, generation)
        self._holder, self._count = uuid.uuid4().hex, 0
        self._is_lost = False
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lock {key[:12]}", daemon=True)

    def _content(self) -> bytes:
        return f"{self._holder} {self._count}".encode()

    def take(self) -> bool:
        """Try to become the holder."""
        return self._bucket.create(self._path, self._content())

    def keep_alive(self) -> None:
        """Show every HEARTBEAT seconds that the holder lives, until it is released."""
        self._thread.start()

    def _beat(self) -> None:
        while not self._released.wait(HEARTBEAT):
            try:
                if self._is_taken_over():
                    self._is_lost = True
                    return
                self._count += 1
                self._bucket.put(self._path, self._content())
            except OSError:  # the network may be back at the next beat
                continue

    def _is_taken_over(self) -> bool:
        """Whether the holder was silent for so long that others took its lock, and are done."""
        try:
            return not self._bucket.read(self._path).startswith(self._holder.encode())
        except FileNotFoundError:
            return True

    def release(self) -> None:
        """Let others go on. Where the bucket cannot be reached, the lock expires."""
        self._released.set()
        self._thread.join()
        if self._is_lost:
            return
        with suppress(OSError):
            # older ones first: were this the first to go, an expired one would seem to be held
            for generation in self._older():
                self._bucket.delete(_path(self._key, generation))
            self._bucket.delete(self._path)

    def _older(self) -> list[int]:
        if self._generation == 1:
            return []
        return [
            generation
            for generation in _generations(self._bucket, self._key)
            if generation < self._generation
        ]
