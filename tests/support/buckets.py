"""An S3 server on this machine, and stores in its buckets as several machines see them."""

from __future__ import annotations

import logging
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.store.folder import FolderStore
from pipeline.store.manifest import MANIFEST
from pipeline.store.objects.bucket import Bucket
from pipeline.store.objects.local_copies import LocalCopies
from pipeline.store.objects.object_store import ObjectStore
from pipeline.store.store import Store

Change = Callable[[bytes], bytes]


@contextmanager
def served() -> Iterator[str]:
    """An S3 server; its address."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # which names each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


def environment(endpoint: str, cache: Path) -> dict[str, str]:
    """What a process that uses the server is told by its environment."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "MODALGRID_CACHE": str(cache),
    }


def make_bucket(endpoint: str) -> str:
    """The name of a new bucket."""
    name = f"bucket-{uuid.uuid4().hex}"
    with urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{name}", method="PUT")):
        return name


@dataclass(frozen=True)
class InFolder:
    """A store in a folder, which a test opens again and again, and harms."""

    folder: Path

    @property
    def address(self) -> str:
        """What opens it in another process."""
        return str(self.folder / "store")

    def open(self, machine: str) -> Store:
        """The store as a process sees it that has read nothing of it yet."""
        return FolderStore(Path(self.address))

    def change(self, key: str, name: str, change: Change) -> None:
        """Change the manifest (by its name) or an array's file."""
        file = MANIFEST if name == "manifest" else f"{name}.npy"
        path = self.open("any").folder(key) / file
        path.write_bytes(change(path.read_bytes()))

    def remove(self, key: str, name: str) -> None:
        """Remove an array's file."""
        (self.open("any").folder(key) / f"{name}.npy").unlink()


@dataclass(frozen=True)
class InBucket:
    """A store in a bucket, which several machines open, and a test harms."""

    folder: Path
    address: str

    def open(self, machine: str) -> ObjectStore:
        """The store as a machine sees it, in a new process."""
        return ObjectStore(self.address, LocalCopies(self.folder / machine, 10**9))

    def path(self, key: str, name: str) -> str:
        """The path of the object that holds an array, or the manifest."""
        if name == "manifest":
            return f"manifests/{key[:2]}/{key}.json"
        listed = Bucket(self.address).listed(f"entries/{key[:2]}/{key}")
        (path,) = (path for path, _, _ in listed if path.endswith(f"-{name}.npy"))
        return path

    def change(self, key: str, name: str, change: Change) -> None:
        """Change the object of the manifest or of an array."""
        bucket, path = Bucket(self.address), self.path(key, name)
        bucket.put(path, change(bucket.read(path)))

    def remove(self, key: str, name: str) -> None:
        """Remove the object of an array."""
        Bucket(self.address).delete(self.path(key, name))
