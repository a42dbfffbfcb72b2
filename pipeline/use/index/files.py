"""An index on disk: a folder with its model, spaces, vectors, and what is known of the items."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.block import FloatArray, Modality
from pipeline.store.files import sha256
from pipeline.store.keys import canonical
from pipeline.store.manifest import sealed
from pipeline.use.bundle import Bundle, read_manifest
from pipeline.use.index.checksums import (
    VerifiedVectors,
    check_unchanged,
    checksum,
    end_of_table,
)
from pipeline.use.index.listing import ABOVE, Agreement, Vectors
from pipeline.use.index.lists import CODES, ROWS, ListFiles, Lists
from pipeline.use.index.spaces import Measured, Space, Spaces, pooled_encoders
from pipeline.use.sealed import Kind, read_arrays, write_arrays
from pipeline.use.state import State, put_together, taken_apart

INDEX = Kind("index", "index.json", 1)
LEARNED, ITEMS, MODEL = "spaces.safetensors", "items.parquet", "model"
# Columns of ours in the table of items; those of the items themselves have this before their names.
GIVEN = "column: "
# Of these the size is looked at. The digests of lists stand beside them, in a file that is sealed.
LARGE = (".f32", ".present", f".{CODES}", f".{ROWS}")
OURS = ("id", "text", "image digest", "text digest", "problem", "thumbnail")


@dataclass(frozen=True, eq=False)
class Approximation:
    """How an index is searched without a look at all vectors.

    Parameters
    ----------
    above : so many items, or fewer, are searched exactly.
    agreement : with exact search, as measured; None where the index has no lists.
    lists : by space.
    """

    above: int = ABOVE
    agreement: Agreement | None = None
    lists: Mapping[Space, Lists] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class IndexFiles:
    """What the folder of an index holds.

    Parameters
    ----------
    bundle : the seal of the bundle that its items went through.
    columns : names of the items' other columns.
    vectors : (n, k) by space, in files.
    present : bool (n,) by modality.
    measured : see Measured; None where there was nothing to measure by.
    approximation : see Approximation.
    """

    folder: Path
    bundle: str
    spaces: Spaces
    columns: tuple[str, ...]
    vectors: Mapping[Space, FloatArray]
    present: Mapping[Modality, NDArray[np.bool_]]
    measured: Measured | None
    approximation: Approximation

    def __len__(self) -> int:
        return len(next(iter(self.present.values())))

    def is_of(self, model: Path) -> bool:
        """Whether its items went through the bundle in a folder."""
        return self.bundle == str(read_manifest(model)["sha256"])

    def column(self, name: str) -> list[Any]:
        """Values of one of `OURS`, or of the items' other columns, for all items."""
        stored = name if name in OURS else f"{GIVEN}{name}"
        with INDEX.naming(self.folder), _table(self.folder) as file:
            values: list[Any] = file.read(columns=[stored])[stored].to_pylist()
        return values

    def rows(self, rows: NDArray[np.int64], columns: tuple[str, ...]) -> dict[str, list[Any]]:
        """Values of some items by column; only the row groups that hold them are read."""
        stored = [name if name in OURS else f"{GIVEN}{name}" for name in columns]
        with INDEX.naming(self.folder), _table(self.folder) as file:
            sizes = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
            ends = np.cumsum([0, *sizes])
            group_of = np.searchsorted(ends, rows, side="right") - 1
            groups = {
                at: file.read_row_group(at, columns=stored) for at in np.unique(group_of).tolist()
            }
        return {
            name: [
                groups[group][key][int(row - ends[group])].as_py()
                for row, group in zip(rows, group_of.tolist(), strict=True)
            ]
            for name, key in zip(columns, stored, strict=True)
        }


def read_index(folder: Path) -> IndexFiles:
    """The index in a folder.

    Raises
    ------
    BundleError
        Where it is none, incomplete, was touched, or its model cannot be used here; with the
        reason.
    """
    manifest = INDEX.read(folder)
    with INDEX.naming(folder):
        for name, (size, digest) in manifest["files"].items():
            path = folder / name
            if not path.is_file():
                raise ValueError(f"its file {name} is missing")
            # Vectors may be gigabytes: of these the size is looked at here.
            if path.stat().st_size != size or (digest and sha256(path) != digest):
                raise ValueError(f"its file {name} was changed")
        bundle = Bundle.load(folder / MODEL)
        if read_manifest(folder / MODEL)["sha256"] != manifest["bundle"]:
            raise ValueError(f"its folder {MODEL} holds another bundle")
        learned = put_together(State(manifest["tree"], read_arrays(folder / LEARNED), {}))
        spaces = Spaces(pooled_encoders(bundle.cell), learned["reductions"], learned["projection"])
        count, checksums = manifest["items"], manifest.get("checksums", {})
        vectors = {
            space: partial(
                _mapped, folder, space.name, (count, manifest["widths"][space.name])
            )
            for space in spaces.spaces
        }
        present = {
            modality: np.fromfile(folder / f"{modality}.present", np.bool_)
            for modality in spaces.encoders
        }
        for modality, there in present.items():
            check_unchanged(folder, f"{modality}.present", checksum(there), checksums)
        check_unchanged(folder, ITEMS, end_of_table(folder / ITEMS), checksums)
        approximation = _approximation(folder, manifest, spaces)
    measured = None if manifest["measured"] is None else Measured(**manifest["measured"])
    return IndexFiles(
        folder, manifest["bundle"], spaces, tuple(manifest["columns"]),
        VerifiedVectors(folder, vectors, checksums), present, measured, approximation,
    )


def _approximation(folder: Path, manifest: Mapping[str, Any], spaces: Spaces) -> Approximation:
    """What a manifest says of it; those of earlier versions say nothing, and have no lists."""
    above = int(manifest.get("approximate_above", ABOVE))
    stored = manifest.get("agreement")
    if stored is None:
        return Approximation(above)
    agreement = Agreement(**stored)
    lists = {}
    for space in spaces.spaces:
        if space.name in agreement.probes:
            files = ListFiles.read(folder, space.name)
            if files.centroids.shape[1] != manifest["widths"][space.name]:
                raise ValueError(f"its lists of {space.name} are of other vectors")
            lists[space] = Lists(
                space.name, files, manifest["items"], agreement.probes[space.name], above
            )
    return Approximation(above, agreement, lists)


@contextmanager
def _table(folder: Path) -> Iterator[pq.ParquetFile]:
    """The items; what is read of them and was changed is a ValueError."""
    try:
        with pq.ParquetFile(folder / ITEMS, page_checksum_verification=True) as file:
            yield file
    except OSError as error:
        raise ValueError(f"its file {ITEMS} cannot be read: {error}") from error


def _mapped(folder: Path, name: str, shape: tuple[int, int]) -> FloatArray:
    if not shape[0]:
        return np.zeros(shape, np.float32)
    return np.memmap(folder / f"{name}.f32", np.float32, mode="r", shape=shape)


def _sealed_file(path: Path) -> tuple[int, str]:
    """Size and sha256 of a file; no sha256 where it may be gigabytes."""
    is_large = path.suffix in LARGE or path.name == ITEMS
    return path.stat().st_size, "" if is_large else sha256(path)


class IndexWriter:
    """Writes an index beside its place, items by items.

    Parameters
    ----------
    folder : where it is written.
    columns : names of the items' other columns.
    """

    def __init__(self, folder: Path, spaces: Spaces, columns: tuple[str, ...]) -> None:
        self._folder, self._spaces, self._columns = folder, spaces, columns
        self._count = 0
        self._checksums: dict[str, int] = {}
        self._widths: dict[str, int] = {}
        names = [*OURS[:-1], *(f"{GIVEN}{name}" for name in columns)]
        fields = [*((name, pa.string()) for name in names), ("thumbnail", pa.binary())]
        self._schema = pa.schema(fields)
        self._table = pq.ParquetWriter(
            folder / ITEMS, self._schema, compression="zstd", write_page_checksum=True
        )

    def add(
        self,
        rows: list[dict[str, Any]],
        vectors: Mapping[Space, FloatArray],
        present: Mapping[Modality, NDArray[np.bool_]],
    ) -> None:
        """Further items: their columns, vectors by space, and which have which modality."""
        self._table.write_table(pa.Table.from_pylist(rows, schema=self._schema))
        for space, values in vectors.items():
            self._widths[space.name] = values.shape[1]
            self._append(f"{space.name}.f32", np.ascontiguousarray(values, np.float32).tobytes())
        for modality, there in present.items():
            self._append(f"{modality}.present", there.tobytes())
        self._count += len(rows)

    def vectors(self) -> Vectors:
        """Those of all items that were added."""
        return Vectors(
            {
                space: _mapped(self._folder, space.name, (self._count, self._widths[space.name]))
                for space in self._spaces.spaces
            },
            {
                modality: np.fromfile(self._folder / f"{modality}.present", np.bool_)
                for modality in self._spaces.encoders
            },
        )

    def _append(self, name: str, content: bytes) -> None:
        with (self._folder / name).open("ab") as file:
            file.write(content)
        self._checksums[name] = zlib.crc32(content, self._checksums.get(name, 0))

    def finish(
        self, model: Path, measured: Measured | None, approximation: Approximation
    ) -> None:
        """Write the rest. Without this there is no index."""
        self._table.close()
        shutil.copytree(model, self._folder / MODEL)
        learned = {
            "reductions": dict(self._spaces.reductions), "projection": self._spaces.projection
        }
        state = taken_apart(learned)
        write_arrays(state.arrays, self._folder / LEARNED)
        files = {
            path.name: _sealed_file(path) for path in self._folder.iterdir() if path.is_file()
        }
        content = {
            "kind": INDEX.name,
            "format": INDEX.format,
            "bundle": read_manifest(model)["sha256"],
            "items": self._count,
            "columns": list(self._columns),
            "widths": self._widths,
            "tree": state.tree,
            "measured": None if measured is None else asdict(measured),
            "approximate_above": approximation.above,
            "agreement": (
                None if approximation.agreement is None else asdict(approximation.agreement)
            ),
            "files": files,
            "checksums": {**self._checksums, ITEMS: end_of_table(self._folder / ITEMS)},
        }
        (self._folder / INDEX.manifest).write_text(sealed(canonical(content)), encoding="utf-8")

    def abandon(self) -> None:
        """Close what is open."""
        self._table.close()
