"""How a CSV or TSV file is written: its delimiter, and whether quotes mark values."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow.csv as pa_csv

from pipeline.data.reading.quotes import Quotes, Quoting

MOST_PROBLEMS = 12
RULE = "say `quoting: none` beside the file's path where its writer never quotes"


@dataclass(frozen=True)
class Delimited:
    """Rows of values between delimiters.

    Parameters
    ----------
    quoting : None reads quotes, but takes them for letters that swallow rows where they may be.
    """

    delimiter: str
    quoting: Quoting | None

    def problems(self, content: bytes) -> list[str]:
        """What is wrong with quotes, each with the row where they open; the first few."""
        if self.quoting == "none":
            return []
        quotes = Quotes(content, self.delimiter)
        problems = [
            f'{reason}; write quotes inside quotes twice (""), or {RULE}'
            for reason in itertools.islice(quotes.broken(), MOST_PROBLEMS)
        ]
        if problems or self.quoting is not None:
            return problems
        return [
            f"{reason}; {RULE}, or `quoting: double` where the value does hold these lines"
            for reason in itertools.islice(quotes.swallowing(), MOST_PROBLEMS)
        ]

    def header(self, content: bytes) -> list[str]:
        """The names of the columns."""
        lines = io.StringIO(content.decode(), newline="")
        if self.quoting == "none":
            reader = csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE)
        else:
            reader = csv.reader(lines, delimiter=self.delimiter)
        return next(reader, [])

    def options(self, refuse: Callable[[Any], str]) -> pa_csv.ParseOptions:
        """Arrow's; `refuse` is asked about rows of another size than the header's."""
        return pa_csv.ParseOptions(
            delimiter=self.delimiter,
            quote_char=False if self.quoting == "none" else '"',
            newlines_in_values=self.quoting != "none",
            invalid_row_handler=refuse,
        )
