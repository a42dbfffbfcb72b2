"""CIFAR-10 from its official python archive, with the search term of each picture's file name as text."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.data.samples import Samples, SourceError
from pipeline.data.sources.columns import missing_columns, read_columns, texts
from pipeline.data.sources.join import rows_by_key
from pipeline.data.sources.problems import all_of, existing, hint
from pipeline.data.sources.subset import Where, rows_where, stratified

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
COLUMNS = ("filename", "term", "label", "gloss", "synset", "split")
Batch = Mapping[str, Any]


@dataclass(frozen=True)
class PixelPicture:
    """A picture held as raw pixels, encoded as PNG without loss when it is read.

    Parameters
    ----------
    name : what to call it in a message.
    pixels : uint8 (3, height, width), RGB.
    """

    name: str
    pixels: NDArray[np.uint8] = field(repr=False)

    def read(self) -> bytes:
        """Encode the pixels as a PNG file."""
        from PIL import Image  # needed only where a picture is read

        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(self.pixels.transpose(1, 2, 0))).save(file, "PNG")
        return file.getvalue()

    def digest(self) -> str:
        """Hash shape and pixels (sha256): the same whatever writes the PNG."""
        return hashlib.sha256(
            f"{self.pixels.shape} uint8 ".encode() + self.pixels.tobytes()
        ).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Cifar10:
    """CIFAR-10 (Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009), 60,000 pictures.

    Each picture's file name keeps the term it was found with (abandoned_ship_s_000004.png). A term
    all but names its class, so random folds measure memory: group the rows by term or, better, by
    synset.

    Parameters
    ----------
    path : cifar-10-python.tar.gz, the folder cifar-10-batches-py (quicker), or the folder that
        holds either; relative to the grid file. Without it ~/.cache/modalgrid/cifar10.
    download : fetch the archive into `path` through torchvision where it is not there yet.
    text : the search term, or its gloss from `terms`.
    terms : table with columns term, label, gloss, synset, one row for each term and label, relative
        to the grid file. Rows whose term it lacks have no gloss and no synset.
    group : what groups the rows by default: synset where there are `terms`, otherwise term.
    part : which of the official parts; they are also the official split.
    where : column -> allowed value or values; columns filename, term, label, gloss, synset, split.
    sample : number of rows to take, at random (from `sample_seed`) and stratified by class.
    """

    path: str | None = None
    download: bool = False
    text: Literal["term", "gloss"] = "term"
    terms: str | None = None
    group: Literal["term", "synset"] | None = None
    part: Literal["train", "test", "all"] = "all"
    where: Where | None = None
    sample: Annotated[int, Field(gt=0)] | None = None
    sample_seed: Annotated[int, Field(ge=0)] = 0

    def load(self, folder: Path) -> Samples:
        """Read the batches; see pipeline.data.samples.Source.

        Raises
        ------
        SourceError
            Missing or altered files, a download that fails, glosses or synsets without `terms`.
        """
        _, place, terms = all_of(
            self._check,
            lambda: self._place(folder),
            lambda: (
                None if self.terms is None else _read_terms(existing(self.terms, folder, "terms"))
            ),
        )
        batches = _read_batches(place, self.part)
        columns = _columns(batches, terms)
        rows = rows_where(columns, self.where, len(columns["label"]))
        labels = [columns["label"][row] for row in rows]
        rows = rows[stratified(labels, self.sample, self.sample_seed)]
        chosen = {name: [values[row] for row in rows] for name, values in columns.items()}
        places = [f"{name} row {row + 1}" for name, batch in batches.items() if name != META
                  for row in range(len(batch["labels"]))]
        pixels = [image for name, batch in batches.items() if name != META
                  for image in batch["data"].reshape(-1, 3, 32, 32)]
        named = ("term", "synset") if terms is not None else ("term",)
        return Samples(
            places=[places[row] for row in rows],
            pictures=[PixelPicture(places[row], pixels[row]) for row in rows],
            texts=chosen[self.text],
            labels=chosen["label"],
            ids=chosen["filename"],
            groups={name: chosen[name] for name in named},
            group=self.group or named[-1],
            split=chosen["split"],
        )

    def _check(self) -> None:
        """Raise for what the parameters ask of a terms table that is not given, and for unknown columns."""
        known = [
            name for name in COLUMNS if self.terms is not None or name not in {"gloss", "synset"}
        ]
        asked = [("text", self.text), *(("group", name) for name in [self.group] if name),
                 *(("where", name) for name in self.where or {})]
        problems = [
            f"{key}: '{name}' needs terms, a table with the columns term, label, gloss, synset"
            if name in COLUMNS
            else f"{key}: no column '{name}'{hint(name, known, 'columns')}"
            for key, name in asked
            if name not in known
        ]
        if problems:
            raise SourceError(problems)

    def _place(self, folder: Path) -> Path:
        """Find the archive, or the folder of the batches."""
        place = folder / Path(self.path or CACHE).expanduser()
        for found in (place / FOLDER, place / ARCHIVE, place):
            if found.is_file() or (found / META).is_file():
                return found
        if self.download:
            return _downloaded(place)
        raise SourceError([f"path: there is no {ARCHIVE} and no {FOLDER} in {place}; put it there, name its "
                           "place with path, or set download: true where there is a network"])


def _downloaded(place: Path) -> Path:
    try:
        from torchvision.datasets import CIFAR10  # slow, and only for a download
    except ImportError as error:
        raise SourceError(["download: needs torchvision (pip install torchvision)"]) from error
    try:
        CIFAR10(root=str(place), download=True)
    except (OSError, RuntimeError) as error:  # no network, or a broken download
        raise SourceError(
            [f"download: {CIFAR10.url} could not be fetched into {place}: {error}"]
        ) from error
    return place / FOLDER


def _read_batches(place: Path, part: str) -> dict[str, Batch]:
    """Read the batches of one part, or of all, and META, in the order of MD5."""
    start = {"train": "data_", "test": "test_", "all": ""}[part]
    wanted = [name for name in MD5 if name == META or name.startswith(start)]
    contents = _from_archive(place, wanted) if place.is_file() else {
        name: (place / name).read_bytes() for name in wanted if (place / name).is_file()}
    problems = [f"{place} has no file {name}; CIFAR-10's python version has it" for name in wanted
                if name not in contents]
    problems += [
        f"{place}: {name} is not the published file, whose md5 is {MD5[name]}; fetch it again"
        for name, content in contents.items()
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != MD5[name]
    ]
    if problems:
        raise SourceError(problems)
    return {name: _Batches(io.BytesIO(contents[name]), encoding="latin1").load() for name in wanted}


def _from_archive(file: Path, wanted: list[str]) -> dict[str, bytes]:
    contents = {}
    try:
        with tarfile.open(file) as archive:
            for member in archive:
                name = member.name.removeprefix(f"{FOLDER}/")
                stream = archive.extractfile(member) if name in wanted else None
                if stream is not None:
                    contents[name] = stream.read()
    except (OSError, tarfile.TarError, EOFError) as error:
        raise SourceError([f"{file} cannot be read as {ARCHIVE}: {error}"]) from error
    return contents


class _Batches(pickle.Unpickler):
    """Reads dicts, lists, numbers, text and numpy arrays, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Allow the three names that an array's pickle needs, as numpy 1 called them when the files were made."""
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


def _read_terms(file: Path) -> dict[tuple[str | None, str | None], tuple[str | None, str | None]]:
    """(term, label) -> (gloss, synset)."""
    names = ("term", "label", "gloss", "synset")
    columns = read_columns(file, names)
    missing = missing_columns([("terms", name) for name in names], columns.names, file)
    if missing:
        raise SourceError(missing)
    glosses, synsets = texts(columns, "gloss"), texts(columns, "synset")
    return {(_spaced(key[0] or ""), key[1]): (glosses[row], synsets[row])
            for key, row in rows_by_key(columns, ["term", "label"]).items()}


def _spaced(term: str) -> str:
    return term.replace("_", " ")


def _columns(batches: Mapping[str, Batch], terms: Any) -> dict[str, list[str | None]]:
    """COLUMNS for every row, by name; gloss and synset only where there are terms."""
    classes = batches[META]["label_names"]
    pairs = [(name, batch) for name, batch in batches.items() if name != META]
    filenames = [filename for _, batch in pairs for filename in batch["filenames"]]
    keys = list(zip(
        (_spaced(re.sub(r"_s_\d+\.png$", "", filename)) for filename in filenames),
        (classes[label] for _, batch in pairs for label in batch["labels"]),
        strict=True,
    ))
    found = [(terms or {}).get(key, (None, None)) for key in keys]
    return {
        "filename": filenames,
        "term": [term for term, _ in keys],
        "label": [label for _, label in keys],
        "gloss": [gloss for gloss, _ in found],
        "synset": [synset for _, synset in found],
        "split": [
            "test" if name == "test_batch" else "train"
            for name, batch in pairs
            for _ in batch["labels"]
        ],
    }
