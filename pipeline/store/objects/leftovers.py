"""What interrupted writers left in a bucket: arrays that no manifest names, and locks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from pipeline.store.manifest import Damaged, parsed
from pipeline.store.objects.bucket import Bucket

# Seconds by which a lock outlives its holder before it is cleared. The bucket's clock and the one
# here are compared for it, and may differ: waiters do without.
SILENCE = 3600.0


def leftovers(bucket: Bucket, now: float, age: float) -> Iterator[str]:
    """Paths of arrays without an entry that are older than `age` seconds, and of dead locks.

    Parameters
    ----------
    now : seconds since 1970.
    """
    by_key: dict[str, list[str]] = defaultdict(list)
    old: set[str] = set()
    for path, _, at in bucket.listed("entries"):
        by_key[path.split("/")[-2]].append(path)
        if now - at > age:
            old.add(path)
    whole = {path.rpartition("/")[2] for path, _, _ in bucket.listed("manifests")}
    for key, paths in by_key.items():
        candidates = [path for path in paths if path in old]
        if not candidates or (f"{key}.json" in whole and len(_writers(paths)) == 1):
            continue  # as nearly all: no manifest need be read
        named = _named(bucket, key)
        yield from (path for path in candidates if path.rpartition("/")[2] not in named)
    for path, _, at in bucket.listed("locks"):
        if now - at > SILENCE:
            yield path


def _writers(paths: list[str]) -> set[str]:
    """Who wrote the arrays of a key: an entry's were all written by the same."""
    return {path.rpartition("/")[2].partition("-")[0] for path in paths}


def _named(bucket: Bucket, key: str) -> set[str]:
    """Files of the entry of a key; of a damaged one, none."""
    try:
        manifest = parsed(bucket.read(f"manifests/{key[:2]}/{key}.json"))
    except (FileNotFoundError, Damaged):
        return set()
    return {about["file"] for about in manifest["files"].values()}
