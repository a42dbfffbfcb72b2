"""Robustness: why its scores are not the leaderboard's."""

from __future__ import annotations

from dataclasses import replace

from pipeline.testing.records import FUSION
from reports.sections import robustness
from reports.sections.robustness import FirstRepeat
from tests.support.probed import probed_record


def test_the_score_of_the_first_repeat_stands_beside_that_of_all():
    once = probed_record()
    assert robustness.facts(once).first_repeat is None
    again = tuple(
        replace(fold, repeat=1, scores={**fold.scores, "balanced_accuracy": 0.63})
        for fold in once.folds
    )
    facts = robustness.facts(replace(once, folds=(*once.folds, *again)))
    first = facts.first_repeat
    assert first == FirstRepeat(FUSION.name, first.score, 4, first.all_score, 8)
    assert (round(first.score, 6), round(first.all_score, 6)) == (0.67, 0.65)


def test_lines_are_named_by_what_is_altered_and_listed_beside_the_chart():
    charts = robustness.charts(robustness.facts(probed_record()))
    names = [line.name for line in charts["robustness-missing"].legend]
    assert f"{FUSION.name}: picture missing" in names
    assert f"{FUSION.name}: text exchanged" in [
        line.name for line in charts["robustness-swapped"].legend
    ]
