"""Objects under an address such as s3://bucket/prefix, and what is said where they fail."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from features.machine.extras import lacking, not_installed
from features.machine.home import expanded
from pipeline.store.manifest import Damaged

CHUNK = 8 * 2**20  # bytes of a request, for what is larger
REQUESTS = 4  # that one file is read or written by at once
PARTS = 9000  # of an upload; S3 allows 10,000
CLIENT = {
    "allow_http": True,  # only where the endpoint that was named says http://
    "connect_timeout": "5s",
    "timeout": "60s",  # of one request, CHUNK bytes at most; REQUESTS share the line
}
# an endpoint that does not answer is said after half a minute at most
RETRIES = {
    "max_retries": 6,
    "retry_timeout": timedelta(seconds=20),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=4),
        "base": 2,
    },
}
VARIABLES = {
    "s3": "AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_SERVICE_ACCOUNT or GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}


class Listed(NamedTuple):
    """An object: its path below the address, its bytes, and when it was written (s since 1970)."""

    path: str
    bytes: int
    written: float


class Bucket:
    """Objects by path, below an address that `obstore.store.from_url` understands.

    All methods raise FileNotFoundError where an object is not there, and OSError, in one sentence,
    where the objects cannot be reached or written.

    Parameters
    ----------
    address : such as s3://bucket/prefix; credentials come from the environment.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._objects = self._opened()

    def _opened(self) -> Any:
        missing = not_installed(["obstore"])
        if missing:
            raise OSError(lacking(f"the store {self.address}", missing))
        from obstore.store import from_url

        options: dict[str, Any] = {"client_options": CLIENT, "retry_config": RETRIES}
        if self.address.startswith("file:"):
            options = {"mkdir": True}
        with self._said():
            return from_url(self.address, **options)

    @contextmanager
    def _said(self, *, writing: bool = False) -> Iterator[None]:
        """Errors of the library as errors of the system, in one sentence."""
        from obstore.exceptions import AlreadyExistsError, BaseError

        try:
            yield
        except AlreadyExistsError:
            raise
        # NotImplementedError: a server that can write files, but not make sure that it is the first
        except (BaseError, ValueError, FileNotFoundError, NotImplementedError) as error:
            if isinstance(error, FileNotFoundError) and not writing:
                raise FileNotFoundError(f"{self.address}: {_reason(error)}") from error
            # nothing need be there to be written over: the bucket itself is missing
            raise OSError(
                f"{self.address} cannot be used ({_reason(error)}){self._advice()}"
            ) from error

    def _advice(self) -> str:
        variables = VARIABLES.get(self.address[:2])
        if variables is None:
            return ""
        return f": is the address right, and are {variables} set as they should be?"

    def read(self, path: str) -> bytes:
        """The content of a small object."""
        import obstore

        with self._said():
            return bytes(obstore.get(self._objects, path).bytes())

    def about(self, path: str) -> Listed:
        """Size and time of an object."""
        import obstore

        with self._said():
            return _listed(obstore.head(self._objects, path))

    def listed(self, prefix: str) -> Iterator[Listed]:
        """Objects in a folder and its folders."""
        import obstore

        with self._said():
            for objects in obstore.list(self._objects, prefix, chunk_size=1000):
                yield from map(_listed, objects)

    def fetch(self, path: str, size: int, file: Path) -> None:
        """Write an object of `size` bytes to a file; of a large one, some pieces at once.

        Raises
        ------
        Damaged
            Where it has another size.
        """
        actual = self.about(path).bytes
        if actual != size:
            raise Damaged(f"{file.name} has {actual} bytes instead of {size}")
        file.touch()
        threads = ThreadPoolExecutor(REQUESTS)
        try:
            pieces = [
                threads.submit(self._fetch_piece, path, start, min(start + CHUNK, size), file)
                for start in range(0, size, CHUNK)
            ]
            for piece in pieces:
                piece.result()
        finally:
            threads.shutdown(cancel_futures=True)

    def _fetch_piece(self, path: str, start: int, end: int, file: Path) -> None:
        import obstore

        with self._said():
            content = obstore.get_range(self._objects, path, start=start, end=end)
        with file.open("r+b") as output:
            output.seek(start)
            output.write(content)

    def put(self, path: str, content: bytes | Path) -> None:
        """Write an object, or a file as one; over what is there."""
        import obstore

        size = content.stat().st_size if isinstance(content, Path) else len(content)
        with self._said(writing=True):
            obstore.put(
                self._objects,
                path,
                content,
                use_multipart=size > CHUNK,
                chunk_size=max(CHUNK, size // PARTS),
                max_concurrency=REQUESTS,
            )

    def create(self, path: str, content: bytes) -> bool:
        """Write an object that is not there yet; whether it was this call that did.

        Parameters
        ----------
        content : that no other call writes: a request that was sent again because its answer was
            lost is told by it.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError

        try:
            with self._said(writing=True):
                obstore.put(self._objects, path, content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            with suppress(FileNotFoundError):
                return self.read(path) == content
            return False
        return True

    def delete(self, path: str) -> None:
        """Remove an object, where it is there."""
        import obstore

        with suppress(FileNotFoundError), self._said():
            obstore.delete(self._objects, path)


def _reason(error: Exception) -> str:
    """The first line of a message, without the server's XML."""
    line = str(error).partition("\n")[0]
    return " ".join(line.partition(": <?xml")[0].split())


def _listed(about: Any) -> Listed:
    return Listed(about["path"], int(about["size"]), about["last_modified"].timestamp())


def cache_folder(address: str) -> Path:
    """Where the local copies of an address lie: below MODALGRID_CACHE, or the user's cache."""
    name = hashlib.sha256(address.encode()).hexdigest()[:16]
    root = os.environ.get("MODALGRID_CACHE") or "~/.cache/modalgrid/stores"
    return expanded(root) / name
