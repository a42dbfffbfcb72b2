"""Stores by their address."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pipeline.store.folder import FolderStore
from pipeline.store.store import Store

DEFAULT_STORE = str(Path("runs") / "store")


@cache
def store_at(address: str) -> Store:
    """The store of an address; one in a process, so that a file is verified once."""
    return FolderStore(Path(address))
