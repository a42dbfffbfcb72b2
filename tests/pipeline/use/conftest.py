"""A finished run of a small table, and a bundle of its best cell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.bundle import main as bundle
from pipeline.use.bundle import Bundle
from tests.support.tiny import GRID, run_grid, without_report, write_grid, write_table

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
    write_grid(
        folder, GRID.replace("[mean_colour]", "[handcrafted]").replace("[bow]", "[tfidf]")
    )
    with pytest.MonkeyPatch.context() as patch:
        without_report(patch)
        assert run_grid(folder, out="run") == 0
    model = folder / "model"
    assert bundle([str(folder / "run"), "--cell", OF_BOTH, "-o", str(model)]) == 0
    return Made(folder, folder / "run", model)
