"""Make an index of items, or bring one up to date: only what is new is encoded."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from features.block import FloatArray, Modality
from features.machine.threads import ordered
from features.pictures.decoding import UnreadablePicture, decode
from pipeline.data.samples import NOUNS
from pipeline.use.bundle import Bundle, read_manifest
from pipeline.use.fitted import Items
from pipeline.use.index.files import GIVEN, IndexFiles, IndexWriter, read_index
from pipeline.use.index.spaces import (
    AT,
    PAIRS,
    Measured,
    Space,
    Spaces,
    learned_spaces,
    pooled_encoders,
)
from pipeline.use.items import Columns, Item, read_items
from pipeline.use.problem import BundleError
from reports.wording import count

AT_ONCE = 512  # items that are in memory together
LEARNED_FROM = 5000  # items that spaces are learned from, drawn from all
THUMBNAIL = 160  # pixels of its longer side
LISTED = 10  # problems that are shown; the others are counted


@dataclass
class Summary:
    """What became of the items."""

    items: int = 0
    encoded: dict[Modality, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    measured: Measured | None = None
    is_new: bool = True
    modalities: tuple[Modality, ...] = ()

    def lines(self) -> Iterator[str]:
        """Sentences for the terminal."""
        encoded = " and ".join(
            count(number, NOUNS[modality]) for modality, number in self.encoded.items()
        )
        yield f"{count(self.items, 'item')} indexed, {encoded} encoded"
        if self.problems:
            yield f"{count(len(self.problems), 'item')} with a problem:"
            yield from (f"  {problem}" for problem in self.problems[:LISTED])
            if len(self.problems) > LISTED:
                yield f"  ... and {len(self.problems) - LISTED} more"
        if self.measured is not None and self.measured.pairs:
            yield _measured_text(self.measured)
        elif self.is_new and len(self.modalities) == 2:
            yield (
                f"fewer than {PAIRS} items have both a picture and a text: words find texts and "
                "pictures find pictures, and neither finds the other"
            )


def _measured_text(measured: Measured) -> str:
    return (
        f"of {count(measured.pairs, 'pair')} left out, a text's picture is among the first {AT} "
        f"for {measured.text_to_image:.0%} and a picture's text for {measured.image_to_text:.0%} "
        f"(by chance {measured.chance:.0%})"
    )


def build_index(model: Path, source: str, columns: Columns, folder: Path) -> Summary:
    """Index the items of a source; an index that is there gets these items in place of its own.

    Of items that it had, vectors are taken over; the spaces stay those that it has learned.

    Raises
    ------
    BundleError
        Where the model, the items or an index that is there cannot be used.
    """
    bundle = Bundle.load(model)
    before = _index_before(folder, model)
    summary = Summary(is_new=before is None)
    if before is None:
        sample = _items(_sample(source, columns), summary=None)
        spaces, summary.measured = learned_spaces(pooled_encoders(bundle.cell), sample)
    else:
        spaces, summary.measured = before.spaces, before.measured
    summary.modalities = tuple(spaces.encoders)
    aside = folder.with_name(f".{folder.name}.unfinished-{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        _write(source, columns, aside, spaces, before, summary).finish(model, summary.measured)
        _put_in_place(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return summary


def _index_before(folder: Path, model: Path) -> IndexFiles | None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    before = read_index(folder)
    if before.bundle != read_manifest(model)["sha256"]:
        raise BundleError(f"{folder} was made with another model than {model}: name a new folder")
    return before


def _put_in_place(aside: Path, folder: Path) -> None:
    former = folder.with_name(f".{folder.name}.former-{os.getpid()}")
    if folder.exists():
        folder.replace(former)
    aside.replace(folder)
    shutil.rmtree(former, ignore_errors=True)


def _sample(source: str, columns: Columns) -> list[Item]:
    """At most LEARNED_FROM items, all with the same probability (Vitter's algorithm R, 1985)."""
    rng = np.random.default_rng(0)
    drawn: list[Item] = []
    for number, item in enumerate(read_items(source, columns)):
        if number < LEARNED_FROM:
            drawn.append(item)
        elif (at := int(rng.integers(number + 1))) < LEARNED_FROM:
            drawn[at] = item
    if not drawn:
        raise BundleError(f"{source} holds no items")
    return drawn


def _items(rows: Sequence[Item], summary: Summary | None) -> Items:
    """The samples of items; pictures that do not decode are missing."""
    checked = list(ordered(_decoded, rows))
    return {
        "image": [item.picture for item, _ in checked],
        "text": [item.text for item in rows],
    }


def _decoded(item: Item) -> tuple[Item, bytes | None]:
    """An item and its thumbnail, JPEG; without a picture where it does not decode in full."""
    if item.picture is None:
        return item, None
    try:
        picture = decode(item.picture, THUMBNAIL)
    except UnreadablePicture as error:
        problem = "; ".join(filter(None, (item.problem, f"picture: {error}")))
        return replace(item, picture=None, problem=problem), None
    picture.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=80)
    return item, file.getvalue()


def _write(
    source: str,
    columns: Columns,
    aside: Path,
    spaces: Spaces,
    before: IndexFiles | None,
    summary: Summary,
) -> IndexWriter:
    """Write all items; the writer, which is to be finished."""
    encoding = _Encoding(spaces, before, summary)
    items = read_items(source, columns)
    part = list(islice(items, AT_ONCE))
    if not part:
        raise BundleError(f"{source} holds no items")
    writer = IndexWriter(aside, spaces, tuple(part[0].row))
    try:
        while part:
            _add(list(ordered(_decoded, part)), encoding, writer)
            part = list(islice(items, AT_ONCE))
    except BaseException:
        writer.abandon()
        raise
    return writer


def _add(
    decoded: Sequence[tuple[Item, bytes | None]], encoding: _Encoding, writer: IndexWriter
) -> None:
    """Some items, with their thumbnails."""
    items = [item for item, _ in decoded]
    digests = {modality: _digests(items, modality) for modality in encoding.spaces.encoders}
    rows = [
        _row(item, thumbnail, {modality: of_items[at] for modality, of_items in digests.items()})
        for at, (item, thumbnail) in enumerate(decoded)
    ]
    present = {
        modality: np.array(list(map(bool, of_items))) for modality, of_items in digests.items()
    }
    writer.add(rows, encoding.vectors(items, digests), present)


def _digests(items: Sequence[Item], modality: Modality) -> list[str]:
    """Of each item's picture or text; empty where it lacks it."""
    samples = [item.picture if modality == "image" else (item.text or "").encode()
               for item in items]
    return ["" if not sample else sha256(sample).hexdigest() for sample in samples]


def _row(item: Item, thumbnail: bytes | None, digests: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": item.name,
        "text": item.text,
        "problem": item.problem,
        "thumbnail": thumbnail,
        **{f"{modality} digest": digest for modality, digest in digests.items()},
        **{f"{GIVEN}{name}": value for name, value in item.row.items()},
    }


class _Encoding:
    """Vectors of items: of those that an index had, its own, and each new sample once."""

    def __init__(self, spaces: Spaces, before: IndexFiles | None, summary: Summary) -> None:
        self.spaces, self._before, self._summary = spaces, before, summary
        self._row_of: dict[Modality, dict[str, int]] = {}
        for modality in spaces.encoders:
            summary.encoded[modality] = 0
            digests = [] if before is None else before.column(f"{modality} digest")
            self._row_of[modality] = {digest: row for row, digest in enumerate(digests) if digest}

    def vectors(
        self, items: Sequence[Item], digests: Mapping[Modality, Sequence[str]]
    ) -> dict[Space, FloatArray]:
        """(n, k) by space; items and problems are counted."""
        self._summary.items += len(items)
        self._summary.problems += [f"{item.name}: {item.problem}" for item in items if item.problem]
        result: dict[Space, FloatArray] = {}
        for modality, of_items in digests.items():
            result |= self._of_modality(modality, items, of_items)
        return result

    def _of_modality(
        self, modality: Modality, items: Sequence[Item], digests: Sequence[str]
    ) -> dict[Space, FloatArray]:
        known = self._row_of[modality]
        new = {
            digest: position
            for position, digest in enumerate(digests)
            if digest and digest not in known
        }
        self._summary.encoded[modality] += len(new)
        samples = [
            items[position].picture if modality == "image" else items[position].text
            for position in new.values()
        ]
        encoded = self.spaces.vectors(modality, samples)
        number = {digest: at for at, digest in enumerate(new)}
        at = np.array([number.get(digest, -1) for digest in digests], np.int64)
        stored = np.array([known.get(digest, -1) for digest in digests], np.int64)
        return {
            space: self._assembled(space, vectors, at, stored)
            for space, vectors in encoded.items()
        }

    def _assembled(
        self, space: Space, new: FloatArray, at: NDArray[np.int64], stored: NDArray[np.int64]
    ) -> FloatArray:
        result = np.zeros((len(at), new.shape[1]), np.float32)
        result[at >= 0] = new[at[at >= 0]]
        if self._before is not None and (stored >= 0).any():
            result[stored >= 0] = self._before.vectors[space][stored[stored >= 0]]
        return result
