"""Numbers as text: one rule for every format, so that equal numbers are equal texts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

# Powers of ten between which a number is written without an exponent.
LARGEST, SMALLEST = 100, -6
LARGEST_WHOLE = 2**64  # of the whole numbers that other columns have; floats beyond are rounded
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")  # as JSON writes it


def number_text(number: Any) -> str | None:
    """The shortest text that is exactly the number: 3 for 3.0, 0 for -0.0, 2.5 for 2.50.

    A whole number has every digit; a float is what reads back as the same float of its precision.
    Beyond 100 digits, or five zeros behind the point, an exponent is written: 1e+300, 1e-7. None
    for what is no number (NaN).

    Parameters
    ----------
    number : int, float, Decimal, a scalar of numpy, or a number's text.
    """
    try:
        exact = _exact(number)
    except InvalidOperation:  # an exponent of more digits than any number has
        return str(number)
    if exact.is_nan():
        return None
    if exact.is_infinite():
        return "-inf" if exact < 0 else "inf"
    if not exact:
        return "0"
    power = exact.adjusted()
    if SMALLEST <= power <= LARGEST:
        text = f"{exact:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    sign, digits, _ = exact.as_tuple()
    written = "".join(map(str, digits)).rstrip("0")
    rest = f".{written[1:]}" if written[1:] else ""
    return f"{'-' * sign}{written[0]}{rest}e{power:+d}"


def number_texts(numbers: Iterable[Any]) -> list[str | None]:
    """The text of each number, None where there is none; what repeats is written once."""
    numbers = list(numbers)
    known = {number: number_text(number) for number in set(numbers) - {None}}
    return [None if number is None else known[number] for number in numbers]


def is_number(text: str) -> bool:
    """Whether a text is a number as JSON writes it: 007 and +1 are none."""
    return _NUMBER.fullmatch(text) is not None


def _exact(number: Any) -> Decimal:
    if isinstance(number, Decimal | int | str):
        return Decimal(number)
    double = float(number)
    is_whole = abs(double) < LARGEST_WHOLE and double.is_integer()
    return Decimal(int(number)) if is_whole else Decimal(str(number))
