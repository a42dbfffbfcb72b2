"""The choice of a setting: among what the grid gives, and beyond candidates by default."""

from __future__ import annotations

import numpy as np
import pytest

from models.classifiers.logistic import Logistic
from models.early.baselines import TextOnly
from models.early.pooled import PooledFusion
from pipeline.metrics import METRICS
from pipeline.plan.execute import run_plan
from pipeline.plan.plan import make_plan
from pipeline.tasks.inner import STEPS, choose
from pipeline.tasks.views import loaded_blocks
from tests.support.comparisons import comparison_of
from tests.support.tiny import GRID, register, write_grid, write_table

DEFAULT = GRID.replace("classifier: {logistic: {C: [1, 100]}}", "classifier: logistic")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    register(monkeypatch)
    write_table(tmp_path)
    return tmp_path


def chosen_of(folder, grid, fusion):
    """Chosen settings, their scores on inner folds, and predictions there, of one cell's units."""
    comparison = comparison_of(write_grid(folder, grid))
    plan = make_plan(comparison)
    run_plan(plan, comparison)
    units = [unit for unit in plan.units if unit.cell.fusion.name == fusion]
    blocks = [loaded_blocks(unit, comparison.context, comparison.store) for unit in units]
    return comparison, units, [
        choose(unit, comparison.context, of_unit)
        for unit, of_unit in zip(units, blocks, strict=True)
    ]


def test_candidates_by_default_are_widened_until_the_best_lies_within(folder, monkeypatch):
    monkeypatch.setitem(Logistic.tuned, "C", (1e-4, 3e-4))
    comparison, units, choices = chosen_of(folder, DEFAULT, "text_only")
    for unit, (setting, means, _) in zip(units, choices, strict=True):
        assert setting["classifier__C"] > 3e-4
        assert len(means) > 2
        best = min(score for score in means if score is not None)
        tried = sorted(1e-4 * 3.0 ** np.arange(len(means)))
        assert setting["classifier__C"] == pytest.approx(tried[means.index(best)])
        entry = comparison.store.load(unit.ingredients)
        assert entry.facts["parameters"] == setting  # the result is of the widened setting


def test_candidates_of_the_grid_are_not(folder):
    grid = DEFAULT.replace("classifier: logistic", "classifier: {logistic: {C: [1.0e-4, 3.0e-4]}}")
    _, _, choices = chosen_of(folder, grid, "text_only")
    assert {setting["classifier__C"] for setting, _, _ in choices} <= {1e-4, 3e-4}
    assert all(len(means) == 2 for _, means, _ in choices)


def test_what_is_predicted_on_inner_folds_is_of_the_setting_that_was_chosen(folder, monkeypatch):
    """Under a grid of that very setting, inner folds predict the same."""
    monkeypatch.setitem(Logistic.tuned, "C", (1e-4, 3e-4))
    comparison, units, choices = chosen_of(folder, DEFAULT, "text_only")
    metric = METRICS[comparison.grid.tuning_metric]
    for unit, (_, means, predicted) in zip(units, choices, strict=True):
        labels = comparison.dataset.labels
        scores = [
            metric(labels[test], predicted[np.searchsorted(unit.fold.train, test)])
            for _, test in unit.fold.inner
        ]
        best = min(score for score in means if score is not None)
        assert np.mean(scores) == pytest.approx(best)


def test_shares_of_encoders_are_chosen_by_steps_until_none_is_better(folder, monkeypatch):
    tried = []

    def recorded(self, fits, settings):
        tried.extend(settings)
        return PooledFusion.predict_many(self, fits, settings)

    together = GRID.replace("text: [bow]", "text: [[bow, tfidf]]")
    assert together != GRID
    monkeypatch.setattr(TextOnly, "predict_many", recorded)
    comparison, units, _ = chosen_of(folder, together, "text_only")
    for unit in (unit for unit in units if len(unit.cell.together()) > 0):
        tried.clear()
        blocks = loaded_blocks(unit, comparison.context, comparison.store)
        chosen, means, _ = choose(unit, comparison.context, blocks)
        assert len(tried) == len(means)
        assert tried[:len(unit.settings)] == list(unit.settings)
        assert chosen == tried[means.index(min(means))]
        steps = TextOnly.steps_from(chosen, {"text": 2})
        assert len(steps) == 2
        assert all(step in tried for step in steps) or len(tried) >= len(unit.settings) + STEPS


def test_whether_candidates_may_be_widened_decides_the_key(folder):
    given = DEFAULT.replace(
        "classifier: logistic", f"classifier: {{logistic: {{C: {list(Logistic.tuned['C'])}}}}}"
    )
    keys = []
    for grid in (DEFAULT, given):
        plan = make_plan(comparison_of(write_grid(folder, grid)))
        keys.append({unit.key for unit in plan.units if unit.cell.fusion.name == "text_only"})
    assert not keys[0] & keys[1]
