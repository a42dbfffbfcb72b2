"""CIFAR-10 from its official archive, with the search term of each picture's file name as text."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.data.samples import Samples, SourceError
from pipeline.data.sources.cifar10_archive import META, Batch, archive_in, read_batches
from pipeline.data.sources.column_values import texts
from pipeline.data.sources.columns import missing_columns, read_columns
from pipeline.data.sources.join import rows_by_key
from pipeline.data.sources.problems import all_of, existing, hint
from pipeline.data.sources.subset import Where, rows_where, stratified

Terms = Mapping[tuple[str | None, ...], tuple[str | None, str | None]]
COLUMNS = ("filename", "term", "label", "gloss", "synset", "split")


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

    @property
    def order(self) -> tuple[str, int]:
        """It is in memory."""
        return "", 0

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
    """CIFAR-10, 60,000 pictures, with the terms they were searched by.

    From Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009. Each picture's
    file name keeps the term it was found with (abandoned_ship_s_000004.png). A term all but names
    its class, so random folds measure memory: group the rows by term or, better, by synset.

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
    sample_seed : decides which rows these are.
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
        _, archive, terms = all_of(
            self._check,
            lambda: archive_in(folder, self.path, self.download),
            lambda: (
                None if self.terms is None else _read_terms(existing(self.terms, folder, "terms"))
            ),
        )
        batches = read_batches(archive, self.part)
        columns = _columns(batches, terms or {})
        rows = rows_where(columns, self.where, len(columns["label"]))
        labels = [columns["label"][row] for row in rows]
        rows = rows[stratified(labels, self.sample, self.sample_seed)]
        chosen = {name: [values[row] for row in rows] for name, values in columns.items()}
        pictures = _pictures(batches)
        named = ("term", "synset") if terms is not None else ("term",)
        return Samples(
            locations=[pictures[row].name for row in rows],
            pictures=[pictures[row] for row in rows],
            texts=chosen[self.text],
            labels=chosen["label"],
            ids=chosen["filename"],
            groups={name: chosen[name] for name in named},
            group=self.group or named[-1],
            split=chosen["split"],
        )

    def _check(self) -> None:
        """Raise for what asks for a terms table that is not given, and for unknown columns."""
        known = [
            name for name in COLUMNS if self.terms is not None or name not in {"gloss", "synset"}
        ]
        asked = [
            ("text", self.text),
            *([("group", self.group)] if self.group else []),
            *(("where", name) for name in self.where or {}),
        ]
        problems = [
            f"{key}: '{name}' needs terms, a table with the columns term, label, gloss, synset"
            if name in COLUMNS
            else f"{key}: no column '{name}'{hint(name, known, 'columns')}"
            for key, name in asked
            if name not in known
        ]
        if problems:
            raise SourceError(problems)


def _read_terms(file: Path) -> Terms:
    """(term, label) -> (gloss, synset)."""
    names = ("term", "label", "gloss", "synset")
    columns = read_columns(file, names)
    missing = missing_columns([("terms", name) for name in names], columns.names, file)
    if missing:
        raise SourceError(missing)
    glosses, synsets = texts(columns, "gloss"), texts(columns, "synset")
    return {
        (_spaced(key[0] or ""), key[1]): (glosses[row], synsets[row])
        for key, row in rows_by_key(columns, ["term", "label"]).items()
    }


def _spaced(term: str) -> str:
    return term.replace("_", " ")


def _pictures(batches: Mapping[str, Batch]) -> list[PixelPicture]:
    """The batches' pictures, each called after its row."""
    pictures: list[PixelPicture] = []
    for name, batch in _parts(batches).items():
        images = batch["data"].reshape(-1, 3, 32, 32)
        pictures += [
            PixelPicture(f"{name} row {number}", pixels) for number, pixels in enumerate(images, 1)
        ]
    return pictures


def _columns(batches: Mapping[str, Batch], terms: Terms) -> dict[str, list[str | None]]:
    """COLUMNS for every row, by name; gloss and synset are None where there are no terms."""
    classes = batches[META]["label_names"]
    columns: dict[str, list[str | None]] = {name: [] for name in COLUMNS}
    for name, batch in _parts(batches).items():
        filenames = batch["filenames"]
        spoken = [_spaced(re.sub(r"_s_\d+\.png$", "", filename)) for filename in filenames]
        labels = [classes[label] for label in batch["labels"]]
        described = [terms.get(key, (None, None)) for key in zip(spoken, labels, strict=True)]
        columns["filename"] += filenames
        columns["term"] += spoken
        columns["label"] += labels
        columns["gloss"] += [gloss for gloss, _ in described]
        columns["synset"] += [synset for _, synset in described]
        columns["split"] += ["test" if name == "test_batch" else "train"] * len(filenames)
    return columns


def _parts(batches: Mapping[str, Batch]) -> dict[str, Batch]:
    """The batches that hold pictures."""
    return {name: batch for name, batch in batches.items() if name != META}
