"""Which columns of a table of items hold what: as said, or as it is with a bundle's own rows."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from features.machine.nearest import nearest
from pipeline.data.reading.numbers import number_text
from pipeline.data.reading.quotes import Quoting
from pipeline.use.problem import BundleError


@dataclass(frozen=True)
class Columns:
    """Which columns hold what; None for what is not looked at.

    Parameters
    ----------
    text : one, or several whose texts are joined line by line.
    others : whether the values of all other columns are asked for, too.
    allow_outside : whether paths of pictures may lead out of the table's folder.
    quoting : of a CSV or TSV file, see `pipeline.data.sources.columns.read_columns`.
    said : names that the user said, and that must be there whatever the model looks at.
    unknown : options by which columns are to be named, where nothing tells any that the model
        looks at.
    """

    image: str | None = None
    text: tuple[str, ...] = ()
    label: str | None = None
    id: str | None = None
    others: bool = False
    allow_outside: bool = False
    quoting: Quoting | None = None
    said: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def used(self) -> set[str]:
        """The columns whose values are known to be needed."""
        return {name for name in (self.image, *self.text, self.label, self.id) if name}

    def asked(self, names: Sequence[str]) -> set[str]:
        """Those of a table's columns whose values are looked at."""
        return set(names) if self.others else self.used & set(names)

    def row(self, values: Mapping[str, Any]) -> dict[str, str | None]:
        """Values of the other columns as text; None for what is neither text nor number."""
        if not self.others:
            return {}
        used = {self.image, *self.text}
        return {
            name: plain(value) if isinstance(value, str | int | float) else None
            for name, value in values.items()
            if name not in used
        }

    def check(self, names: Sequence[str], needed: Sequence[str], file: str) -> None:
        """Raise BundleError where the table lacks columns that the model needs, or none is told."""
        if self.unknown:
            raise BundleError(
                f"{file}: which column holds what is not known, for the model's own rows came from "
                f"no table: say {' and '.join(self.unknown)} (columns: {', '.join(names)})"
            )
        missing = [name for name in dict.fromkeys((*self.said, *needed)) if name not in names]
        if missing:
            advice = "; name another with --image or --text"
            raise BundleError("\n".join(
                f"{file} has no column '{name}'; {nearest(name, names)}"
                f"{'' if name in self.said else advice}" for name in missing
            ))


def plain(value: Any) -> str | None:
    """A value as text; None where nothing is left."""
    if isinstance(value, float):
        return number_text(value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return None if value is None else text.strip() or None


def add_columns(parser: argparse.ArgumentParser) -> None:
    """Let a command be told what the columns of its items are."""
    for name, what in (("image", "the picture (path, or bytes in Parquet)"), ("id", "the id")):
        parser.add_argument(f"--{name}", metavar="COLUMN",
                            help=f"column with {what} (default: as the bundle's rows had it)")
    parser.add_argument("--text", metavar="COLUMN", action="append",
                        help="column with the text; several are joined line by line")
    parser.add_argument("--allow-outside", action="store_true",
                        help="read pictures outside the table's folder, too")
    parser.add_argument("--quoting", choices=get_args(Quoting),
                        help="of a CSV or TSV file: double quotes around values, or none where a "
                             "quote is a letter (default: as the bundle's rows had it)")


def columns_given(options: argparse.Namespace, label: str | None = None) -> Columns:
    """What was said; the rest is for the bundle to say."""
    texts = tuple(options.text or ())
    single = (options.image, options.id, label)
    return Columns(
        image=options.image,
        text=texts,
        label=label,
        id=options.id,
        said=(*texts, *(name for name in single if name is not None)),
        allow_outside=options.allow_outside,
        quoting=options.quoting,
    )
