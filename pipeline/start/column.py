"""What a column seems to hold, by its values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from statistics import fmean
from typing import Literal, TypeAlias

import numpy as np

from features.texts.writing_systems import UNSPACED, writing_system
from pipeline.data.reading.class_folders import readable_endings
from pipeline.data.sources.column_values import LONGEST_PATH, is_base64
from reports.wording import count

LOOKED_AT = 1000  # values of a column whose form is looked at, evenly over all
MOST = 0.9  # share of these that must be of a form
CATEGORIES = 1000  # distinct values beyond which there are no categories
CATEGORY_CHARACTERS = 60
DENSE = 2  # times as many numbers as rows, between the least and the largest of those that count
Kind: TypeAlias = Literal[
    "pictures", "picture paths", "addresses", "base64", "dates", "numbers", "categories", "codes",
    "texts", "nothing", "a constant", "unreadable",
]
_ADDRESS = re.compile(r"(https?|ftp|s3|gs)://\S+")
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?([ T]\d.*)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}( .*)?")
_NUMBER = re.compile(r"[-+]?(\d+([.,]\d+)*|[.,]\d+)([eE][-+]?\d+)?")
_WHOLE = re.compile(r"[-+]?\d+")
_LETTERS_PER_WORD = 2  # of writing systems without spaces


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a table, as far as its part is to be guessed.

    Parameters
    ----------
    rows : of the table.
    filled : of these, how many have a value.
    counts : how often each value occurs; empty for pictures.
    holds_pictures : whether its values are encoded pictures.
    problem : why its values cannot be read; empty where they can.
    """

    name: str
    rows: int
    filled: int
    counts: Mapping[str, int] = field(default_factory=dict, repr=False)
    holds_pictures: bool = False
    problem: str = ""

    @classmethod
    def of(cls, name: str, values: Sequence[str | None]) -> Column:
        """A column of plain values, None where a row has none."""
        counts = Counter(value for value in values if value is not None)
        return cls(name, len(values), counts.total(), counts)

    @property
    def distinct(self) -> int:
        """How many different values it has."""
        return len(self.counts)

    @property
    def is_unique(self) -> bool:
        """Whether every row has a value of its own."""
        return self.distinct == self.rows

    @cached_property
    def sample(self) -> tuple[str, ...]:
        """Some of its distinct values, evenly over all."""
        values = tuple(self.counts)
        positions = np.linspace(0, len(values) - 1, min(len(values), LOOKED_AT)).astype(int)
        return tuple(values[position] for position in positions)

    def share(self, is_so: Callable[[str], object]) -> float:
        """Share of the sample of which something holds; 0 where there is none."""
        return fmean(bool(is_so(value)) for value in self.sample) if self.sample else 0.0

    @cached_property
    def words(self) -> float:
        """Mean number of words of a value."""
        return fmean(map(_word_count, self.sample)) if self.sample else 0.0

    @cached_property
    def characters(self) -> float:
        """Mean length of a value."""
        return fmean(map(len, self.sample)) if self.sample else 0.0

    @cached_property
    def kind(self) -> Kind:
        """What its values are like."""
        if self.problem:
            return "unreadable"
        if self.holds_pictures:
            return "pictures"
        if not self.filled:
            return "nothing"
        by_form = self._by_form()
        if by_form is not None:
            return by_form
        return "a constant" if self.distinct == 1 else self._by_content()

    def _by_form(self) -> Kind | None:
        """What every single value shows."""
        forms: dict[Kind, Callable[[str], object]] = {
            "base64": is_base64,
            "addresses": _ADDRESS.fullmatch,
            "picture paths": is_picture_path,
            "dates": _DATE.fullmatch,
            "numbers": _NUMBER.fullmatch,
        }
        return next((kind for kind, form in forms.items() if self.share(form) >= MOST), None)

    def _by_content(self) -> Kind:
        """What the values show together: how often they come again, and how long they are."""
        few = self.distinct <= min(CATEGORIES, max(2, self.filled / 3))
        if few and self.characters <= CATEGORY_CHARACTERS:
            return "categories"
        single = self.share(lambda value: len(value.split()) == 1)
        coded = self.share(lambda value: any(map(str.isdecimal, value)) or not value.isalpha())
        if single >= MOST and coded >= 1 / 2 and self.words < 2 * _LETTERS_PER_WORD:
            return "codes"
        return "texts"

    @property
    def is_whole(self) -> bool:
        """Whether its numbers are whole."""
        return self.kind == "numbers" and self.share(_WHOLE.fullmatch) == 1

    @property
    def numbers_rows(self) -> bool:
        """Whether its numbers are all but consecutive, a row each: they count rows, not things."""
        if not (self.is_unique and self.is_whole):
            return False
        numbers = [int(value) for value in self.counts]
        return max(numbers) - min(numbers) < DENSE * self.rows

    @property
    def seems(self) -> str:
        """What it seems to be, for messages."""
        said = {
            "pictures": "encoded pictures",
            "picture paths": "paths of picture files",
            "addresses": "web addresses",
            "base64": "pictures as base64 text",
            "dates": "dates",
            "numbers": f"numbers, {count(self.distinct, 'distinct value')}",
            "categories": f"{count(self.distinct, 'category', 'categories')}",
            "codes": f"codes, {count(self.distinct, 'distinct value')}",
            "texts": f"texts of {count(round(self.words), 'word')}, {self.distinct:,} distinct",
            "nothing": "empty",
            "a constant": "the same value throughout",
            "unreadable": self.problem,
        }[self.kind]
        lacking = self.rows - self.filled
        return said + (f", {count(lacking, 'row')} without" if lacking and self.filled else "")


def is_picture_path(value: str) -> bool:
    """Whether a value may be the path of a picture file."""
    if len(value) > LONGEST_PATH or "\n" in value or "://" in value:
        return False
    return PurePosixPath(value).suffix.lower() in readable_endings()


def _word_count(text: str) -> float:
    """Words between spaces; where there are none, as many as the letters make."""
    if text.isascii():
        return len(text.split())
    unspaced = sum(writing_system(letter) in UNSPACED for letter in text[:LOOKED_AT])
    return max(len(text.split()), unspaced / _LETTERS_PER_WORD)
