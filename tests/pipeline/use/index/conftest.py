"""Sixty items of three classes whose pictures and words go together, and their index."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.index import main as index_items
from pipeline.use.index.index import Index
from tests.support.tiny import write_table

PER_CLASS = 20


@dataclass(frozen=True)
class Indexed:
    table: Path
    model: Path
    folder: Path

    @property
    def index(self) -> Index:
        return Index.load(self.folder)


def rows_of(table: Path) -> list[list[str]]:
    """Rows of the table, the header first."""
    with table.open(newline="") as file:
        return list(csv.reader(file))


def write(table: Path, rows: list[list[str]]) -> None:
    with table.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.fixture(scope="session")
def indexed(made, tmp_path_factory) -> Indexed:
    folder = tmp_path_factory.mktemp("indexed")
    write_table(folder, PER_CLASS)
    table = folder / "items.csv"
    header, *rows = rows_of(table)
    tagged = [[*row, f"{row[3]}|{'even' if at % 2 else 'odd'}"] for at, row in enumerate(rows)]
    write(table, [[*header, "tags"], *tagged])
    assert index_items([str(made.model), str(table), "-o", str(folder / "index")]) == 0
    return Indexed(table, made.model, folder / "index")
