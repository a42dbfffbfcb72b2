"""Late fusion in a run: unimodal models fitted once serve every pair and rule.

Rules learn from inner folds only.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter

import numpy as np
import pytest

from models.classifiers.logistic import Logistic
from models.early.baselines import ImageOnly
from models.late.late import Late
from models.views import Views
from pipeline import flow
from pipeline.store.folder import FolderStore
from pipeline.tasks import fit, procedures
from tests.support.tiny import (
    GRID,
    MeanColour,
    register,
    run_grid,
    scores,
    without_report,
    write_grid,
    write_table,
)

LEARNED = ["weighted", "log_pool", "stacking", "selection"]
RULES = ["mean", "product", "max", "majority", *LEARNED]
PAIRS = GRID.replace("[mean_colour]", "[mean_colour, {mean_colour: {power: 2}}]").replace(
    "[bow]", "[bow, tfidf]"
)


def late(rules, more="", grid=PAIRS):
    return re.sub("fusion: .*", f"fusion: [{more}{{late: {{rule: [{', '.join(rules)}]}}}}]", grid)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    register(monkeypatch)
    without_report(monkeypatch)
    write_table(tmp_path)
    return tmp_path


def watched(patch):
    """Names of the cells whose models are fitted from now on, once for each fold."""
    names, result = [], fit._result
    patch.setattr(
        fit, "_result", lambda unit, *rest: names.append(unit.cell.name) or result(unit, *rest)
    )
    return names


@pytest.fixture
def fitted(monkeypatch):
    return watched(monkeypatch)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which every rule was run, with its store, and what was fitted."""
    folder = tmp_path_factory.mktemp("finished")
    write_table(folder)
    write_grid(folder, late(RULES))
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        without_report(patch)
        fitted = watched(patch)
        assert run_grid(folder) == 0
    return folder, fitted


@pytest.fixture
def learned(monkeypatch):
    """Rules of the combinations that learned, once for each fold."""
    rules, learn = [], Late.fit_combination

    def spy(self, frequencies, inner):
        rules.extend([self.rule] if inner is not None else [])
        return learn(self, frequencies, inner)

    monkeypatch.setattr(Late, "fit_combination", spy)
    return rules


def test_unimodal_fits_serve_every_pair_and_every_rule(finished):
    folder, fitted = finished
    assert set(Counter(fitted).values()) == {3}  # once for each fold
    assert len(set(fitted)) == 2 + 2  # n + m models ...
    cells = {row["cell"] for row in scores(folder)}
    pairs = [cell for cell in cells if " + " in cell and "any" not in cell]
    assert len(pairs) == 2 * 2 * (len(RULES) - 1)  # ... serve n x m pairs under each rule
    assert "any image + any text / late(selection) / logistic" in cells
    assert len(cells) == len(pairs) + 1 + 4


def test_a_rule_added_to_the_grid_fits_nothing_again(folder, fitted, learned):
    write_grid(folder, late(["mean"]))
    run_grid(folder)
    fitted.clear()
    write_grid(folder, late(RULES))
    assert run_grid(folder) == 0
    assert fitted == []
    assert len(learned) == 3 * (3 * 4 + 1) * (1 + 2)  # and for each inner fold, to be chosen by


def test_what_was_learned_is_kept_until_the_rule_changes(
    finished, tmp_path, fitted, learned, monkeypatch
):
    register(monkeypatch)
    without_report(monkeypatch)
    folder = shutil.copytree(finished[0], tmp_path / "copy")
    first = scores(folder)
    assert run_grid(folder, out="again") == 0
    assert (fitted, learned, scores(folder, "again")) == ([], [], first)
    monkeypatch.setattr(Late, "version", 99)
    assert run_grid(folder, out="other") == 0
    assert fitted == []
    assert len(learned) == 3 * (3 * 4 + 1) * (1 + 2)  # and for each inner fold, to be chosen by
    learned.clear()
    monkeypatch.setitem(procedures.VERSIONS, "combine", procedures.VERSIONS["combine"] + 1)
    assert run_grid(folder, out="procedure") == 0
    assert fitted == []
    assert len(learned) == 3 * (3 * 4 + 1) * (1 + 2)  # and for each inner fold, to be chosen by


def test_parts_with_nothing_to_choose_are_predicted_on_inner_folds_where_a_rule_learns(
    folder, fitted
):
    write_grid(folder, late(["mean", "stacking"], grid=GRID).replace("C: [1, 100]", "C: [10]"))
    assert run_grid(folder) == 0
    assert len(fitted) == 2 * 3
    losses = {row["cell"]: float(row["log_loss"]) for row in scores(folder)}
    assert "mean_colour + bow / late(stacking) / logistic" in losses


def test_what_a_rule_learns_from_are_predictions_of_the_folds_that_left_the_rows_out(
    folder, monkeypatch
):
    """The stored inner predictions are those of plain fits on the other inner folds.

    Each at the chosen strength.
    """
    plans, make = [], flow.make_plan
    monkeypatch.setattr(
        flow, "make_plan", lambda given: plans.append((make(given), given.dataset)) or plans[-1][0]
    )
    write_grid(folder, late(["stacking"], grid=GRID))
    run_grid(folder)
    plan, dataset = plans[0]
    for unit in (unit for unit in plan.units if unit.cell.fusion.name == "image_only"):
        entry = FolderStore(folder / "store").load(unit.ingredients)
        block = unit.features["image"][0].load(
            FolderStore(folder / "store"), dataset.modalities["image"].index
        )
        C = entry.facts["parameters"]["classifier__C"]
        for train, left_out in unit.fold.inner:
            model = ImageOnly(Logistic(C=C)).fit(
                Views(image=block.take(train)), dataset.labels[train]
            )
            expected = model.predict_proba(Views(image=block.take(left_out)))
            stored = entry.arrays["inner"][np.searchsorted(unit.fold.train, left_out)]
            np.testing.assert_allclose(stored, expected, atol=1e-5)
        assert entry.arrays["inner"].shape == (len(unit.fold.train), 3)
    assert MeanColour.calls == [36]


def test_scores_show_the_weights_of_the_parts(finished):
    rows = [row for row in scores(finished[0])
            if "late(weighted)" in row["cell"] or "late(selection)" in row["cell"]]
    assert len(rows) == 3 * (2 * 2 + 1)
    for row in rows:
        chosen = json.loads(row["parameters"])
        weights = {name: value for name, value in chosen.items() if name.startswith("weight of ")}
        assert sum(weights.values()) == pytest.approx(1, abs=0.03)
        known = (
            {"mean_colour", "mean_colour(power=2.0)", "bow", "tfidf"}
            if "any" in row["cell"]
            else {"image", "text"}
        )
        assert {name.removeprefix("weight of ") for name in weights} <= known


def test_a_part_that_fails_fails_what_combines_it(folder):
    write_grid(
        folder, late(["stacking", "selection"]).replace("{mean_colour: {power: 2}}", "broken")
    )
    assert run_grid(folder) == 1
    failures = json.loads((folder / "out" / "failures.json").read_text())
    combined = {failure["cell"] for failure in failures if "it combines broken" in failure["error"]}
    assert combined == {
        "broken + bow / late(stacking) / logistic",
        "broken + tfidf / late(stacking) / logistic",
        "any image + any text / late(selection) / logistic",
    }
    assert "mean_colour + bow / late(stacking) / logistic" in {
        row["cell"] for row in scores(folder)
    }
