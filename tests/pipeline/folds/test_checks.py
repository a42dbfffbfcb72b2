"""What rows and folds alone give away, told before the first fit: each check fires on its kind."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from pipeline.config.grid import Split
from pipeline.data.build import build
from pipeline.data.row_check import RowRules
from pipeline.folds.checks import checks_of_folds
from pipeline.folds.draw import draw
from pipeline.folds.fold import Fold
from pipeline.folds.leaks import leaks
from pipeline.results.record import remarks_of
from tests.support.datasets import dataset_of
from tests.support.samples import WORDS, small_samples
from tests.support.tiny import GRID, register, run_grid, without_report, write_grid, write_table

LABELS = np.repeat(np.arange(3), 12)


def raised(samples, store, group="none"):
    dataset = build(samples, ["image", "text"], RowRules("fail", group), store)
    return leaks(dataset, draw(dataset, Split(folds=3, repeats=1), 0))


def severe(checks):
    return [check.name for check in checks if check.severe]


def test_texts_that_name_their_class_in_random_folds_are_cried_out(store):
    """As CIFAR-10's search terms: nine terms, each of a single class, in thirty-six rows."""
    rows = itertools.product(WORDS, range(12))
    terms = [f"{label}_{WORDS[label].split()[row % 3]}" for label, row in rows]
    samples = small_samples(texts=terms, groups={"term": terms})
    alarms = raised(samples, store)
    assert severe(alarms) == ["known in training", "label in the text", "groups ignored"]
    assert len(remarks_of(alarms).alarms) == 3
    text = " ".join(check.sentence for check in alarms)
    assert (
        "The text gives the class away: 100.0% of the test rows have a text that also stands in "
        "the training rows, and 100.0% of these have the class that is the most frequent with it "
        "there, where 33.3% would have the most frequent class of all (9 distinct texts in 36 rows"
    ) in text
    assert "Remembering alone is worth about 0.67 of accuracy" in text
    assert "with this line of the grid: split: {group: text}" in text
    assert "“cat” (100% of its rows, 0.0% of the others)" in text
    assert "with this line of the grid: split: {group: term}" in text
    for group in ("term", "text"):  # the advice works, by column and by the text itself
        assert severe(raised(samples, store, group)) == ["label in the text"]


def test_texts_of_mixed_classes_are_cried_out_too_where_they_tell_far_more_than_chance(store):
    """Twelve texts; five of six rows of each have its class: below any rule of near purity."""
    codes = [(row + (1 if row % 6 == 0 else 0)) % 3 * 4 + row // 3 % 4 for row in range(144)]
    texts = [f"kind {code}" for code in codes]
    labels = [list(WORDS)[row % 3] for row in range(144)]
    samples = small_samples(48, texts=texts, labels=labels)
    (alarm,) = (check for check in raised(samples, store) if check.severe)
    assert alarm.name == "known in training"
    assert "Remembering alone is worth about 0.5" in alarm.sentence or (
        "Remembering alone is worth about 0.4" in alarm.sentence
    )
    assert severe(raised(samples, store, "text")) == []


def test_pictures_that_are_known_are_grouped_by_the_picture_itself(store):
    samples = small_samples(texts=[f"text {row}" for row in range(36)])
    pictures = [samples.pictures[row // 3 * 3] for row in range(36)]
    repeated = small_samples(texts=samples.texts, pictures=pictures)
    (alarm,) = (check for check in raised(repeated, store) if check.severe)
    assert "The picture gives the class away" in alarm.sentence
    assert "split: {group: image}" in alarm.sentence
    assert severe(raised(repeated, store, "image")) == []


def test_repeated_texts_that_say_nothing_of_the_class_are_a_remark(store):
    mixed = [f"term{row % 4}" for row in range(36)]
    (remark,) = raised(small_samples(texts=mixed), store)
    assert (remark.name, remark.severe) == ("identical across folds", False)
    assert raised(small_samples(), store) == ()


def test_identical_samples_that_straddle_folds_are_counted():
    data = dataset_of([0, 1] * 10, index=[0, 0, *range(2, 20)])
    (straddling,) = leaks(data, draw(data, Split(folds=10, repeats=1), 0))
    assert "Identical texts straddle folds" in straddling.sentence
    assert "1 test row has a text" in straddling.sentence
    assert leaks(data, [Fold(0, 0, np.arange(2, 20), np.array([0, 1]), ())]) == ()


def test_a_class_name_that_stands_everywhere_names_no_class(store):
    texts = [f"cat dog car item{row}" for row in range(36)]
    assert raised(small_samples(texts=texts), store) == ()


def test_small_classes_and_uneven_folds():
    data = dataset_of([0] * 40 + [1] * 40 + [2] * 6)
    folds = draw(data, Split(folds=5, repeats=1), 0)
    (small,) = checks_of_folds(data, folds, False)
    assert "1 class has fewer than 10 rows, too few to say how well" in small.sentence
    assert "“2” (6)" in small.sentence
    groups = [0] * 50 + list(range(1, 37))
    uneven = dataset_of([0, 1] * 43, groups)
    drawn = draw(uneven, Split(folds=3, repeats=1), 0)
    names = [check.name for check in checks_of_folds(uneven, drawn, False)]
    assert "fold sizes" in names
    rough = dataset_of(np.repeat(np.arange(10), 5))
    drawn = draw(rough, Split(folds=3, repeats=1), 0)
    said = " ".join(check.sentence for check in checks_of_folds(rough, drawn, False))
    fewest = min(len(fold.test) for fold in drawn)
    assert f"A fold tests as few as {fewest} rows of 10 classes" in said
    assert "10 classes have fewer than 10 rows" in said
    assert "“0” (5), “1” (5), “2” (5), “3” (5), “4” (5) and 5 more" in said


def test_folds_whose_classes_nobody_learns_are_cried_out():
    split = ["train"] * 20 + ["test"] * 10
    data = dataset_of([0, 1] * 10 + [2] * 10, split=split)
    (fold,) = draw(data, Split(official=True), 0)
    checks = checks_of_folds(data, [fold], False)
    assert "classes not learned" in severe(checks)
    (said,) = [check.sentence for check in checks if check.name == "classes not learned"]
    assert said.startswith("No test row of 1 fold of 1 is of a class that the training rows have")
    assert "classes not learned" not in severe(checks_of_folds(data, [fold], True))
    known = dataset_of([0, 1] * 10 + [2] * 9 + [0], split=split)
    assert "classes not learned" not in severe(
        checks_of_folds(known, draw(known, Split(official=True), 0), False)
    )


@pytest.fixture
def leaking(tmp_path, monkeypatch):
    register(monkeypatch)
    without_report(monkeypatch)
    write_table(tmp_path, texts=[f"{label} picture" for label in np.repeat(list(WORDS), 12)])
    write_grid(tmp_path, GRID)
    return tmp_path


def test_alarms_come_before_the_first_fit(leaking, capsys):
    assert run_grid(leaking) == 0
    error = capsys.readouterr().err
    assert error.index("ALARM: The text gives the class away") < error.index("Fits")
    assert error.index("ALARM: The text names the class") < error.index("Fits")
    assert error.count("ALARM: The text gives the class away") == 2  # and again at the end
    assert "ALARM: The text alone all but gives the class away" in error


def test_a_plan_says_them_without_computing_anything(leaking, capsys):
    assert run_grid(leaking, "--plan") == 0
    said = capsys.readouterr()
    assert "ALARM: The text gives the class away" in said.out
    assert "Fits" not in said.err


def test_warnings_are_said_once(leaking, capsys):
    write_grid(leaking, GRID.replace("folds: 3", "folds: 4"))
    assert run_grid(leaking) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning:" in line]
    assert len(lines) == len(set(lines)) > 0


def test_texts_that_come_again_with_new_items_give_nothing_away(store):
    """A question is asked about many pictures: that it is known is no leak, a known picture is."""
    samples = small_samples()
    asked = replace(samples, texts=[f"question {label}" for label in samples.labels])
    assert severe(raised(asked, store)) == ["known in training", "label in the text"]
    recurring = replace(asked, recurring=frozenset({"text"}))
    assert severe(raised(recurring, store)) == ["label in the text"]
    pictures = [samples.pictures[row // 12 * 12] for row in range(36)]
    assert severe(raised(replace(recurring, pictures=pictures), store)) == [
        "known in training", "label in the text"
    ]


def test_leaks_that_are_no_alarm_are_doubts_that_stand_near_the_answer(store):
    texts = [f"text {row}" for row in range(36)]
    texts[1], texts[13] = texts[0], texts[12]
    remarks = remarks_of(raised(small_samples(texts=texts), store))
    assert any(warning.startswith("Identical texts straddle") for warning in remarks.warnings)
    assert any(
        doubt.startswith("Some test rows have a text that stands in the training rows, too (")
        for doubt in remarks.doubts
    )
    assert len(remarks.doubts) <= len(remarks.warnings)
