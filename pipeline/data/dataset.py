"""Dataset: checked samples, identical pictures and texts counted once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.block import IntArray, Modality
from pipeline.data.left_out import LeftOut
from pipeline.data.picture_check import Sizes
from pipeline.data.rows import Groups, Labels
from pipeline.store.keys import key_of
from reports.wording import first_lines, for_terminal

SHOWN = 50  # problems printed before the rest is counted


class DatasetError(Exception):
    """Rows that cannot be used; `problems` has one line for each, with its place and the rule."""

    def __init__(self, problems: Sequence[str], advice: str) -> None:
        problems = tuple(map(for_terminal, problems))
        super().__init__("\n".join(filter(None, [*first_lines(problems, SHOWN), advice])))
        self.problems = problems


@dataclass(frozen=True, eq=False)
class DistinctSamples:
    """One modality of n rows, identical samples counted once.

    Parameters
    ----------
    digests : sha256 of each distinct sample, sorted, so that the order of rows does not matter.
    samples : the distinct samples, in the order of `digests`.
    index : int64 (n,), which distinct sample each row has; -1 where it has none.
    """

    digests: tuple[str, ...]
    samples: Sequence[Any]
    index: IntArray


@dataclass(frozen=True, eq=False)
class ClassTextIndex:
    """Where the m texts stand that classes are called or described by.

    Parameters
    ----------
    classes : int64 (m,), codes of the classes.
    positions : int64 (m,), which distinct sample of the text modality each text is.
    """

    classes: Labels
    positions: IntArray


@dataclass(frozen=True, eq=False)
class Dataset:
    """n checked samples.

    Parameters
    ----------
    ids, labels : (n,) the rows' ids, and codes into `classes` (sorted class names), -1 for rows
        without a label. Pairs for retrieval are all of one code, and `classes` is empty.
    modalities : the distinct pictures and texts of the rows, of the modalities that the grid uses.
    texts : (n,) the texts as the source gives them, None where missing.
    groups : (n,) codes of the grouping column, or None.
    split : (n,) "train" or "test", or None.
    fingerprint : sha256 of every row's id, label, group, split, picture bytes and text.
    sizes : int (m, 2), width and height in pixels of each distinct picture.
    left_out, notes : the rows that are left out; and what else a reader must know.
    columns : codes (n,) of every column that the source says may group rows.
    class_texts : which texts describe which class, where classes are held out.
    breakdown : values (n,) of every column that scores are broken down by; None where a row has
        none.
    recurring : modalities whose samples come again with new items; see Samples.
    """

    ids: tuple[str, ...]
    labels: Labels
    classes: tuple[str, ...]
    modalities: Mapping[Modality, DistinctSamples]
    texts: tuple[str | None, ...]
    groups: Groups | None
    group_name: str | None
    split: NDArray[np.str_] | None
    fingerprint: str
    sizes: Sizes
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    columns: Mapping[str, Groups] = field(default_factory=dict)
    class_texts: ClassTextIndex | None = None
    breakdown: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    recurring: frozenset[Modality] = frozenset()

    @property
    def dropped(self) -> tuple[str, ...]:
        """A sentence for each row that is left out."""
        return tuple(row.sentence for row in self.left_out)

    @property
    def class_sizes(self) -> IntArray:
        """Rows of each class (K,), of those with a label."""
        sizes: IntArray = np.bincount(self.labels[self.labels >= 0], minlength=len(self.classes))
        return sizes

    @cached_property
    def digest(self) -> str:
        """Sha256 of all that is told of the rows: the fingerprint, and what that does not have."""
        described = self.class_texts
        return key_of({
            "fingerprint": self.fingerprint,
            "texts": self.texts,
            "samples": {name: distinct.digests for name, distinct in self.modalities.items()},
            "sizes": self.sizes.tolist(),
            "group": self.group_name,
            "left out": self.left_out,
            "notes": self.notes,
            "columns": {name: codes.tolist() for name, codes in self.columns.items()},
            "class texts": None
            if described is None
            else [described.classes.tolist(), described.positions.tolist()],
            "breakdown": self.breakdown,
            "recurring": sorted(self.recurring),
        })

    def __len__(self) -> int:
        return len(self.ids)


def text_digest(text: str) -> str:
    """Sha256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
