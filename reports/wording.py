"""Numbers and names as a reader sees them: the same on the page, in Markdown and in charts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Protocol


class Ends(Protocol):
    """Anything with the ends of an interval, None where there is none."""

    @property
    def low(self) -> float | None:
        """Lower end."""

    @property
    def high(self) -> float | None:
        """Upper end."""


MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"
_METRICS = {
    "f1_macro": "macro F1",
    "precision_macro": "macro precision",
    "recall_macro": "macro recall",
    "roc_auc": "ROC AUC",
}
SAME_CLASS = "same_class_"
# C0 and C1 controls except tab and newline, and the marks that turn the direction of what follows:
# none of them is visible, and some are invalid in XML. Lone surrogates cannot be written as UTF-8.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
LISTED = 10  # of a long list that is not there to be read as a whole
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def clean(text: str) -> str:
    """Text without characters that cannot be shown, written or trusted; each becomes U+FFFD."""
    return _INVISIBLE.sub(_REPLACEMENT, text.replace("\r\n", "\n"))


def for_terminal(text: str, limit: int = 1000) -> str:
    """Text for a terminal: each of its lines cleaned, and cut after `limit` characters."""
    lines = clean(text).split("\n")
    return "\n".join(line if len(line) <= limit else f"{line[: limit - 1]}…" for line in lines)


def short(text: str, limit: int = 80) -> str:
    """Text on one line of at most `limit` characters, with an ellipsis where it was cut."""
    line = " ".join(clean(text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def in_a_line(error: BaseException) -> str:
    """An error's class and what it says, on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":")


def distinct(names: Iterable[str], limit: int = 40) -> list[str]:
    """Names shortened for a chart's axis; names that became equal are numbered."""
    seen: set[str] = set()
    labels = []
    for name in names:
        label, number = short(name, limit) or "(empty)", 1
        while label in seen:
            number += 1
            label = f"{short(name, limit - 5)} ({number})"
        seen.add(label)
        labels.append(label)
    return labels


def capitalize_first(text: str) -> str:
    """Text that begins a line; the rest of it is left as it is, as in "Macro F1"."""
    return text[:1].upper() + text[1:]


def metric_label(name: str) -> str:
    """Readable name of a metric."""
    if name.startswith(SAME_CLASS):
        metric, _, space = name.removeprefix(SAME_CLASS).rpartition("_")
        return f"same class, {metric.replace('_', ' ')} ({space})"
    return _METRICS.get(name, name.replace("_", " "))


def figure(value: float | None, digits: int = 3) -> str:
    """A number with fixed decimals, or a dash where there is none."""
    if value is None or not isfinite(value):
        return NONE
    text = f"{abs(value):.{digits}f}"
    return f"{MINUS}{text}" if value < 0 and float(text) else text


def signed(value: float | None, digits: int = 3) -> str:
    """A difference, always with its sign unless it rounds to zero."""
    text = figure(value, digits)
    return (
        f"+{text}" if value is not None and isfinite(value) and value > 0 and float(text) else text
    )


def signed_end(value: float | None, most: int = 6) -> str:
    """The end of a difference's interval: three decimals, or as many as show its sign.

    On which side of zero it lies decides; what rounds to zero with `most` decimals is zero.
    """
    shown = (signed(value, digits) for digits in range(3, most + 1))
    return next((text for text in shown if text[0] in f"+{MINUS}"), signed(value))


def chance(probability: float) -> str:
    """A probability with two decimals; never 0.00 or 1.00, which nothing shows."""
    if not isfinite(probability):
        return NONE
    return (
        "< .01"
        if probability < 0.01
        else "> .99"
        if probability > 0.99
        else f"{probability:.2f}".lstrip("0")
    )


def p_value(value: float) -> str:
    """A p value with three decimals, or below the smallest of them."""
    return "< .001" if value < 0.001 else f"{value:.3f}".lstrip("0") if value < 1 else "1"


def count(number: int, singular: str, plural: str | None = None) -> str:
    """A number with its noun: "1 fold", "1,600 rows"."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def noun_of(number: int, plural: str) -> str:
    """The noun behind a number, by its plural: "passes over the texts" of one is a "pass over"."""
    if number != 1:
        return plural
    first, _, rest = plural.partition(" ")
    return f"{first[:-2] if first.endswith('sses') else first.removesuffix('s')} {rest}".rstrip()


def listed(names: Iterable[str]) -> str:
    """Names in a sentence: "a", "a and b", "a, b and c"."""
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last


def first_listed(names: Sequence[str], most: int, more: str = "more") -> str:
    """The first names in a sentence, and how many are left: "a, b and 3 more"."""
    left = len(names) - most
    return listed([*names[:most], *([f"{left} {more}"] if left > 0 else [])])


def first_lines(
    lines: Sequence[str], most: int = LISTED, where: str = "", what: str = ""
) -> list[str]:
    """The first of many lines, and how many there are more.

    Parameters
    ----------
    where : the file or place where all of them stand.
    what : the noun of those that are left.
    """
    left = len(lines) - most
    if left <= 0:
        return list(lines)
    noun, see = f" {what}" if what else "", f": see {where}" if where else ""
    return [*lines[:most], f"... and {left:,} more{noun}{see}"]


def quoted(name: str) -> str:
    """A cell's or encoder's name inside a sentence."""
    return f"“{short(name)}”"
