"""The files of stored arrays, checked against what their manifest says of them."""

from __future__ import annotations

from pathlib import Path

from pipeline.store import files
from pipeline.store.array_file import Array, read_array, write_array
from pipeline.store.manifest import Damaged, StoredFile


class VerifiedFiles:
    """Reads arrays from files, each of which is verified once, and again when it has changed."""

    def __init__(self) -> None:
        self._verified: dict[Path, tuple[int, int, int]] = {}

    def read(self, folder: Path, about: StoredFile) -> Array:
        """The array in a file of `folder`.

        Raises
        ------
        Damaged
            Where the file is missing, or is not what its manifest says.
        """
        path = folder / about["file"]
        try:
            self.verify(path, about)
            array = read_array(path, about["shape"])
        except OSError as error:  # also an entry that another process replaces or removes just now
            raise Damaged(f"{path.name} cannot be read: {error}") from error
        # checksums are right, and still it may be anything
        except (ValueError, TypeError, EOFError, SyntaxError) as error:
            raise Damaged(f"{path.name} holds no array that is read: {error}") from error
        if list(array.shape) != about["shape"] or str(array.dtype) != about["dtype"]:
            raise Damaged(
                f"{path.name} holds {array.dtype} {array.shape}, not what its manifest says"
            )
        return array

    def verify(self, path: Path, about: StoredFile) -> None:
        """Compare a file's size and checksum. Raises Damaged, and OSError where it is not there."""
        status = path.stat()
        seen = (status.st_size, status.st_mtime_ns, status.st_ino)
        if self._verified.get(path) == seen:
            return
        if status.st_size != about["bytes"]:
            raise Damaged(f"{path.name} has {status.st_size} bytes instead of {about['bytes']}")
        if files.sha256(path) != about["sha256"]:
            raise Damaged(f"the checksum of {path.name} is wrong")
        self._verified[path] = seen

    def moved(self, source: Path, target: Path) -> None:
        """Note that a verified file was moved: it need not be read once more for its checksum."""
        self._verified[target] = self._verified.pop(source)


def written(folder: Path, name: str, array: Array | Path) -> StoredFile:
    """Put an array into a file of `folder`; what a manifest says of it."""
    path, shape, dtype = write_array(folder, name, array)
    return {"file": path.name, "shape": list(shape), "dtype": dtype,
            "bytes": path.stat().st_size, "sha256": files.sha256(path)}
