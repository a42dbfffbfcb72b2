"""Predictions of many items, part by part: what is finished is kept, and gone on from."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.block import Modality
from features.pictures.decoding import UnreadablePicture
from pipeline.data.samples import NOUNS
from pipeline.use.bundle import Bundle
from pipeline.use.conformal import LeftOut, sets
from pipeline.use.items.item import Item, without_unreadable
from pipeline.use.problem import BundleError
from reports.page.files import write_whole

PART = 512  # items that are predicted together: what is in memory, and what an interruption loses
ENDINGS = (".csv", ".jsonl", ".parquet")
ITEM = "item"  # of a finished row: the digest of the item that it is about


def predicted(
    bundle: Bundle, items: Iterable[Item], coverage: float | None
) -> Iterator[list[dict[str, Any]]]:
    """Rows of predictions, a list for each part of the items.

    A row has `id`, `predicted`, `probability`, `missing` (modalities that the model asks for and
    the item lacks), `problem`, with `coverage` also `set`, and a column `p: CLASS` for each class;
    an item of which nothing can be used has no prediction, and says so. For the journal, it also
    has the item's digest (ITEM).
    """
    rest = iter(items)
    threshold = None if coverage is None else left_out_of(bundle).threshold(coverage)
    while part := list(islice(rest, PART)):
        try:
            rows = _rows(bundle, part, threshold)
        except UnreadablePicture:  # decoding each beforehand would take as long as encoding
            rows = _rows(bundle, without_unreadable(part), threshold)
        yield [{ITEM: item.digest(), **row} for item, row in zip(part, rows, strict=True)]


def left_out_of(bundle: Bundle) -> LeftOut:
    """What the bundle's cell made of rows that were left out; BundleError where that is nothing."""
    if bundle.cell.left_out is None:
        raise BundleError(
            "which classes belong into a set is not known: the bundle holds no predictions of rows "
            "that were left out"
        )
    return bundle.cell.left_out


def _rows(bundle: Bundle, part: list[Item], threshold: float | None) -> list[dict[str, Any]]:
    given: dict[Modality, list[Any]] = {
        "image": [item.picture for item in part],
        "text": [item.text for item in part],
    }
    asked = bundle.cell.modalities
    probabilities = bundle.predict_items({modality: given[modality] for modality in asked} or {
        "image": [None] * len(part)
    })
    inside = None if threshold is None else sets(probabilities, threshold)
    rows = []
    for position, item in enumerate(part):
        missing = [NOUNS[modality] for modality in asked if given[modality][position] is None]
        usable = not asked or len(missing) < len(asked)
        row: dict[str, Any] = {"id": item.name, "predicted": None, "probability": None}
        row |= {"missing": " and ".join(missing), "problem": item.problem}
        if usable:
            best = int(np.argmax(probabilities[position]))
            row["predicted"] = bundle.classes[best]
            row["probability"] = float(probabilities[position, best])
        elif not item.problem:
            row["problem"] = "nothing to predict by"
        if inside is not None:
            names = np.array(bundle.classes)[inside[position]] if usable else []
            row["set"] = " | ".join(names)
        for name, share in zip(bundle.classes, probabilities[position], strict=True):
            row[f"p: {name}"] = float(share) if usable else None
        if item.label is not None:
            row["label"] = item.label
        rows.append(row)
    return rows


class Journal:
    """Finished rows beside the output file, until all are there.

    Parameters
    ----------
    output : the file to come; its ending says which kind.
    asked : what decides the rows; another request begins anew.

    Attributes
    ----------
    given_up : names of what was asked for otherwise, where rows of another request were there.
    other_from : number of the first row that was about another item; 0 where there is none.
    """

    def __init__(self, output: Path, asked: Mapping[str, Any]) -> None:
        if output.suffix.lower() not in ENDINGS:
            raise BundleError(f"-o {output}: predictions are written as {', '.join(ENDINGS)}")
        if not output.parent.is_dir() or output.is_dir():
            what = "that is a folder" if output.is_dir() else f"there is no folder {output.parent}"
            raise BundleError(f"-o {output}: {what}")
        self._output, self._asked = output, json.dumps(asked, sort_keys=True)
        self.given_up: tuple[str, ...] = ()
        self.other_from = 0
        self.path = output.with_name(output.name + ".unfinished")

    def left(self, items: Iterator[Item]) -> Iterator[Item]:
        """The items behind those whose rows are there already.

        Rows stay as long as they are about the same items, which are read again for that: whoever
        has repaired a table, or asks standard input, may give others. From the first other one on,
        all are left.
        """
        if not self._is_of_the_same():
            self.path.unlink(missing_ok=True)
            return items
        other: list[Item] = []
        with self.path.open("r+b") as file:
            whole = len(file.readline())
            for number, line in enumerate(file, 1):
                other = list(islice(items, 1))
                if not other or _item_of(line) != other[0].digest():
                    self.other_from = number if line.endswith(b"\n") else 0
                    break
                whole, other = whole + len(line), []
            file.truncate(whole)
        return chain(other, items)

    def _is_of_the_same(self) -> bool:
        """Whether there are rows, of the same request."""
        if not self.path.exists():
            return False
        with self.path.open("rb") as file:
            line = file.readline()
        if not line.endswith(b"\n"):
            return False
        if line.decode(errors="replace").rstrip("\n") == self._asked:
            return True
        self.given_up = _differing(line, json.loads(self._asked))
        return False

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Keep finished rows."""
        is_new = not self.path.exists()
        with self.path.open("a", encoding="utf-8") as file:
            if is_new:
                file.write(self._asked + "\n")
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    def finish(self, names: list[str], watch: Callable[[Mapping[str, Any]], None]) -> None:
        """Write the output file as a whole, with these columns, and forget the rows.

        Parameters
        ----------
        watch : is given every row.
        """
        kind = self._output.suffix.lower()
        writer = {".csv": _write_csv, ".jsonl": _write_lines, ".parquet": _write_parquet}[kind]
        write_whole(self._output, lambda aside: writer(aside, names, self._rows(watch)))
        self.path.unlink()

    def _rows(self, watch: Callable[[Mapping[str, Any]], None]) -> Iterator[dict[str, Any]]:
        """All rows that are kept."""
        with self.path.open(encoding="utf-8") as file:
            next(file)
            for line in file:
                row = json.loads(line)
                watch(row)
                yield row


def _item_of(line: bytes) -> str | None:
    """The digest of the item of a finished row; None of what is no whole row."""
    try:
        row = json.loads(line) if line.endswith(b"\n") else {}
        return str(row[ITEM])
    except (TypeError, KeyError, ValueError):
        return None


def _differing(line: bytes, asked: Mapping[str, Any]) -> tuple[str, ...]:
    """What another request asked for otherwise, by the first line of its rows."""
    try:
        other = dict(json.loads(line))
    except (TypeError, ValueError):
        return ("everything",)
    return tuple(sorted(key for key in {**asked, **other} if asked.get(key) != other.get(key)))


def _write_csv(path: Path, names: list[str], rows: Iterator[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def _write_lines(path: Path, names: list[str], rows: Iterator[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            shown = {name: row.get(name) for name in names}
            file.write(json.dumps(shown, ensure_ascii=False) + "\n")


def _write_parquet(path: Path, names: list[str], rows: Iterator[dict[str, Any]]) -> None:
    numbers = {name for name in names if name == "probability" or name.startswith("p: ")}
    schema = pa.schema(
        [(name, pa.float64() if name in numbers else pa.string()) for name in names]
    )
    with pq.ParquetWriter(path, schema) as writer:
        while part := list(islice(rows, PART)):
            shown = [{name: row.get(name) for name in names} for row in part]
            writer.write_table(pa.Table.from_pylist(shown, schema))
