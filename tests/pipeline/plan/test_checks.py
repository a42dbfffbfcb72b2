"""Everything that is said against a run before its first fit."""

from __future__ import annotations

from pipeline.plan.checks import checks_before_fits
from tests.support.comparisons import comparison_of
from tests.support.tiny import GRID, register, write_grid, write_table

CHINESE = [f"第{number}辆红色的自行车" for number in range(36)]


def test_encoders_that_cannot_read_the_texts_are_named_once_with_the_remedy(tmp_path, monkeypatch):
    register(monkeypatch)
    write_table(tmp_path, texts=CHINESE)
    grid = GRID.replace("[bow]", "[bow, {tfidf: {language: zh}}]")
    said = [
        check.sentence
        for check in checks_before_fits(comparison_of(write_grid(tmp_path, grid)))
        if check.name == "unfit encoder"
    ]
    assert len(said) == 1
    assert said[0].startswith("bow: ")
    assert said[0].endswith("say language: zh.")


def test_severe_ones_come_first(tmp_path, monkeypatch):
    register(monkeypatch)
    write_table(tmp_path, texts=["cat", "dog", "car"] * 12)
    checks = checks_before_fits(comparison_of(write_grid(tmp_path, GRID)))
    assert [check.severe for check in checks] == sorted(
        (check.severe for check in checks), reverse=True
    )
