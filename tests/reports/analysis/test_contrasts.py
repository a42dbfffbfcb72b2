"""Declared contrasts, contributions and robustness curves, by value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.testing.records import FUSION, IMAGE, MAJORITY, SMALL_SCORES, TEXT, small_record
from reports.analysis.contrasts import contrasts
from reports.analysis.contribution import contributions, robustness
from reports.fold_record import CellRecord
from tests.support.probed import probed_record

LATE = CellRecord("cnn + tfidf / late", "cnn", "tfidf", "late", "logistic")
BOW = CellRecord("bow / text_only / logistic", None, "bow", "text_only", "logistic")


def test_the_declared_contrasts_and_holm_over_them():
    declared = contrasts(
        small_record({**SMALL_SCORES, LATE: (0.65, 0.64, 0.66, 0.66), BOW: (0.4, 0.41, 0.42, 0.41)})
    )
    pairs = [
        (contrast.question, contrast.comparison.cell, contrast.comparison.other)
        for contrast in declared.family
    ]
    assert pairs == [
        ("fusion", FUSION.name, TEXT.name),
        ("fusion", LATE.name, TEXT.name),
        ("winner", FUSION.name, LATE.name),
        ("text", TEXT.name, BOW.name),
    ]
    p_values = [contrast.comparison.test.p_value for contrast in declared.family]
    assert [contrast.adjusted for contrast in declared.family] == pytest.approx(
        [
            min(1, p * 4) if p == min(p_values) else contrast.adjusted
            for p, contrast in zip(p_values, declared.family, strict=True)
        ]
    )
    assert all(
        contrast.adjusted >= p for contrast, p in zip(declared.family, p_values, strict=True)
    )
    assert declared.of(TEXT.name, BOW.name).conclusive
    assert not declared.of(FUSION.name, TEXT.name).conclusive
    assert declared.of(FUSION.name, MAJORITY.name) is None
    assert any("Only 4 folds" in limit for limit in declared.limits)


def test_one_fold_and_one_group_per_class_conclude_nothing():
    declared = contrasts(small_record({cell: scores[:1] for cell, scores in SMALL_SCORES.items()}))
    assert all(
        contrast.adjusted is None and not contrast.conclusive for contrast in declared.family
    )
    assert "One fold" in declared.limits[0]
    grouped = contrasts(small_record(groups=np.array([0, 1, 0, 1, 2, 2, 2, 2, 3, 3, 3, 3])))
    assert any("One group holds all rows of “dog” and “owl”" in limit for limit in grouped.limits)
    assert any("Only 4 groups" in limit for limit in grouped.limits)
    assert grouped.family[0].pooled.low is None
    assert contrasts(replace(small_record(), folds=())).family == ()


def test_held_out_classes_are_the_units_and_no_objection():
    """Every class is either trained on or tested there: that is the question, not a flaw."""
    record = small_record()
    held_out = contrasts(
        replace(record, groups=record.labels, group_name="class", unseen_classes=True)
    )
    assert any(
        "Only 3 classes: too few to tell how scores would be on others" in limit
        for limit in held_out.limits
    )
    assert not any("One group" in limit for limit in held_out.limits)


def test_contributions_by_hand():
    (contribution,) = contributions(probed_record())
    assert contribution.cell == FUSION.name
    # .67 as it is, .45 without texts, .55 without pictures, .25 without either
    assert (
        contribution.both,
        contribution.image,
        contribution.text,
        contribution.none,
    ) == pytest.approx((0.67, 0.45, 0.55, 0.25))
    assert contribution.shapley_image == pytest.approx(((0.45 - 0.25) + (0.67 - 0.55)) / 2)
    assert contribution.shapley_text == pytest.approx(((0.55 - 0.25) + (0.67 - 0.45)) / 2)
    assert contribution.shapley_image + contribution.shapley_text == pytest.approx(0.67 - 0.25)
    assert (contribution.permuted_image.mean, contribution.permuted_text.mean) == pytest.approx(
        (0.144, 0.264)
    )
    assert contribution.additive.changed == 0.25
    assert contribution.interaction.mean == pytest.approx(0.03)
    assert contribution.interaction.direction == 1


def test_a_loss_turns_contributions():
    record = replace(probed_record(), metric="log_loss")
    assert contributions(record)[0].shapley_text == pytest.approx(-0.26)
    assert contributions(record)[0].interaction.mean == pytest.approx(-0.03)


def test_curves_start_at_the_rows_as_they_are():
    curves = robustness(probed_record())
    altered = {
        (FUSION.name, "fusion", "image"),
        (FUSION.name, "fusion", "text"),
        (TEXT.name, "text", "text"),
        (IMAGE.name, "image", "image"),
    }
    for change in ("missing", "swapped"):
        same = [curve for curve in curves if curve.change == change]
        assert {(curve.cell, curve.kind, curve.modality) for curve in same} == altered
    assert {curve.change for curve in curves} == {"missing", "swapped"}
    by_name = {(curve.cell, curve.change, curve.modality): curve for curve in curves}
    curve = by_name[FUSION.name, "missing", "text"]
    assert [point.share for point in curve.points] == [0, 0.25, 0.5, 0.75, 1]
    assert [point.score.mean for point in curve.points] == pytest.approx(
        [0.67, 0.615, 0.56, 0.505, 0.45]
    )
    assert robustness(small_record()) == ()
    assert contributions(small_record()) == ()
