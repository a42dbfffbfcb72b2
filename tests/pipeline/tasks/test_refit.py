"""A refitted model is the one whose predictions are stored."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.plan.execute import run_plan
from pipeline.plan.plan import make_plan
from pipeline.store.folder import FolderStore
from pipeline.tasks.refit import refit
from tests.support.comparisons import comparison_of
from tests.support.tiny import GRID, register, write_grid, write_table


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """The tiny grid's plan with all of its results in the store."""
    register(monkeypatch)
    write_table(tmp_path)
    comparison = comparison_of(write_grid(tmp_path, GRID))
    plan = make_plan(comparison)
    run_plan(plan, comparison)
    return plan, comparison.context, comparison.store


def test_refitted_models_give_the_stored_predictions_under_the_chosen_parameters(planned):
    plan, context, store = planned
    assert {len(unit.settings) for unit in plan.units} > {1}
    for unit in plan.units:
        again, entry = refit(unit, context, store), store.load(unit.ingredients)
        assert len(again.views) == 36
        np.testing.assert_allclose(
            again.predict(again.views.take(unit.fold.test)),
            entry.arrays["probabilities"],
            atol=1e-6,
        )
        for name, value in entry.facts["parameters"].items():
            assert again.model.get_params()[name] == value


def test_a_result_that_is_not_there_is_an_error(planned, tmp_path):
    plan, context, _ = planned
    with pytest.raises(FileNotFoundError, match="majority is missing from the store"):
        refit(plan.units[0], context, FolderStore(tmp_path / "other"))
