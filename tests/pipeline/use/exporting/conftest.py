"""A run of texts by a small sentence model, and a bundle of it that is exported."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.bundle import main as bundle
from tests.support.random_sentences import random_sentence_model
from tests.support.tiny import TEXT_GRID, run_grid, without_report, write_grid, write_table


@dataclass(frozen=True)
class Exported:
    folder: Path  # of the table and the grid
    run: Path
    model: Path
    table: Path


@pytest.fixture(scope="session")
def exported_bundle(tmp_path_factory) -> Exported:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("exported")
    random_sentence_model(folder / "model")
    write_table(folder)
    texts = "[{sbert: {model: ./model, max_tokens: 12}}, tfidf]"
    write_grid(folder, TEXT_GRID.replace("[bow, tfidf]", texts))
    with pytest.MonkeyPatch.context() as patch:
        without_report(patch)
        assert run_grid(folder, out="run") == 0
    cells = json.loads((folder / "run/verdict.json").read_text())["cells"]
    name = next(cell["name"] for cell in cells if cell["name"].startswith("sbert"))
    assert bundle([str(folder / "run"), "--cell", name, "--onnx", "-o", str(folder / "m")]) == 0
    return Exported(folder, folder / "run", folder / "m", folder / "items.csv")
