"""Everything that is said against a run before its first fit."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from pipeline.plan import checks, versions
from pipeline.plan.checks import checks_before_fits
from pipeline.store.folder import FolderStore
from pipeline.store.manifest import Entry
from reports.analysis.checks import Check
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


def test_checks_come_back_from_the_store_as_they_were(tmp_path, monkeypatch):
    register(monkeypatch)
    write_table(tmp_path)
    grid = write_grid(tmp_path, GRID)
    doubts = (
        Check("severe", "A “doubt”.", severe=True),
        Check("near", "Another.", bears=True, gist="Plainly."),
    )
    monkeypatch.setattr(checks, "checks_of_folds", lambda *_: doubts)
    first = checks_before_fits(comparison_of(grid))
    monkeypatch.setattr(checks, "checks_of_folds", lambda *_: pytest.fail("they are stored"))
    assert checks_before_fits(comparison_of(grid)) == first
    assert set(doubts) <= set(first)


@pytest.mark.parametrize("forged", [
    {"name": "a", "sentence": "b"},
    {"name": "a", "sentence": "b", "severe": "no", "bears": False, "gist": ""},
    {"name": "a", "sentence": 1, "severe": False, "bears": False, "gist": ""},
    {**asdict(Check("a", "b")), "more": "fields"},
])
def test_what_is_stored_and_is_no_check_is_looked_for_again(tmp_path, monkeypatch, forged):
    register(monkeypatch)
    write_table(tmp_path)
    grid = write_grid(tmp_path, GRID)
    true = checks_before_fits(comparison_of(grid))
    store = FolderStore(tmp_path / "store")
    [key] = [
        key for key in store.all_keys() if store.manifest(key)["ingredients"]["kind"] == "checks"
    ]
    ingredients = store.manifest(key)["ingredients"]
    store.get(ingredients, lambda: Entry({}, {"checks": [forged]}), lambda entry: False)
    assert checks_before_fits(comparison_of(grid)) == true
