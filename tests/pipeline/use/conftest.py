"""A finished run of a small table, a bundle of its best cell, and an index of sixty items."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.bundle import main as bundle
from pipeline.index import main as index_items
from pipeline.use.bundle import Bundle
from pipeline.use.index.index import Index
from tests.support.tiny import GRID, run_grid, without_report, write_grid, write_table

PER_CLASS = 20
# both modalities are perfect by themselves: left to itself, concat would leave one out
HALVES = "{concat: {weight: 0.5}}"
OF_BOTH = "handcrafted + tfidf / concat / logistic"


@dataclass(frozen=True)
class Made:
    folder: Path  # of the table and the grid
    run: Path
    model: Path

    @property
    def bundle(self) -> Bundle:
        return Bundle.load(self.model)


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Made:
    folder = tmp_path_factory.mktemp("made")
    write_table(folder)
    grid = GRID.replace("[mean_colour]", "[handcrafted]").replace("[bow]", "[tfidf]")
    grid = grid.replace("text_only, concat,", f"text_only, {HALVES},")
    write_grid(folder, grid.replace("source: table", "source: table, quoting: double"))
    with pytest.MonkeyPatch.context() as patch:
        without_report(patch)
        assert run_grid(folder, out="run") == 0
    model = folder / "model"
    assert bundle([str(folder / "run"), "--cell", OF_BOTH, "-o", str(model)]) == 0
    return Made(folder, folder / "run", model)


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
