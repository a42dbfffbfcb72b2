"""What --plan says of the rows: how many, of which classes, and which are left out."""

from __future__ import annotations

import csv
from pathlib import Path

from pipeline.plan.plan import make_plan
from pipeline.plan.text import plan_text
from pipeline.store.folder import FolderStore
from reports.analysis.checks import Check
from tests.support.comparisons import comparison_of

GRID = """
name: gaps
data: {source: table, path: items.csv, text: words, label: kind, id: sku, on_bad_rows: drop}
split: {folds: 3, repeats: 1, inner: 2}
text: [bow]
fusion: [majority, text_only]
"""


def write(folder: Path) -> Path:
    """A table of 60 rows, 40 of which have no text, and of 2 whose class is too small."""
    with (folder / "items.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["sku", "words", "kind"])
        for number in range(60):
            text = "" if number < 40 else f"word {number % 5}"
            writer.writerow([number, text, "even" if number % 4 else "odd"])
        writer.writerows([[number, "rare word", "rare"] for number in (60, 61)])
    grid = folder / "grid.yaml"
    grid.write_text(GRID, encoding="utf-8")
    return grid


def test_what_speaks_against_the_rows_comes_first_and_long_lists_end_in_numbers(tmp_path):
    grid = write(tmp_path)
    grid.write_text(GRID.replace("[bow]", "[{bow: {min_df: [1, 2, 3, 4], ngrams: [[1, 1], [1, 2], "
                                          "[1, 3]]}}]"), encoding="utf-8")
    comparison = comparison_of(grid, FolderStore(tmp_path / "store"))
    checked = [Check("a", "Rows leak.", severe=True), Check("b", "Folds are uneven.")]
    lines = plan_text(make_plan(comparison), comparison, checked).splitlines()
    heads = [line.partition(":")[0] for line in lines if not line.startswith(" ")]
    assert heads == [
        "rows", "left out", "ALARM", "warning", "time", "results", "features", "memory",
        "compared",
    ]
    assert "ALARM: Rows leak." in lines
    assert "warning: Folds are uneven." in lines
    at = lines.index("compared: 13 cells")
    assert lines[at + 1] == "          majority"
    assert lines[-1] == "          ... and 3 more cells"
    assert len(lines) == at + 12


def test_a_single_piece_of_work_is_none_of_several(tmp_path):
    grid = write(tmp_path)
    holdout = GRID.replace("folds: 3, repeats: 1", "holdout: 0.5")
    grid.write_text(holdout.replace("[majority, text_only]", "[text_only]"), encoding="utf-8")
    comparison = comparison_of(grid, FolderStore(tmp_path / "store"))
    text = plan_text(make_plan(comparison), comparison, ())
    assert ", 1 fold\n" in text
    assert "\nresults:  1, of a cell on a fold each: 0 in the store, 1 to compute with " in text
    assert "\ncompared: 1 cell\n" in text
    assert " with 1 process" in text


def test_rows_are_counted_and_those_left_out_by_their_reason(tmp_path):
    store = FolderStore(tmp_path / "store")
    comparison = comparison_of(write(tmp_path), store)
    text = plan_text(make_plan(comparison), comparison, ())
    lines = text.splitlines()
    at = lines.index("rows:     20 rows, 2 classes of 5 (“odd”) to 15 rows (“even”), 3 folds")
    assert lines[at + 1] == "left out: 42 rows"
    assert lines[at + 2].endswith(
        "40 rows, the text is empty: items.csv row 1, items.csv row 2, items.csv row 3 and 37 more"
    )
    assert "2 rows, class 'rare' has 2 usable rows" in lines[at + 3]
    assert not [key for key in store.all_keys() if "features" in str(store.manifest(key))]
