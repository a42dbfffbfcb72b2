"""The notebook is kept as it was written: what it shows is made anew wherever it is run."""

from __future__ import annotations

import json

from tests.support.paths import ROOT

NOTEBOOK = json.loads((ROOT / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def test_it_holds_no_output():
    assert CODE
    assert [cell["source"] for cell in CODE if cell["outputs"] or cell["execution_count"]] == []


def test_it_goes_from_rows_to_search():
    code = "".join("".join(cell["source"]) for cell in CODE)
    steps = ["compare(", "compared.report", "compared.bundle(", "model.predict(", "index.search("]
    positions = [code.index(step) for step in steps]
    assert positions == sorted(positions)
