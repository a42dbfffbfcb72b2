"""How a CSV or TSV file is written: its delimiter, and whether quotes mark values."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pipeline.data.reading import arrow as pa
from pipeline.data.reading.quotes import Quotes, Quoting
from pipeline.data.samples import SourceError

if TYPE_CHECKING:
    from _csv import Reader as Records  # the csv module has no name for it

MOST_PROBLEMS = 12
HEAD, ROWS = 2**16, 20  # bytes and rows of a file that tell its delimiter
# Python's csv module refuses longer values unless it is told; Arrow does not.
csv.field_size_limit(2**31 - 1)
# What may stand between the values of a file of that ending, the usual first.
DELIMITERS: dict[str, tuple[str, ...]] = {".csv": (",", ";", "\t"), ".tsv": ("\t",)}
# How a grid says what quotes are, and what it says.
IN_A_GRID = "`quoting: {}` beside the file's path"


def delimiter_of(head: str, ending: str, quoting: Quoting | None = None) -> str:
    """What stands between the values of a file: a comma, in .csv also a semicolon or a tab.

    Spreadsheets write semicolons where a comma is the decimal sign. Taken is what divides the
    header and the first rows into equally many values, the most; where that holds of none, what is
    usual for the ending.

    Parameters
    ----------
    head : how the file begins, header included.
    """
    usual, *others = DELIMITERS[ending]
    widths = {sign: _width(head, Delimited(sign, quoting)) for sign in (usual, *others)}
    best = max(widths, key=lambda sign: widths[sign])  # the first of equals
    return best if widths[best] > 1 else usual


def _width(head: str, form: Delimited) -> int:
    """How many values the header and the first rows have; 0 where these differ."""
    reader = csv.reader(io.StringIO(head, newline=""), **form.dialect())
    try:
        sizes = [len(record) for record in itertools.islice(filter(None, reader), ROWS)]
    except csv.Error:
        return 0
    whole = sizes[:-1] if len(sizes) > 2 else sizes  # the last may go on beyond the head
    return whole[0] if len(set(whole)) == 1 else 0


@dataclass(frozen=True)
class Delimited:
    """Rows of values between delimiters.

    Parameters
    ----------
    quoting : None reads quotes, but takes them for letters that swallow rows where they may be.
    said_by : how the user says it, with {} for what is said.
    """

    delimiter: str
    quoting: Quoting | None
    said_by: str = IN_A_GRID

    @classmethod
    def of(
        cls, content: bytes, name: str, ending: str, quoting: Quoting | None,
        said_by: str = IN_A_GRID,
    ) -> Self:
        """How a file of that ending is written, whose quotes are sound.

        Parameters
        ----------
        content : its bytes, see `pipeline.data.reading.utf8`.
        name : of the file, for messages.

        Raises
        ------
        SourceError
            Where quotes are broken or swallow rows.
        """
        head = content[:HEAD].decode(errors="ignore")  # it may end within a letter
        form = cls(delimiter_of(head, ending, quoting), quoting, said_by)
        problems = form._problems(content)
        if problems:
            raise SourceError([f"{name} {problem}" for problem in problems])
        return form

    def _problems(self, content: bytes) -> list[str]:
        """What is wrong with quotes, each with the row where they open; the first few."""
        if self.quoting == "none":
            return []
        quotes = Quotes(content, self.delimiter)
        never = f"say {self.said_by.format('none')} where its writer never quotes"
        problems = [
            f'{reason}; write quotes inside quotes twice (""), or {never}'
            for reason in itertools.islice(quotes.broken(), MOST_PROBLEMS)
        ]
        if problems or self.quoting is not None:
            return problems
        double = self.said_by.format("double")
        return [
            f"{reason}; {never}, or {double} where the value does hold these lines"
            for reason in itertools.islice(quotes.swallowing(), MOST_PROBLEMS)
        ]

    def header(self, content: bytes) -> list[str]:
        """The names of the columns."""
        return next(filter(None, self.records(content)), [])

    def records(self, content: bytes) -> Records:
        """A reader of all rows, the header and empty ones included.

        Raises csv.Error, when it comes there, where a row cannot be read.
        """
        lines = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")
        return csv.reader(lines, strict=True, **self.dialect())

    def dialect(self) -> dict[str, Any]:
        """Parameters of the csv module's readers."""
        quoting = csv.QUOTE_NONE if self.quoting == "none" else csv.QUOTE_MINIMAL
        return {"delimiter": self.delimiter, "quoting": quoting}

    def options(self, refuse: Callable[[Any], str]) -> pa.csv.ParseOptions:
        """Arrow's; `refuse` is asked about rows of another size than the header's."""
        return pa.csv.ParseOptions(
            delimiter=self.delimiter,
            quote_char=False if self.quoting == "none" else '"',
            newlines_in_values=self.quoting != "none",
            invalid_row_handler=refuse,
        )
