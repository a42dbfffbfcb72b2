"""Make an index of items, or bring one up to date: only what is new is encoded."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from features.block import Block, BlockName, FloatArray, Modality
from features.encoder import Encoder
from features.machine.threads import ordered
from features.pictures.decoding import UnreadablePicture, decode
from models.shared_space.projections import EncodersSpace
from models.views import Views
from pipeline.data.samples import NOUNS
from pipeline.use.bundle import Bundle
from pipeline.use.fitted import encoded
from pipeline.use.index.files import (
    GIVEN,
    Approximation,
    IndexFiles,
    IndexWriter,
    read_index,
)
from pipeline.use.index.listing import ABOVE, Agreement, make_lists
from pipeline.use.index.lists import faiss_lacking, has_faiss
from pipeline.use.index.spaces import (
    AT,
    PAIRS,
    Measured,
    Space,
    Spaces,
    learned_spaces,
    pooled_encoders,
)
from pipeline.use.items.columns import Columns
from pipeline.use.items.item import Item, without_unreadable
from pipeline.use.items.reading import read_items
from pipeline.use.problem import BundleError, listed
from reports.page.files import aside_of
from reports.wording import count, first_listed, quoted

AT_ONCE = 512  # items that are in memory together
LEARNED_FROM = 5000  # items that spaces are learned from, drawn from all
SHOWN = 5  # ids that stand several times
THUMBNAIL = 160  # pixels of its longer side


@dataclass
class Summary:
    """What became of the items."""

    items: int = 0
    ids: set[str] = field(default_factory=set)
    repeated: dict[str, None] = field(default_factory=dict)
    encoded: dict[Modality, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    measured: Measured | None = None
    agreement: Agreement | None = None
    without_faiss: bool = False
    is_new: bool = True
    modalities: tuple[Modality, ...] = ()
    as_encoded: bool = False

    def take(self, items: Sequence[Item]) -> None:
        """Count further items."""
        self.items += len(items)
        for item in items:
            if item.name in self.ids:
                self.repeated[item.name] = None
            self.ids.add(item.name)

    def lines(self) -> Iterator[str]:
        """Sentences for the terminal."""
        encoded = " and ".join(
            count(number, NOUNS[modality]) for modality, number in self.encoded.items()
        )
        yield f"{count(self.items, 'item')} indexed, {encoded} encoded"
        if self.repeated:
            yield (
                f"{count(len(self.repeated), 'id stands', 'ids stand')} several times "
                f"({first_listed([quoted(name) for name in self.repeated], SHOWN)}): recommend "
                "cannot tell such items apart; --id COLUMN names another column"
            )
        if self.problems:
            yield f"{count(len(self.problems), 'item')} with a problem:"
            yield from listed(self.problems)
        if self.as_encoded:
            yield "pictures and texts are compared as their encoders give them: they share a space"
        if self.measured is not None and self.measured.pairs:
            yield _measured_text(self.measured)
        elif self.is_new and len(self.modalities) == 2 and not self.as_encoded:
            yield (
                f"fewer than {PAIRS} items have both a picture and a text: words find texts and "
                "pictures find pictures, and neither finds the other"
            )
        if self.agreement is not None:
            yield from self.agreement.lines()
        elif self.without_faiss:
            yield (
                "search is exact, which takes long with so many items. Install what is missing and "
                f"index them again, nothing is encoded twice: {faiss_lacking()}"
            )


def _measured_text(measured: Measured) -> str:
    return (
        f"of {count(measured.pairs, 'pair')} left out, a text's picture is among the first {AT} "
        f"for {measured.text_to_image:.0%} and a picture's text for {measured.image_to_text:.0%} "
        f"(by chance {measured.chance:.0%})"
    )


def build_index(
    model: Path, bundle: Bundle, items: ItemsOf, folder: Path, above: int | None = None
) -> Summary:
    """Index the items of a source; an index that is there gets these items in place of its own.

    Of items that it had, vectors are taken over; the spaces stay those that it has learned.

    Parameters
    ----------
    model : the folder of the bundle.
    above : more items are searched by lists, too, for which FAISS is needed; None for as many as
        the index that is there says, or ABOVE. Without it they are searched exactly, and that is
        said: whatever was encoded is not lost.

    Raises
    ------
    BundleError
        Where the items, or an index that is there, cannot be used.
    """
    folder = folder.absolute()  # "." has no name of its own
    _take_up(folder)
    before = _index_before(folder, model)
    summary = Summary(is_new=before is None)
    if before is None:
        spaces, summary.measured, known = _learned(pooled_encoders(bundle.cell), items)
    else:
        spaces, summary.measured, known = before.spaces, before.measured, _known_of(before)
    summary.modalities = tuple(spaces.encoders)
    summary.as_encoded = isinstance(spaces.projection, EncodersSpace)
    summary.encoded = {
        modality: len(rows) if before is None else 0 for modality, rows in known.row_of.items()
    }
    aside = aside_of(folder)
    aside.mkdir(parents=True)
    try:
        writer = _write(items, aside, _Encoding(spaces, known, summary))
        if above is None:
            above = ABOVE if before is None else before.approximation.above
        writer.finish(model, summary.measured, _approximation(writer, aside, above, summary))
        _put_in_place(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return summary


def _approximation(
    writer: IndexWriter, aside: Path, above: int, summary: Summary
) -> Approximation:
    """Lists of what was written, where the items are more than `above`."""
    if summary.items <= above:
        return Approximation(above)
    if not has_faiss():
        summary.without_faiss = True
        return Approximation(above)
    summary.agreement = make_lists(aside, writer.vectors())
    return Approximation(above, summary.agreement)


class ItemsOf(NamedTuple):
    """Where items come from; see `pipeline.use.items.read_items`."""

    source: str
    columns: Columns

    def __call__(self) -> Iterator[Item]:
        """The items, from the first on: they are read more than once."""
        if self.source == "-":
            raise BundleError("items are read twice to index them: name a file, not -")
        return read_items(self.source, self.columns)


class Known(NamedTuple):
    """Vectors of samples that were encoded before.

    Parameters
    ----------
    row_of : by modality, where the sample of a digest stands.
    vectors : (m, k) by space.
    """

    row_of: Mapping[Modality, Mapping[str, int]]
    vectors: Mapping[Space, FloatArray]


def _index_before(folder: Path, model: Path) -> IndexFiles | None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    before = read_index(folder)
    if not before.is_of(model):
        raise BundleError(f"{folder} was made with another model than {model}: name a new folder")
    return before


def _known_of(before: IndexFiles) -> Known:
    rows = {
        modality: _row_of(before.column(f"{modality} digest")) for modality in before.present
    }
    return Known(rows, before.vectors)


def _row_of(digests: Sequence[str]) -> dict[str, int]:
    return {digest: row for row, digest in enumerate(digests) if digest}


def _learned(
    encoders: Mapping[Modality, Encoder], items: ItemsOf
) -> tuple[Spaces, Measured | None, Known]:
    """Spaces learned from some of the items, and the vectors of these."""
    sample = without_unreadable(_sample(items))
    digests = {modality: _digests(sample, modality) for modality in encoders}
    rows, blocks = {}, {}
    of_items: dict[BlockName, Block] = {}
    for modality, encoder in encoders.items():
        distinct, at = _distinct(digests[modality])
        block = encoded(encoder, [_content(sample[row], modality) for row in distinct])
        rows[modality] = _row_of([digests[modality][row] for row in distinct])
        blocks[modality], of_items[modality] = block, block.at(at)
    views = Views.of(of_items)
    spaces, measured = learned_spaces(encoders, views, digests)
    vectors: dict[Space, FloatArray] = {}
    for modality, block in blocks.items():
        vectors |= spaces.of_block(modality, block)
    return spaces, measured, Known(rows, vectors)


def _distinct(digests: Sequence[str]) -> tuple[list[int], NDArray[np.int64]]:
    """The first item of each digest, and the position (n,) of each item's among these, or -1."""
    first: dict[str, int] = {}
    for row, digest in enumerate(digests):
        if digest:
            first.setdefault(digest, row)
    number = {digest: at for at, digest in enumerate(first)}
    return list(first.values()), np.array([number.get(digest, -1) for digest in digests], np.int64)


def _former(folder: Path) -> Path:
    """Where an index lies while another takes its place."""
    return folder.with_name(f".{folder.name}.former")


def _put_in_place(aside: Path, folder: Path) -> None:
    former = _former(folder)
    if folder.exists():
        folder.replace(former)
    aside.replace(folder)
    shutil.rmtree(former, ignore_errors=True)


def _take_up(folder: Path) -> None:
    """Put an index back that was killed between the two moves; it was the only one then."""
    former = _former(folder)
    if former.exists() and not folder.exists():
        former.replace(folder)
    shutil.rmtree(former, ignore_errors=True)


def _sample(items: ItemsOf) -> list[Item]:
    """At most LEARNED_FROM items, all with the same probability (Vitter's algorithm R, 1985)."""
    rng = np.random.default_rng(0)
    drawn: list[Item] = []
    for number, item in enumerate(items()):
        if number < LEARNED_FROM:
            drawn.append(item)
        elif (at := int(rng.integers(number + 1))) < LEARNED_FROM:
            drawn[at] = item
    if not drawn:
        raise BundleError(f"{items.source} holds no items")
    return drawn


def _decoded(item: Item) -> tuple[Item, bytes | None]:
    """An item and its thumbnail, JPEG; without a picture where it does not decode in full."""
    if item.picture is None:
        return item, None
    try:
        picture = decode(item.picture, THUMBNAIL)
    except UnreadablePicture as error:
        return item.without_picture(error), None
    picture.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=80)
    return item, file.getvalue()


def _write(items: ItemsOf, aside: Path, encoding: _Encoding) -> IndexWriter:
    """Write all items; the writer, which is to be finished."""
    rest = items()
    part = list(islice(rest, AT_ONCE))
    if not part:
        raise BundleError(f"{items.source} holds no items")
    writer = IndexWriter(aside, encoding.spaces, tuple(part[0].row))
    try:
        while part:
            _add(list(ordered(_decoded, part)), encoding, writer)
            part = list(islice(rest, AT_ONCE))
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


def _content(item: Item, modality: Modality) -> str | bytes | None:
    return item.picture if modality == "image" else item.text


def _digests(items: Sequence[Item], modality: Modality) -> list[str]:
    """Of each item's picture or text; empty where it lacks it."""
    return [_digest(_content(item, modality)) for item in items]


def _digest(content: str | bytes | None) -> str:
    if not content:
        return ""
    return sha256(content.encode() if isinstance(content, str) else content).hexdigest()


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
    """Vectors of items: of samples that are known, theirs; each new one once a part."""

    def __init__(self, spaces: Spaces, known: Known, summary: Summary) -> None:
        self.spaces, self._known, self._summary = spaces, known, summary

    def vectors(
        self, items: Sequence[Item], digests: Mapping[Modality, Sequence[str]]
    ) -> dict[Space, FloatArray]:
        """(n, k) by space; items and problems are counted."""
        self._summary.take(items)
        self._summary.problems += [f"{item.name}: {item.problem}" for item in items if item.problem]
        result: dict[Space, FloatArray] = {}
        for modality, of_items in digests.items():
            result |= self._of_modality(modality, items, of_items)
        return result

    def _of_modality(
        self, modality: Modality, items: Sequence[Item], digests: Sequence[str]
    ) -> dict[Space, FloatArray]:
        row_of = self._known.row_of[modality]
        stored = np.array([row_of.get(digest, -1) for digest in digests], np.int64)
        new, at = _distinct([digest if digest not in row_of else "" for digest in digests])
        self._summary.encoded[modality] += len(new)
        encoded_now = self.spaces.vectors(modality, [_content(items[row], modality) for row in new])
        result = {}
        for space, vectors in encoded_now.items():
            of_items = np.zeros((len(items), vectors.shape[1]), np.float32)
            of_items[at >= 0] = vectors[at[at >= 0]]
            of_items[stored >= 0] = self._known.vectors[space][stored[stored >= 0]]
            result[space] = of_items
        return result
