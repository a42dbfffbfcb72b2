"""Where the quotes of CSV and TSV files open and close (RFC 4180), and which of them swallow rows.

Arrow and Python's csv module read past a quote that does not close, or that closes in a later row:
what lies between becomes one value, and rows are gone without a word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Literal

from reports.wording import count

Quoting = Literal["double", "none"]

LINE_END = re.compile(rb"\r\n|\r|\n")
A_LINE = re.compile(rb"[^\r\n]+")
SWALLOWED = 2  # delimiters in a quoted value beyond which lines like rows are no accident


class Quotes:
    """The quoted values of a file.

    Parameters
    ----------
    content : the file's bytes.
    delimiter : of its fields.
    """

    def __init__(self, content: bytes, delimiter: str) -> None:
        self._content, self._delimiter = content, delimiter.encode()
        ends = re.escape(self._delimiter) + rb"\r\n"
        # A quote opens a value at the start of a field only; the last two groups are the quote that
        # closes it, and what must not stand behind that.
        self._value = re.compile(
            rb'(?:\A|(?<=[' + ends + rb']))"[^"]*+(?:""[^"]*+)*+("?)([^' + ends + rb"]?)"
        )
        delimiters = re.escape(self._delimiter)
        self._on_a_line = re.compile(
            rb"(?:\A|(?<=" + delimiters + rb'))"[^"]*(?:""[^"]*)*"(?=' + delimiters + rb"|\Z)"
        )

    def broken(self) -> Iterator[str]:
        """Say of each quote that does not close, or has text behind its end, where it opens."""
        for value in self._values():
            if not value[1]:
                yield f"{self._where(value.start())}: a quote opens and never closes"
            elif value[2]:
                yield (
                    f"{self._where(value.start())}: a quote opens that closes, in line "
                    f"{self._line(value.end())}, before the end of its field"
                )

    def swallowing(self) -> Iterator[str]:
        """Say of each quoted value with line breaks that seems to be rows where it opens.

        It does where each of the record's lines has as many fields as the header, and either all
        lines of the file have (reading without quotes gives a sound table), or these lines have, in
        a column whose values repeat, nothing but values of other rows.
        """
        columns = self._header_size()
        if columns < 2:
            return
        suspects = [
            (start, lines) for start, lines in self._records() if self._are_rows(lines, columns)
        ]
        if not suspects:
            return
        everything = self._content.splitlines()
        is_table = self._are_rows(everything, columns)
        apart = set(chain.from_iterable(lines for _, lines in suspects))
        repeated = self._repeated([line for line in everything[1:] if line not in apart])
        for start, lines in suspects:
            is_long = (len(lines) - 1) * (columns - 1) >= SWALLOWED
            if (is_table and is_long) or self._are_familiar(lines, repeated):
                yield (
                    f"{self._where(start)}: a quote opens that closes "
                    f"{count(len(lines) - 1, 'line')} later, and each of these lines is a row by "
                    "itself"
                )

    def _values(self) -> Iterator[re.Match[bytes]]:
        if b'"' in self._content:
            yield from self._value.finditer(self._content)

    def _records(self) -> Iterator[tuple[int, list[bytes]]]:
        """Where values with line breaks open, and the lines of the records they stand in."""
        behind = 0
        for value in self._values():
            if value.start() < behind or not LINE_END.search(value[0]):
                continue
            ends = (self._content.rfind(sign, behind, value.start()) for sign in (b"\n", b"\r"))
            start = max(*ends, behind - 1) + 1
            rest = LINE_END.search(self._content, value.end())
            behind = rest.start() if rest else len(self._content)
            yield value.start(), self._content[start:behind].splitlines()

    def _fields(self, line: bytes) -> list[bytes]:
        """The fields of a line, where a quote that closes in a later line is a letter."""
        if b'"' not in line:
            return line.split(self._delimiter)
        quoted = self._on_a_line.findall(line)
        fields = self._on_a_line.sub(b'""', line).split(self._delimiter)
        values = iter(quoted)  # no other field is two quotes
        return [next(values)[1:-1] if field == b'""' else field for field in fields]

    def _header_size(self) -> int:
        header = A_LINE.search(self._content)
        return len(self._fields(header[0])) if header else 0

    def _are_rows(self, lines: Sequence[bytes], columns: int) -> bool:
        return all(len(self._fields(line)) == columns for line in lines if line)

    def _repeated(self, lines: Sequence[bytes]) -> list[set[bytes]]:
        """Of each column whose values repeat in the lines, these values."""
        rows = [self._fields(line) for line in lines if line]
        columns = [Counter(column) for column in zip(*rows, strict=False)]
        return [
            set(counts) - {b""} if 2 * len(counts) <= len(rows) else set() for counts in columns
        ]

    def _are_familiar(self, lines: Sequence[bytes], repeated: Sequence[set[bytes]]) -> bool:
        columns = zip(*map(self._fields, filter(None, lines)), strict=True)
        return any(
            values.issuperset(column) for values, column in zip(repeated, columns, strict=False)
        )

    def _line(self, position: int) -> int:
        return len(LINE_END.findall(self._content[:position])) + 1

    def _where(self, position: int) -> str:
        """The row, from 1 behind the header, and the line that a position stands in."""
        before = self._value.sub(b'"', self._content[:position])
        *lines, _ = LINE_END.split(before)
        row = sum(map(bool, lines))
        return f"{f'row {row}' if row else 'the header'} (line {self._line(position)})"
