"""Calibration by hand and against references; temperatures are learned inside the training rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.calibration import calibration_curve

from models.classifiers.temperature import fitted_temperature, tempered
from pipeline.testing.records import FUSION, small_record
from reports.analysis import reliability as module
from reports.analysis.reliability import calibration, reliability
from tests.support.tiny import recorded_runs, register, run_grid, without_report, write_table


def predictions(sharpness: float, rows: int = 4000):
    """Probabilities whose logits are `sharpness` times those of the truth."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (rows, 3))
    truth = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (truth.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)
    return tempered(truth, 1 / sharpness), labels


def test_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7]])
    measured = reliability(probabilities, np.array([0, 1, 0, 1]), bins=2)
    # one bin: confidence (.9 + .8 + .6 + .7) / 4 = .75, three of four right
    assert [(p.confidence, p.accuracy, p.share) for p in measured.points] == [
        (pytest.approx(0.75), 0.75, 1.0)
    ]
    assert measured.ece == pytest.approx(0)
    assert measured.brier == pytest.approx((0.02 + 1.28 + 0.32 + 0.18) / 4)
    fine = reliability(probabilities, np.array([0, 1, 0, 1]), bins=5)
    assert fine.ece == pytest.approx(0.5 * abs(0.5 - 0.85) + 0.5 * abs(1 - 0.65))
    with pytest.raises(ValueError, match="one prediction"):
        reliability(probabilities[:0], np.array([], dtype=int))


def test_the_curve_is_scikit_learns():
    probabilities, labels = predictions(2)
    measured = reliability(probabilities, labels)
    right = probabilities.argmax(axis=1) == labels
    accuracy, confidence = calibration_curve(right, probabilities.max(axis=1), n_bins=15)
    np.testing.assert_allclose([point.accuracy for point in measured.points], accuracy)
    np.testing.assert_allclose([point.confidence for point in measured.points], confidence)


@pytest.mark.parametrize("sharpness", [0.5, 1, 3])
def test_the_temperature_undoes_over_and_underconfidence(sharpness):
    probabilities, labels = predictions(sharpness)
    temperature = fitted_temperature(probabilities, labels)
    assert temperature == pytest.approx(sharpness, rel=0.08)
    best = minimize_scalar(
        lambda t: reliability(tempered(probabilities, t), labels).log_loss,
        bounds=(0.05, 20),
        method="bounded",
        options={"xatol": 1e-8},
    )
    assert temperature == pytest.approx(best.x, rel=1e-4)
    assert reliability(tempered(probabilities, temperature), labels).ece < 0.03


def test_the_report_scales_as_the_models_do():
    probabilities, _ = predictions(2, rows=50)
    np.testing.assert_allclose(
        module.tempered(probabilities, 1.7), tempered(probabilities, 1.7), rtol=1e-14
    )


def test_a_temperature_keeps_the_order_and_has_bounds():
    probabilities, _ = predictions(1, rows=50)
    np.testing.assert_array_equal(
        tempered(probabilities, 4).argsort(axis=1), probabilities.argsort(axis=1)
    )
    np.testing.assert_allclose(tempered(probabilities, 1), probabilities)
    assert fitted_temperature(
        np.array([[0.6, 0.4], [0.3, 0.7]]), np.array([0, 1])
    ) == pytest.approx(0.05)
    assert fitted_temperature(
        np.array([[0.6, 0.4], [0.3, 0.7]]), np.array([1, 0])
    ) == pytest.approx(20)


def test_cells_are_scaled_only_where_every_fold_has_a_temperature():
    record = small_record()
    assert all(cell.scaled is None for cell in calibration(record))
    warm = replace(record, folds=tuple(replace(fold, temperature=0.5) for fold in record.folds))
    first = calibration(warm)[0]
    assert (first.cell, first.temperature) == (FUSION.name, 0.5)
    assert first.scaled.points[0].confidence > first.plain.points[0].confidence
    lacking = replace(
        warm, folds=tuple(replace(f, temperature=None) if f.fold == 2 else f for f in warm.folds)
    )
    assert all(cell.temperature is None for cell in calibration(lacking))


def test_a_run_learns_temperatures_where_it_has_inner_folds(tmp_path, monkeypatch):
    register(monkeypatch)
    without_report(monkeypatch)
    records = recorded_runs(monkeypatch)
    write_table(tmp_path)
    assert run_grid(tmp_path) == 0
    assert run_grid(tmp_path, out="again") == 0
    assert len(records) == 2
    for record in records:
        assert all((fold.temperature is None) == (fold.cell == "majority") for fold in record.folds)
        assert all(
            0.05 <= fold.temperature <= 20 for fold in record.folds if fold.temperature is not None
        )
