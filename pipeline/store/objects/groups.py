"""Groups of entries: empty objects whose paths say all."""

from __future__ import annotations

from pipeline.store.objects.bucket import Bucket


class Groups:
    """Keys of entries by the groups that they belong to, as objects `groups/ab/GROUP/KEY`."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def note(self, group: str, key: str) -> None:
        """Note that an entry belongs to a group."""
        self._bucket.put(f"{_folder(group)}/{key}", b"")

    def noted(self, group: str) -> list[str]:
        """Keys of the entries of a group."""
        listed = self._bucket.listed(_folder(group))
        return sorted(path.rpartition("/")[2] for path, _, _ in listed)

    def all(self) -> dict[str, list[str]]:
        """Keys of the entries of every group."""
        keys: dict[str, list[str]] = {}
        for path, _, _ in self._bucket.listed("groups"):
            group, key = path.split("/")[-2:]
            keys.setdefault(group, []).append(key)
        return {group: sorted(keys[group]) for group in sorted(keys)}

    def forget(self, group: str, key: str) -> None:
        """Take back that an entry belongs to a group."""
        self._bucket.delete(f"{_folder(group)}/{key}")


def _folder(group: str) -> str:
    return f"groups/{group[:2]}/{group}"
