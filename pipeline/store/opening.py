"""Stores by their address."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pipeline.store.folder import FolderStore
from pipeline.store.store import Store

DEFAULT_STORE = str(Path("runs") / "store")


@cache
def store_at(address: str) -> Store:
    """The store of an address; one in a process, so that a file is verified once.

    Parameters
    ----------
    address : a folder, or a bucket such as s3://bucket/prefix.

    Raises
    ------
    OSError
        Where an address of a bucket cannot be understood, or the library for it is not installed.
    """
    if "://" not in address:
        return FolderStore(Path(address))
    # an optional library, which a run on a folder need not have
    from pipeline.store.objects.object_store import ObjectStore

    return ObjectStore(address.rstrip("/"))
