"""Splits that hold out whole classes: who is tested, what describes the classes, whole runs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import ClassVar

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import features
from features.block import Block, Modality
from features.encoder import Encoder
from pipeline.config.grid import GridError, Split
from pipeline.config.parse import KEYS, read_grid
from pipeline.config.schema import schema
from pipeline.data.build import build
from pipeline.data.card import card
from pipeline.data.class_texts import readable, with_class_texts
from pipeline.data.dataset import DatasetError
from pipeline.data.row_check import RowRules
from pipeline.data.samples import SourceError
from pipeline.data.sources.class_texts import read_class_texts
from pipeline.folds.draw import draw
from pipeline.folds.wording import describe, remarks
from pipeline.metrics import METRICS
from pipeline.plan.plan import make_plan
from pipeline.store.folder import FolderStore
from pipeline.store.keys import key_of
from pipeline.tasks import views as fold_views
from tests.support.comparisons import comparison_of
from tests.support.datasets import dataset_of
from tests.support.samples import png, small_samples
from tests.support.tiny import (
    read_rows,
    register,
    results,
    run_grid,
    scores,
    without_report,
    write_grid,
    write_rows,
)

UNSEEN = Split(folds=3, repeats=1, inner=2, unseen_classes=True)

# --- splits


@settings(max_examples=40)
@given(
    st.integers(2, 4),
    st.integers(1, 2),
    st.integers(2, 3),
    st.integers(0, 5),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_every_class_is_tested_once_a_repeat_by_models_that_saw_none_of_its_rows(
    count, repeats, inner, more, seed, grouped
):
    classes = 2 * inner * count + more  # enough that inner folds have two classes each, too
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(classes), 3))
    groups = labels if grouped else None
    split = Split(folds=count, repeats=repeats, inner=inner, unseen_classes=True)
    drawn = draw(dataset_of(labels, groups), split, seed)
    assert len(drawn) == count * repeats
    for repeat in range(repeats):
        tested = [set(labels[fold.test]) for fold in drawn if fold.repeat == repeat]
        assert sorted(itertools.chain.from_iterable(tested)) == list(range(classes))
        assert max(map(len, tested)) - min(map(len, tested)) <= 1
    for fold in drawn:
        assert sorted([*fold.train, *fold.test]) == list(range(len(labels)))
        inside = [set(labels[scored]) for _, scored in fold.inner]
        assert sorted(itertools.chain.from_iterable(inside)) == sorted(set(labels[fold.train]))
        for train, scored in ((fold.train, fold.test), *fold.inner):
            assert not set(labels[train]) & set(labels[scored])
            assert len(set(labels[scored])) >= 2
    again = draw(dataset_of(labels, groups), split, seed)
    assert all(
        np.array_equal(fold.test, other.test) for fold, other in zip(drawn, again, strict=True)
    )


def test_another_seed_deals_other_classes_together():
    data = dataset_of(np.repeat(np.arange(12), 2))
    tested = set()
    for seed in range(5):
        tested |= {frozenset(data.labels[fold.test]) for fold in draw(data, UNSEEN, seed)}
    assert len(tested) > 10


def test_classes_that_share_a_group_are_tested_together():
    labels = np.repeat(np.arange(12), 4)
    groups = np.arange(48)
    groups[[3, 4]] = 99  # one group holds rows of classes 0 and 1
    groups[[7, 8]] = 98  # another of classes 1 and 2
    for fold in draw(dataset_of(labels, groups), UNSEEN, 0):
        assert len({0, 1, 2} & set(labels[fold.test])) in (0, 3)
        for train, scored in ((fold.train, fold.test), *fold.inner):
            assert not set(groups[train]) & set(groups[scored])


def test_too_few_classes_and_groups_that_tie_them_are_errors_that_say_so():
    with pytest.raises(
        DatasetError, match=r"5 classes cannot make 3 folds of unseen classes, which test 2"
    ):
        draw(dataset_of(np.repeat(np.arange(5), 4)), UNSEEN, 0)
    too_many = Split(folds=3, repeats=1, unseen_classes=True)
    with pytest.raises(
        DatasetError, match=r"4 classes of the training rows of a fold cannot make 3 folds"
    ):
        draw(dataset_of(np.repeat(np.arange(6), 4)), too_many, 0)
    with pytest.raises(
        DatasetError,
        match=r"split.folds: groups that hold rows of several classes (.|\n)*group: none",
    ):
        draw(dataset_of(np.repeat(np.arange(12), 4), np.arange(48) % 4), UNSEEN, 0)


@pytest.mark.parametrize(("share", "classes"), [(0.25, 3), (0.01, 2), (0.5, 6)])
def test_a_holdout_takes_a_share_of_the_classes(share, classes):
    data = dataset_of(np.repeat(np.arange(12), [2, 30, 5, 7] * 3))
    drawn = draw(data, Split(holdout=share, repeats=2, inner=2, unseen_classes=True), 0)
    for fold in drawn:
        assert len(set(data.labels[fold.test])) == classes
        assert not set(data.labels[fold.test]) & set(data.labels[fold.train])
    assert set(data.labels[drawn[0].test]) != set(data.labels[drawn[1].test])
    with pytest.raises(
        DatasetError, match="with 11 of 12 classes held out, 2 classes are not left"
    ):
        draw(data, Split(holdout=0.9, inner=2, unseen_classes=True), 0)


def test_an_official_split_must_keep_classes_apart():
    labels = np.repeat(np.arange(8), 3)
    official = Split(official=True, inner=2, unseen_classes=True)
    parts = ["test" if label < 3 else "train" for label in labels]
    (fold,) = draw(dataset_of(labels, split=parts), official, 0)
    assert set(labels[fold.test]) == {0, 1, 2}
    parts[0] = "train"
    with pytest.raises(DatasetError, match="the official split has rows of “0” in both parts"):
        draw(dataset_of(labels, split=parts), official, 0)
    with pytest.raises(
        DatasetError, match="the test part of the official split has one class only"
    ):
        draw(
            dataset_of(labels, split=["test" if label == 7 else "train" for label in labels]),
            official,
            0,
        )


def test_the_split_is_described_with_what_chance_would_give():
    data = dataset_of(np.repeat(np.arange(7), 4))
    split = Split(folds=3, repeats=1, inner=2, unseen_classes=True)
    text = describe(split, data, draw(data, split, 0))
    assert "3 outer folds of unseen classes" in text
    assert (
        "tells the 2 to 3 of its fold apart (by chance: 0.333 to 0.5 of balanced accuracy)" in text
    )
    assert not [
        line
        for line in remarks(data, draw(data, split, 0), unseen_classes=True)
        if "Classes without" in line
    ]


def test_folds_of_rows_and_of_classes_are_stored_apart(tmp_path):
    data, store = dataset_of(np.repeat(np.arange(12), 6)), FolderStore(tmp_path)
    rows = draw(data, Split(folds=3, repeats=1, inner=2), 0, store)
    for _ in range(2):  # drawn, then read
        classes = draw(data, UNSEEN, 0, store)
        assert all(len(set(data.labels[fold.test])) == 4 for fold in classes)
    assert all(len(set(data.labels[fold.test])) == 12 for fold in rows)


# --- what describes the classes


@pytest.mark.parametrize(("name", "words"), [
    ("face-smiling", "face smiling"),
    ("a_big__cat", "a big cat"),
    ("Food & Drink", "Food & Drink"),
    ("-", "-"),
])
def test_a_classes_name_is_read_as_words(name, words):
    assert readable(name) == words


def test_class_texts_are_texts_that_no_row_has(store, tmp_path):
    plain = build(small_samples(), ("image", "text"), RowRules("fail"), store)
    given = {
        "cat": ("an animal that purrs", "a pet"), "dog": ("it barks",), "car": (" it drives ",)
    }
    described = with_class_texts(plain, read_class_texts(given, tmp_path))
    extended, before = described.modalities["text"], plain.modalities["text"]
    index = described.class_texts
    texts = {
        (described.classes[code], extended.samples[position])
        for code, position in zip(index.classes, index.positions, strict=True)
    }
    assert texts == {
        ("cat", "an animal that purrs"),
        ("cat", "a pet"),
        ("dog", "it barks"),
        ("car", "it drives"),
    }
    assert not set(index.positions) & set(extended.index)
    assert [extended.samples[position] for position in extended.index] == [
        before.samples[position] for position in before.index
    ]
    assert list(extended.digests) == sorted(extended.digests)
    assert described.fingerprint != plain.fingerprint
    assert card(described)["distinct texts"] == card(plain)["distinct texts"]
    assert "cat: an animal that purrs" in card(described)["classes described by"]
    named = with_class_texts(plain, read_class_texts(None, tmp_path))
    samples = named.modalities["text"].samples
    assert [samples[position] for position in named.class_texts.positions] == ["car", "cat", "dog"]


def test_rows_need_no_texts_for_their_classes_to_have_some(store):
    described = with_class_texts(
        build(small_samples(), ("image",), RowRules("fail"), store), None
    )
    assert sorted(described.modalities["text"].samples) == ["car", "cat", "dog"]
    assert set(described.modalities["text"].index) == {-1}


def test_what_is_wrong_with_class_texts_is_said_all_at_once(store, tmp_path):
    data = build(small_samples(), ("text",), RowRules("fail"), store)
    given = {"catt": ("purrs",), "dog": ("barks", " "), "car": ("barks",)}
    with pytest.raises(DatasetError) as error:
        with_class_texts(data, read_class_texts(given, tmp_path))
    for part in ("there is no class 'catt'; did you mean 'cat'?", "class 'cat' has no text",
                 "“dog” and “car” have the same text, “barks”", "a text of class 'dog' is empty"):
        assert any(part in line for line in error.value.problems), part
    assert len(error.value.problems) == 4


def test_class_texts_may_stand_in_a_table(store, tmp_path):
    data = build(small_samples(), ("text",), RowRules("fail"), store)
    (tmp_path / "texts.csv").write_text("class,text\ncat,purrs\ncat,meows\ndog,barks\ncar,drives\n")
    described = with_class_texts(data, read_class_texts("texts.csv", tmp_path))
    assert len(described.class_texts.classes) == 4
    (tmp_path / "wrong.csv").write_text("class,words\ncat,purrs\n")
    with pytest.raises(SourceError, match="has no column 'text'"):
        with_class_texts(data, read_class_texts("wrong.csv", tmp_path))
    with pytest.raises(SourceError, match=r"'text.csv' does not exist"):
        with_class_texts(data, read_class_texts("text.csv", tmp_path))


# --- whole runs

COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 220, 40),
    "blue": (40, 40, 220),
    "yellow": (220, 220, 40),
    "cyan": (40, 220, 220),
    "pink": (220, 40, 220),
    "white": (210, 210, 210),
    "black": (45, 45, 45),
    "orange": (220, 130, 40),
}
GRID = """
name: colours
seed: 1
data: {source: table, path: items.csv, image: picture, text: words, label: kind, id: sku}
split: {folds: 3, repeats: 1, inner: 2, unseen_classes: true}
image: [mean_colour]
text: [colour_words]
fusion:
  - majority
  - zero_shot: {recognised_by: [image, text, both]}
"""


class ColourWords(Encoder):
    """The mean of what a text's colour names look like, in axes of its own: frozen, of meaning."""

    modality: ClassVar[Modality] = "text"
    version: ClassVar[int] = 1
    seen: ClassVar[list[str]] = []

    def transform(self, samples: Sequence[str]) -> Block:
        type(self).seen.extend(samples)
        axes = np.random.default_rng(0).normal(size=(3, 5))
        return Block.of(
            np.array(
                [
                    np.mean([COLOURS.get(word, (128, 128, 128)) for word in text.split()], axis=0)
                    / 255
                    @ axes
                    for text in samples
                ],
                dtype=np.float32,
            )
        )


@pytest.fixture
def folder(reporting_folder, monkeypatch):
    without_report(monkeypatch)
    return reporting_folder


@pytest.fixture
def reporting_folder(tmp_path, monkeypatch):
    register(monkeypatch)
    monkeypatch.setitem(features.TEXT_ENCODERS, "colour_words", ColourWords)
    monkeypatch.setattr(ColourWords, "seen", [])
    items = list(itertools.product(COLOURS, range(6)))
    for row, (colour, _) in enumerate(items):
        (tmp_path / f"{row}.png").write_bytes(png(row, COLOURS[colour]))
    write_rows(tmp_path, [[f"id{row}", f"{row}.png", f"{colour} item{number}", colour]
                          for row, (colour, number) in enumerate(items)])
    write_grid(tmp_path, GRID)
    return tmp_path


def mean_scores(folder, out="out"):
    by_cell: dict[str, list[float]] = {}
    for row in scores(folder, out):
        by_cell.setdefault(row["cell"], []).append(float(row["balanced_accuracy"]))
    return {cell: np.mean(values) for cell, values in by_cell.items()}


def predictions(folder, out="out"):
    return pq.read_table(folder / out / "predictions.parquet").to_pylist()


def test_a_run_recognises_classes_it_never_saw_and_its_baseline_is_chance(folder):
    assert run_grid(folder) == 0
    means = mean_scores(folder)
    assert means.pop("majority") == pytest.approx(1 / 3)
    assert means["mean_colour + colour_words / zero_shot(image)"] > 0.7
    assert min(means.values()) > 0.7
    for row in predictions(folder):
        known = {
            name.removeprefix("p_")
            for name, value in row.items()
            if name.startswith("p_") and value
        }
        # of its fold's three candidates, those that are not ruled out altogether
        assert not known or (row["label"] in known and len(known) <= 3)
    rows = {(row["repeat"], row["fold"], row["cell"]) for row in predictions(folder)}
    assert len(rows) == 3 * 4
    lock = (folder / "out" / "grid.lock.yaml").read_text()
    assert "unseen_classes: true" in lock


def test_the_report_says_what_chance_is_and_tells_the_modalities_apart(reporting_folder):
    assert run_grid(reporting_folder) == 0
    page = (reporting_folder / "out" / "report.md").read_text()
    for part in (
        "which is chance: all it knows of the classes is their number",
        "3 outer folds of unseen classes",
        "tells the 3 of its fold apart (by chance: 0.333",
        "bootstrap over classes",
        "| Picture only |",
        "| Text only |",
        "| Best fusion |",
        "classes described by: black: black; blue: blue",
        "Only 9 classes",
    ):
        assert part in page, part
    robustness = page[page.index("## Robustness"):]
    assert "zero_shot(image) | picture missing" in robustness
    assert "zero_shot(image) | text missing" not in robustness


@pytest.mark.parametrize("name", METRICS)
def test_a_score_is_that_of_the_candidates_alone(name):
    rng = np.random.default_rng(0)
    candidates, codes = np.array([1, 4, 5]), rng.integers(0, 3, 60)
    probabilities = rng.dirichlet(np.ones(3), 60)
    score = METRICS[name](candidates[codes], fold_views.aligned(probabilities, candidates, 7))
    assert score == pytest.approx(METRICS[name](codes, probabilities))


def test_inner_folds_know_nothing_of_the_classes_held_out(folder, monkeypatch):
    seen, fit_on = [], fold_views.fit_on

    def spy(views, split, context):
        seen.append((split, context.labels, fit_on(views, split, context)))
        return seen[-1][-1]

    monkeypatch.setattr(fold_views, "fit_on", spy)
    assert run_grid(folder) == 0
    inside = [split for split, _, _ in seen if len(split.train) + len(split.test) < 54]
    assert len(inside) > 10
    for (train, test, _), labels, fit in seen:
        assert set(fit.y) == set(labels[train])
        assert set(fit.class_texts.classes) == set(labels[np.concatenate([train, test])])
        assert set(fit.class_texts.candidates(fit.y)) == set(labels[test])


def test_a_second_run_computes_nothing_and_gives_the_same(folder):
    assert run_grid(folder) == 0
    asked = len(ColourWords.seen)
    assert run_grid(folder, out="again") == 0
    assert len(ColourWords.seen) == asked
    assert results(folder, "again") == results(folder)


def test_rows_of_the_classes_that_are_asked_about_are_never_learned_from(folder):
    """Labels of one fold's test rows are exchanged, and half of their pictures: all else stays."""
    assert run_grid(folder) == 0
    before = predictions(folder)
    mine = sorted({row["label"] for row in before if row["fold"] == 0})
    rows, changed = read_rows(folder), set()
    for row in rows:
        if row[3] in mine:
            row[3] = mine[(mine.index(row[3]) + 1) % len(mine)]
            if int(row[0][2:]) % 2:
                (folder / row[1]).write_bytes(png(500 + int(row[0][2:]), (128, 128, 10)))
                changed.add(row[0])
    write_rows(folder, rows)
    assert run_grid(folder, out="after") == 0
    after = {
        (row["id"], row["cell"]): row for row in predictions(folder, "after") if row["fold"] == 0
    }
    compared = [row for row in before if row["fold"] == 0 and row["id"] not in changed]
    assert len(compared) == 9 * 4
    for row in compared:
        other = after[row["id"], row["cell"]]
        assert row["label"] != other["label"]
        assert [value for name, value in row.items() if name.startswith("p_")] == [
            value for name, value in other.items() if name.startswith("p_")]


def test_encoders_that_learn_learn_nothing_from_class_texts(folder):
    write_grid(folder, GRID.replace("[colour_words]", "[bow]"))
    comparison = comparison_of(folder / "grid.yaml")
    texts = comparison.dataset.modalities["text"]
    known = {text for text in texts.samples if "item" not in text}
    assert known == set(COLOURS)
    for unit in make_plan(comparison).units:
        for bow in unit.features.get("text", ()):
            learned = {texts.samples[position] for position in texts.index[bow.train]}
            assert not learned & known
    # words of class texts that no training row has are unknown: no more than that
    assert run_grid(folder) == 0


def test_class_texts_are_part_of_the_keys(folder):
    def keys(texts):
        write_grid(folder, GRID.replace("id: sku", f"id: sku, class_texts: {texts}"))
        comparison = comparison_of(folder / "grid.yaml")
        return [key_of(unit.ingredients) for unit in make_plan(comparison).units
                if "text" in unit.features]

    (folder / "a.csv").write_text(
        "class,text\n" + "".join(f"{name},{name} thing\n" for name in COLOURS)
    )
    (folder / "b.csv").write_text(
        "class,text\n" + "".join(f"{name},a {name} thing\n" for name in COLOURS)
    )
    inline = "{" + ", ".join(f"{name}: {name} thing" for name in COLOURS) + "}"
    assert keys("a.csv") == keys(inline)
    assert not set(keys("a.csv")) & set(keys("b.csv"))


def test_the_order_of_a_class_texts_is_part_of_the_keys_because_pairs_take_them_in_turn(folder):
    def keys(*texts):
        write_grid(folder, GRID.replace("id: sku", f"id: sku, class_texts: {{{', '.join(texts)}}}"))
        comparison = comparison_of(folder / "grid.yaml")
        return {key_of(unit.ingredients) for unit in make_plan(comparison).units
                if "text" in unit.features}

    first, *others = COLOURS
    rest = [f"{name}: {name} thing" for name in others]
    assert not keys(f"{first}: [one, two]", *rest) & keys(f"{first}: [two, one]", *rest)


def test_pictures_alone_are_enough_where_rows_have_no_text(folder):
    write_grid(folder, GRID.replace("text: words, ", "").replace(
        "{recognised_by: [image, text, both]}", "{recognised_by: image, pairs: classes}"))
    assert run_grid(folder) == 0
    assert mean_scores(folder)["mean_colour + colour_words / zero_shot(image, classes)"] > 0.7


@pytest.mark.parametrize(("old", "new", "words"), [
    (
        "  - majority",
        "  - concat",
        "concat can only predict classes it has learned from, and split.unseen_classes leaves no "
        "training row of those it would be asked about (those that can: majority, zero_shot)",
    ),
    (
        ", unseen_classes: true",
        "",
        "zero_shot recognises classes without training rows, and this split has none",
    ),
    ("seed: 1", "metric: roc_auc", "roc_auc compares rows across folds"),
    ("seed: 1", "learning_curve: [0.5]", "a learning curve hides labels"),
    ("id: sku", "id: sku, class_texts: 3", "class_texts must be a table"),
    (
        "id: sku",
        "id: sku, class_texts: {red: 3}",
        "the text of class 'red' must be text, or a list of texts, not [3]",
    ),
])
def test_what_does_not_go_with_held_out_classes_is_a_mistake_of_the_grid(folder, old, new, words):
    write_grid(folder, GRID.replace(old, new))
    with pytest.raises(GridError) as error:
        read_grid(folder / "grid.yaml")
    assert words in str(error.value)


def test_class_texts_without_held_out_classes_are_a_mistake_of_the_grid(folder):
    write_grid(
        folder,
        GRID.replace(", unseen_classes: true", "").replace(
            "id: sku", "id: sku, class_texts: a.csv"
        ),
    )
    with pytest.raises(GridError, match="class_texts describe classes that are held out"):
        read_grid(folder / "grid.yaml")


def test_the_schema_knows_class_texts():
    data = {"source": "table", "path": "a.csv", "text": "t", "label": "l"}
    validator = jsonschema.Draft202012Validator(schema(KEYS, Split))
    for texts, right in (
        ("a.csv", True),
        ({"cat": "purrs", "dog": ["barks", "a pet"]}, True),
        (3, False),
        ({"cat": 3}, False),
        ({"cat": []}, False),
        ({}, False),
    ):
        grid = {"data": {**data, "class_texts": texts}, "fusion": ["zero_shot"],
                "split": {"folds": 3, "repeats": 1, "unseen_classes": True}}
        assert validator.is_valid(grid) == right, texts


def test_rows_without_a_label_have_no_part_in_it(folder):
    write_grid(folder, GRID.replace("id: sku", "id: sku, keep_unlabelled: true"))
    rows = read_rows(folder)
    for row in rows[::6]:
        row[3] = ""
    write_rows(folder, rows)
    assert run_grid(folder) == 0
    write_rows(folder, [row for row in rows if row[3]])
    assert run_grid(folder, out="without") == 0
    assert results(folder) == results(folder, "without")


def test_the_plan_says_how_classes_are_described_and_computes_nothing(folder, capsys):
    write_grid(
        folder,
        GRID.replace(
            "id: sku", f"id: sku, class_texts: {{{', '.join(f'{c}: {c}' for c in COLOURS)}}}"
        ),
    )
    assert run_grid(folder, "--plan") == 0
    said = capsys.readouterr().out
    assert "unseen_classes: true" in said
    assert "class_texts:" in said
    assert not ColourWords.seen


def test_a_class_text_that_is_wrong_stops_the_run_with_a_message(folder, capsys):
    write_grid(folder, GRID.replace("id: sku", "id: sku, class_texts: {redd: a}"))
    assert run_grid(folder) == 2
    assert "there is no class 'redd'; did you mean 'red'?" in capsys.readouterr().err
