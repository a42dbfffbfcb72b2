"""Everything that is said against a run before its first fit."""

from __future__ import annotations

from pipeline.plan import checks, versions
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
    said = checks_before_fits(comparison_of(write_grid(tmp_path, GRID)))
    assert [check.severe for check in said] == sorted(
        (check.severe for check in said), reverse=True
    )


def test_what_rows_and_folds_show_is_looked_for_once(tmp_path, monkeypatch):
    register(monkeypatch)
    write_table(tmp_path, texts=["cat", "dog", "car"] * 12)
    grid = write_grid(tmp_path, GRID)
    looks, look = [], checks.checks_of_folds
    monkeypatch.setattr(
        checks, "checks_of_folds", lambda *given: looks.append(given) or look(*given)
    )
    first = checks_before_fits(comparison_of(grid))
    assert first
    assert checks_before_fits(comparison_of(grid)) == first
    assert len(looks) == 1
    monkeypatch.setattr(versions, "_our_code", lambda: "another")
    assert checks_before_fits(comparison_of(grid)) == first
    assert len(looks) == 2
    write_table(tmp_path, texts=["cat", "dog", "bus"] * 12)
    assert checks_before_fits(comparison_of(grid))
    assert len(looks) == 3
