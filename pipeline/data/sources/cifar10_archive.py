"""The files of CIFAR-10's official python version: found, fetched, checked and read."""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from features.machine.home import expanded
from pipeline.data.samples import SourceError
from pipeline.data.sources.problems import check_installed

ARCHIVE, FOLDER, META = "cifar-10-python.tar.gz", "cifar-10-batches-py", "batches.meta"
CACHE = Path("~/.cache/modalgrid/cifar10")
# The published files' md5 (those that torchvision checks too): nothing else is ever unpickled.
MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    META: "5ff9c542aee3614f3951f8cda6e48888",
}
Batch = Mapping[str, Any]


def archive_in(folder: Path, path: str | None, download: bool) -> Path:
    """Find the archive, or the folder of the batches; see `pipeline.data.sources.cifar10.Cifar10`.

    Raises
    ------
    SourceError
        Where there is neither, or a download fails.
    """
    directory = folder / expanded(path or CACHE)
    for candidate in (directory / FOLDER, directory / ARCHIVE, directory):
        if candidate.is_file() or (candidate / META).is_file():
            return candidate
    if download:
        return _downloaded(directory)
    raise SourceError(
        [
            f"path: there is no {ARCHIVE} and no {FOLDER} in {directory}; put it there, name its "
            "place with path, or set download: true where there is a network"
        ]
    )


def _downloaded(directory: Path) -> Path:
    check_installed("cifar10 with download: true", ["torchvision"])
    from torchvision.datasets import CIFAR10  # slow, and only for a download

    try:
        CIFAR10(root=str(directory), download=True)
    except (OSError, RuntimeError) as error:  # no network, or a broken download
        raise SourceError(
            [f"download: {CIFAR10.url} could not be fetched into {directory}: {error}"]
        ) from error
    return directory / FOLDER


def read_batches(archive: Path, part: str) -> dict[str, Batch]:
    """Read the batches of one part, or of all, and META, in the order of MD5.

    Raises
    ------
    SourceError
        With every file that is missing or not the published one.
    """
    start = {"train": "data_", "test": "test_", "all": ""}[part]
    names = [name for name in MD5 if name == META or name.startswith(start)]
    contents = (_from_archive if archive.is_file() else _from_folder)(archive, names)
    problems = [
        f"{archive} has no file {name}; CIFAR-10's python version has it"
        for name in names
        if name not in contents
    ]
    problems += [
        f"{archive}: {name} is not the published file, whose md5 is {MD5[name]}; fetch it again"
        for name, content in contents.items()
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != MD5[name]
    ]
    if problems:
        raise SourceError(problems)
    files = {name: io.BytesIO(contents[name]) for name in names}
    return {name: BatchUnpickler(file, encoding="latin1").load() for name, file in files.items()}


def _from_folder(folder: Path, names: Sequence[str]) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}


def _from_archive(file: Path, names: Sequence[str]) -> dict[str, bytes]:
    contents = {}
    try:
        with tarfile.open(file) as archive:
            for member in archive:
                name = member.name.removeprefix(f"{FOLDER}/")
                stream = archive.extractfile(member) if name in names else None
                if stream is not None:
                    contents[name] = stream.read()
    except (OSError, tarfile.TarError, EOFError) as error:
        raise SourceError([f"{file} cannot be read as {ARCHIVE}: {error}"]) from error
    return contents


class BatchUnpickler(pickle.Unpickler):
    """Reads dicts, lists, numbers, text and numpy arrays, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Allow the three names that an array's pickle needs, as numpy 1 called them."""
        allowed = {
            # numpy offers its own unpickling function by no public name but this.
            ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(
                f"a batch may hold arrays and plain values, not {module}.{name}"
            )
        return allowed[module, name]
