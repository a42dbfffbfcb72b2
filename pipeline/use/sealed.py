"""Folders of ours with a sealed manifest: bundles and indexes, read or refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.store.manifest import is_sealed
from pipeline.use.problem import BundleError


@dataclass(frozen=True)
class Kind:
    """A kind of folder.

    Parameters
    ----------
    noun : what it is called in a message.
    manifest : the name of its manifest.
    format : of what it holds; another one is not read.
    """

    noun: str
    manifest: str
    format: int

    @property
    def name(self) -> str:
        """What the manifest says."""
        return f"modalgrid {self.noun}"

    @contextmanager
    def naming(self, folder: Path) -> Iterator[None]:
        """What is wrong with a folder, with its name in front, as a BundleError."""
        try:
            yield
        # json raises RecursionError for what is nested deeply
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BundleError(f"{folder} is no {self.noun} that can be used: {error}") from error

    def read(self, folder: Path) -> dict[str, Any]:
        """The manifest: plain data, read without loading anything else.

        Raises
        ------
        BundleError
            Where there is none of this kind, or it was changed.
        """
        with self.naming(folder):
            try:
                text = (folder / self.manifest).read_text(encoding="utf-8")
            except OSError as error:
                raise ValueError(f"it has no {self.manifest}") from error
            if not is_sealed(text):
                raise ValueError(f"its {self.manifest} was changed")
            manifest: dict[str, Any] = json.loads(text)
            if manifest.get("kind") != self.name:
                raise ValueError(f"its {self.manifest} is no {self.noun}'s")
            if manifest["format"] != self.format:
                raise ValueError(
                    f"it has format {manifest['format']}; this version reads {self.format}"
                )
        return manifest


def write_arrays(arrays: Mapping[str, NDArray[Any]], file: Path) -> None:
    """Write a safetensors file. Raises OSError where that cannot be done, a full disk for one."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        save_file(dict(arrays), file)
    except SafetensorError as error:
        raise OSError(f"{file} cannot be written: {error}") from error


def read_arrays(file: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays of a safetensors file. Raises ValueError where it is damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(file))
    except SafetensorError as error:
        raise ValueError(f"its {file.name} cannot be read: {error}") from error
