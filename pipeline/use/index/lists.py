"""Inverted lists of a space's vectors: FAISS finds likely neighbours without a look at all vectors.

A vector stands, as a byte for each dimension (a scalar quantiser), in the list of its nearest
centroid; a question is compared with the lists of the `probes` centroids next to it (IVF; Jégou,
Douze and Schmid, Product quantization for nearest neighbor search, 2011). What comes out are
candidates: their scores are computed from the vectors themselves (see pipeline.use.index.nearest).

FAISS's own format is not used. Its reader trusts what it reads, and an index may come from anybody
(SECURITY.md); and it reads all lists, where one question looks at a few. Here the arrays are files
of ours: the small ones are checked when an index is opened, and a list when it is looked at first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from features.block import FloatArray
from features.machine.extras import is_installed, lacking
from pipeline.use.problem import BundleError
from pipeline.use.sealed import read_arrays

CODES, ROWS = "codes", "rows"  # suffixes of files that may be gigabytes


def has_faiss() -> bool:
    """Whether the package is installed."""
    return is_installed("faiss")


def faiss_lacking() -> str:
    """What is said where it is not."""
    return lacking("approximate search", ["faiss"])


@dataclass(frozen=True, eq=False)
class ListFiles:
    """Lists of m vectors of width k in files.

    Parameters
    ----------
    centroids : float32 (L, k).
    trained : float32 (2k,), the scalar quantiser's least values and ranges, as FAISS has them.
    ends : int64 (L,), where the vectors of each list end.
    digests : uint8 (L, 32), sha256 of each list's codes and rows.
    codes : uint8 (m, k), list after list.
    rows : int64 (m,), the items that they are of.
    """

    centroids: FloatArray
    trained: FloatArray
    ends: NDArray[np.int64]
    digests: NDArray[np.uint8]
    codes: NDArray[np.uint8]
    rows: NDArray[np.int64]

    @classmethod
    def read(cls, folder: Path, space: str) -> Self:
        """Those of a space. Raises ValueError where they do not fit each other."""
        file = arrays_file(space)
        arrays = read_arrays(folder / file)
        try:
            centroids, trained, ends, digests = (
                np.asarray(arrays[name], kind) for name, kind in SMALL.items()
            )
        except KeyError as error:
            raise ValueError(f"its {file} lacks {error}") from error
        length, width = centroids.shape
        sizes = np.diff(ends, prepend=0)
        fits = (
            length > 0 < width
            and trained.shape == (2 * width,)
            and ends.shape == (length,)
            and digests.shape == (length, 32)
            and bool((sizes >= 0).all())
            and bool(np.isfinite(centroids).all() and np.isfinite(trained).all())
        )
        m = int(ends[-1]) if fits else 0
        codes, rows = folder / f"{space}.{CODES}", folder / f"{space}.{ROWS}"
        if not m or (codes.stat().st_size, rows.stat().st_size) != (m * width, m * 8):
            raise ValueError(f"its {file} does not fit the other files")
        return cls(
            centroids, trained, ends, digests,
            np.memmap(codes, np.uint8, mode="r", shape=(m, width)),
            np.memmap(rows, np.int64, mode="r", shape=(m,)),
        )

    def list_at(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Codes (s, k) and rows (s,) of a list. Raises BundleError where they were changed."""
        part = slice(int(self.ends[number - 1]) if number else 0, int(self.ends[number]))
        codes, rows = np.array(self.codes[part]), np.array(self.rows[part])
        if list_digest(codes, rows) != self.digests[number].tobytes():
            raise BundleError(
                "the index cannot be used: files of its approximate search were changed "
                "(--exact does without them; indexing the items again makes them anew)"
            )
        return codes, rows


SMALL: Mapping[str, Any] = {
    "centroids": np.float32, "trained": np.float32, "ends": np.int64, "digests": np.uint8
}


def arrays_file(space: str) -> str:
    """The name of the file with the small arrays of a space."""
    return f"{space}.lists.safetensors"


def list_digest(codes: NDArray[np.uint8], rows: NDArray[np.int64]) -> bytes:
    """The sha256 of a list's codes (s, k) and rows (s,)."""
    digest = sha256(codes.tobytes())
    digest.update(rows.tobytes())
    return digest.digest()


class Lists:
    """Lists that FAISS searches; only those that a question comes to are read.

    Parameters
    ----------
    space : name of the space.
    n : how many items the index has.
    probes : how many lists a question is compared with.
    above : so many items, or fewer, are compared exactly.
    """

    def __init__(self, space: str, files: ListFiles, n: int, probes: int, above: int) -> None:
        self.space, self.probes, self.above = space, probes, above
        self._files, self._n = files, n
        self._read: set[int] = set()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._files.ends)

    def candidates(
        self, question: FloatArray, count: int, allowed: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """Rows of at most `count` items that are likely nearest to a question (k,); no order.

        Where a share of the items may come, as many times more lists are looked at: so the items
        that may come and are looked at stay as many.

        Parameters
        ----------
        allowed : bool (n,), which items may come; None for all.

        Raises
        ------
        BundleError
            Where a list that is looked at was changed.
        """
        import faiss

        asked = np.ascontiguousarray(question[None], np.float32)
        probes, options = self.probes, dict[str, Any]()
        if allowed is not None:
            probes = round(probes * self._n / max(int(allowed.sum()), 1))
            options["sel"] = faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
        with self._lock:
            index = self._index
            # The same search for centroids that the one for vectors begins with.
            for number in index.quantizer.search(asked, min(probes, len(self)))[1][0].tolist():
                self._fill(number)
            parameters = faiss.SearchParametersIVF(nprobe=probes, **options)
            rows = index.search(asked, count, params=parameters)[1][0]
        return np.asarray(rows[rows >= 0], np.int64)

    @cached_property
    def _index(self) -> Any:
        """FAISS's index, with empty lists."""
        import faiss

        files = self._files
        index = empty_index(files.centroids.shape[1], len(files.ends))
        index.quantizer.add(np.ascontiguousarray(files.centroids))
        faiss.copy_array_to_vector(np.ascontiguousarray(files.trained), index.sq.trained)
        index.is_trained = True
        return index

    def _fill(self, number: int) -> None:
        import faiss

        if number in self._read:
            return
        codes, rows = self._files.list_at(number)
        if len(rows) and not 0 <= rows.min() <= rows.max() < self._n:
            raise BundleError("the index cannot be used: its lists name items that there are not")
        if len(rows):
            self._index.invlists.add_entries(
                number, len(rows), faiss.swig_ptr(rows), faiss.swig_ptr(codes)
            )
        self._read.add(number)


def empty_index(width: int, lists: int) -> Any:
    """FAISS's inverted lists of byte codes for products of vectors, untrained."""
    import faiss

    return faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(width), width, lists, faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
    )
