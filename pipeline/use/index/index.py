"""An index of items: ask it with words and pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from features.block import FloatArray, Modality, unit_rows
from features.machine.nearest import nearest as nearest_name
from features.machine.nearest import nearest_few
from pipeline.data.samples import NOUNS
from pipeline.use.index.files import IndexFiles, read_index
from pipeline.use.index.lists import Lists, faiss_lacking, has_faiss
from pipeline.use.index.nearest import Comparison, Ranking, nearest
from pipeline.use.index.question import Term, question
from pipeline.use.index.spaces import Space, known_modalities
from pipeline.use.problem import BundleError
from reports.wording import listed, quoted

By = Literal["picture", "text", "both"]
MODALITY: Mapping[str, Modality] = {noun: modality for modality, noun in NOUNS.items()}
WITHOUT_KNOWN = "texts without a known "  # what encoders count so: see Encoder.counts


@dataclass(frozen=True)
class Hit:
    """An item that was found.

    Parameters
    ----------
    score : the mean of the cosines, by their weights.
    cosines : of its picture and its text with the question, of what it has.
    row : position in the index.
    """

    id: str
    score: float
    cosines: Mapping[str, float]
    text: str | None
    columns: Mapping[str, str | None]
    row: int
    thumbnail: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Wish:
    """Which items are to be found.

    Parameters
    ----------
    count : how many.
    by : what of the items is compared with the question.
    where : columns and the values that they shall have, or with a "!" before, not have.
    weight : share of the picture in the score, where both are compared.
    exact : whether all items are compared, where the index has lists for an approximate search.
    """

    count: int = 10
    by: By = "both"
    where: tuple[tuple[str, str], ...] = ()
    weight: float = 0.5
    exact: bool = False


class Hits(list[Hit]):
    """Items that were found, best first.

    Parameters
    ----------
    note : a sentence where search was approximate, or should have been; else empty.
    """

    def __init__(self, hits: Iterable[Hit] = (), note: str = "") -> None:
        super().__init__(hits)
        self.note = note


class Index:
    """An index that python -m pipeline.index wrote."""

    def __init__(self, files: IndexFiles) -> None:
        self.files = files
        self._columns: dict[str, list[Any]] = {}

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """The index in a folder. Raises BundleError where it cannot be used, with the reason."""
        return cls(read_index(Path(folder)))

    def __len__(self) -> int:
        return len(self.files)

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What its items are compared by."""
        return tuple(self.files.present)

    def search(
        self, text: str = "", pictures: Sequence[Path] = (), wish: Wish | None = None
    ) -> Hits:
        """The items next to a question such as `"bird" + sky.jpg - cage`, best first.

        Raises
        ------
        BundleError
            Where the question, or what is wished, cannot be asked of this index.
        """
        wish, terms = wish or Wish(), question(text, pictures)
        comparisons = self.comparisons(terms, wish)
        hits = self.hits(nearest(comparisons, wish.count, self.allowed(wish.where)))
        hits.note = "; ".join(filter(None, (hits.note, self._unknown(terms))))
        return hits

    def _unknown(self, terms: Sequence[Term]) -> str:
        """Which words say nothing to the model, that knows those it learned from alone."""
        unknown = [
            quoted(str(term.content)) for term in terms
            if term.modality == "text" and self._knows_no_word(term)
        ]
        if not unknown:
            return ""
        return f"the model knows no word of {listed(unknown)}: what is found says nothing of it"

    def _knows_no_word(self, term: Term) -> bool:
        counts = self.files.spaces.encoders["text"].counts([term.content])
        return any(
            number > 0 for name, number in counts.items() if name.startswith(WITHOUT_KNOWN)
        )

    def comparisons(self, terms: Sequence[Term], wish: Wish) -> dict[str, Comparison]:
        """What the question is compared with, by name.

        Items' texts meet words, and their pictures pictures, in the modality's own space; what is
        of both kinds, or of the other one, in the space for both.
        """
        asked = {term.modality for term in terms}
        strange = asked - set(self.files.spaces.encoders)
        if strange:
            raise BundleError(
                f"this index knows {known_modalities(self.modalities)} only: it cannot be asked "
                f"with a {' or a '.join(sorted(NOUNS[modality] for modality in strange))}"
            )
        of_terms = [
            (term, self.files.spaces.vectors(term.modality, [term.content])) for term in terms
        ]
        result: dict[str, Comparison] = {}
        for name, modality in self.compared(wish.by).items():
            space = Space(modality, shared=asked != {modality})
            if space in self.files.vectors:
                parts = [
                    term.sign * vectors[Space(term.modality, space.shared)]
                    for term, vectors in of_terms
                ]
                total = np.concatenate(parts).sum(axis=0)
                result[name] = self.comparison(space, total, wish)
        if not result:
            raise BundleError(self._why_not(wish.by))
        return result

    def compared(self, by: By) -> dict[str, Modality]:
        """What of the items is compared, with the modality of each."""
        return {noun: modality for noun, modality in MODALITY.items() if by in (noun, "both")}

    def comparison(self, space: Space, vector: FloatArray, wish: Wish) -> Comparison:
        """Of a vector (k,) of any length, in a space, with all items."""
        share = wish.weight if space.modality == "image" else 1 - wish.weight
        return Comparison(
            self.files.vectors[space],
            self.files.present[space.modality],
            unit_rows(vector[None])[0],
            share if wish.by == "both" else 1.0,
            None if wish.exact else self._lists.get(space),
        )

    @cached_property
    def _lists(self) -> Mapping[Space, Lists]:
        return self.files.approximation.lists if has_faiss() else {}

    def _why_not(self, by: By) -> str:
        if len(self.modalities) == 2:
            return (
                "this index has learned no space for both pictures and texts: ask for texts with "
                "words (--by text) and for pictures with pictures (--by picture)"
            )
        return (
            f"this index knows {known_modalities(self.modalities)} only: leave out --by {by}"
        )

    def allowed(self, where: Sequence[tuple[str, str]]) -> NDArray[np.bool_] | None:
        """Bool (n,): items with these values of their columns; None where all are.

        Raises
        ------
        BundleError
            For columns that the items do not have, and values that none has.
        """
        if not where:
            return None
        allowed = np.ones(len(self), np.bool_)
        problems: list[str] = []
        for name, value in where:
            plain, shall_equal = name.removesuffix("!"), not name.endswith("!")
            try:
                stored_values = self.column(plain)
            except BundleError as error:
                problems.append(str(error))
                continue
            equal = np.array([stored == value for stored in stored_values])
            if not equal.any():
                known = {str(stored) for stored in stored_values}
                problems.append(f"no item has {plain}={value}{nearest_few(value, known)}")
            allowed &= equal if shall_equal else ~equal
        if problems:
            raise BundleError("\n".join(problems))
        return allowed

    def column(self, name: str) -> list[Any]:
        """Values of the items' column. Raises BundleError where they have none of that name."""
        if name not in self.files.columns:
            raise BundleError(
                f"items have no column '{name}'; {nearest_name(name, self.files.columns)}"
            )
        if name not in self._columns:
            self._columns[name] = self.files.column(name)
        return self._columns[name]

    def hits(self, ranking: Ranking) -> Hits:
        """What is known of the items of a ranking."""
        return Hits(self._hits(ranking), self._note(ranking))

    def _note(self, ranking: Ranking) -> str:
        agreement = self.files.approximation.agreement
        if agreement is None:
            return ""
        if ranking.by_lists:
            return agreement.line(ranking.by_lists)
        if not has_faiss():
            return f"exact search: {faiss_lacking()}"
        return ""

    def _hits(self, ranking: Ranking) -> list[Hit]:
        if not len(ranking.rows):
            return []
        names = ("id", "text", "thumbnail", *self.files.columns)
        values = self.files.rows(ranking.rows, names)
        return [
            Hit(
                values["id"][at],
                float(ranking.scores[at]),
                {
                    name: float(cosines[at])
                    for name, cosines in ranking.cosines.items()
                    if np.isfinite(cosines[at])
                },
                values["text"][at],
                {name: values[name][at] for name in self.files.columns},
                int(row),
                values["thumbnail"][at],
            )
            for at, row in enumerate(ranking.rows)
        ]

    def row_of(self, identifier: str) -> int:
        """The position of the item with an id. Raises BundleError where there is none, or two."""
        row = self._rows_by_id.get(identifier)
        if row is not None and identifier in self._repeated_ids:
            raise BundleError(
                f"several items have the id '{identifier}': index them with another column of ids, "
                "--id COLUMN"
            )
        if row is None:
            raise BundleError(
                f"no item has the id '{identifier}'{nearest_few(identifier, self._rows_by_id)}"
            )
        return row

    @cached_property
    def _rows_by_id(self) -> dict[str, int]:
        return {identifier: row for row, identifier in enumerate(self.files.column("id"))}

    @cached_property
    def _repeated_ids(self) -> frozenset[str]:
        ids = self.files.column("id")
        if len(self._rows_by_id) == len(ids):
            return frozenset()
        return frozenset(name for name, number in Counter(ids).items() if number > 1)
