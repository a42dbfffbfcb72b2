"""What is wrong with the rows is found before any encoding and reported at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.build import build
from pipeline.data.dataset import DatasetError
from pipeline.data.row_check import RowRules
from pipeline.data.samples import BytesPicture, FilePicture
from tests.support.samples import png, small_samples

BOTH = ("image", "text")


def changed(**columns):
    """The small samples with some entries replaced: changed(texts={3: None})."""
    samples = small_samples()
    new = {}
    for name, entries in columns.items():
        column = list(getattr(samples, name))
        for row, value in entries.items():
            column[row] = value
        new[name] = column
    return replace(samples, **new)


@pytest.fixture
def bad(tmp_path):
    """One problem of every kind, in rows 0 to 6."""
    return changed(
        pictures={0: BytesPicture("row 1", b"no picture"), 1: FilePicture(tmp_path / "gone.png"),
                  2: BytesPicture("row 3", png(2)[:-30]), 6: None},
        texts={3: "", 6: "  \n"}, labels={4: None}, ids={5: "id7"})


def test_every_problem_is_reported_at_once_with_its_row_and_file(bad, store):
    with pytest.raises(DatasetError) as error:
        build(bad, BOTH, RowRules("fail"), store)
    message = str(error.value)
    for row in (1, 2, 3, 4, 5, 7):
        assert f"items.csv row {row}:" in message
    assert "gone.png" in message
    assert "the text is empty" in message
    assert "the label is missing" in message
    assert "items.csv row 8: the id 'id7' stands already in items.csv row 6" in message
    assert "on_bad_rows" in message


def test_drop_leaves_bad_rows_out_and_lists_them(bad, store):
    dataset = build(bad, BOTH, RowRules("drop"), store)
    assert len(dataset) == len(bad) - 7
    assert len(dataset.dropped) == 7
    assert "there is no picture; items.csv row 7: the text is empty" in dataset.dropped[-2]
    assert np.all(dataset.modalities["image"].index >= 0)
    assert np.all(dataset.modalities["text"].index >= 0)


def test_keep_marks_the_modality_missing_and_drops_only_what_has_nothing_left(bad, store):
    dataset = build(bad, BOTH, RowRules("keep"), store)
    # no label, an id that stands twice, neither picture nor text
    assert len(dataset) == len(bad) - 3
    missing = {modality: [dataset.ids[row] for row in np.flatnonzero(distinct.index < 0)]
               for modality, distinct in dataset.modalities.items()}
    assert missing == {"image": ["id0", "id1", "id2"], "text": ["id3"]}
    assert [line.split(":")[0] for line in dataset.dropped] == [
        f"items.csv row {row}" for row in (5, 7, 8)
    ]
    (picture, text) = dataset.notes
    assert "3 of 33 rows have no picture" in picture
    assert "gone.png" in picture
    assert "items.csv row 4: the text is empty" in text


def test_a_modality_that_the_grid_does_not_use_is_not_looked_at(bad, store):
    dataset = build(
        replace(bad, labels=small_samples().labels, ids=small_samples().ids),
        ("image",),
        RowRules("drop"),
        store,
    )
    assert set(dataset.modalities) == {"image"}
    assert len(dataset) == len(bad) - 4


def test_a_class_too_small_for_the_folds_is_named(store):
    samples = changed(labels=dict.fromkeys(range(3), "rare"))
    with pytest.raises(DatasetError, match=r"class 'rare' has 3 usable rows; the folds need 5"):
        build(samples, ("text",), RowRules("fail", smallest_class=5), store)
    dataset = build(samples, ("text",), RowRules("drop", smallest_class=5), store)
    assert dataset.classes == ("car", "cat", "dog")
    assert len(dataset.dropped) == 3
    assert all("class 'rare' has 3 usable rows" in line for line in dataset.dropped)


def test_fewer_than_two_classes_are_an_error_under_every_policy(store):
    samples = replace(small_samples(), labels=["cat"] * 36)
    for policy in ("fail", "drop", "keep"):
        with pytest.raises(DatasetError, match="fewer than two classes"):
            build(samples, ("text",), RowRules(policy), store)


def test_a_modality_that_no_row_has_is_one_mistake_not_one_a_row(store):
    samples = replace(small_samples(), pictures=[None] * 36)
    for policy in ("fail", "drop", "keep"):
        with pytest.raises(DatasetError) as error:
            build(samples, BOTH, RowRules(policy), store)
        assert len(error.value.problems) == 1
        assert "gives no picture for any row" in error.value.problems[0]


def test_cells_that_use_no_modality_keep_all_rows(store):
    assert len(build(small_samples(), (), RowRules("fail"), store)) == 36


def test_half_characters_in_ids_and_labels_are_problems(store):
    with pytest.raises(DatasetError) as error:
        build(
            changed(ids={0: "a\ud800"}, labels={1: "b\ud800"}), ("text",), RowRules("fail"), store
        )
    assert len([line for line in error.value.problems if "cannot be written as UTF-8" in line]) == 2


def test_an_error_that_may_pass_is_not_kept_as_an_unreadable_picture(store, monkeypatch):
    from features.pictures import decoding

    check = decoding.check
    monkeypatch.setattr(decoding, "check", lambda data: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(MemoryError):
        build(small_samples(), BOTH, RowRules("fail"), store)
    monkeypatch.setattr(decoding, "check", check)
    assert len(build(small_samples(), BOTH, RowRules("fail"), store)) == 36


def test_identical_samples_are_counted_once(store):
    samples = changed(texts={1: "same", 2: "same"}, pictures={4: BytesPicture("a", png(0)),
                                                              5: BytesPicture("b", png(0))})
    dataset = build(samples, BOTH, RowRules("fail"), store)
    image, text = dataset.modalities["image"], dataset.modalities["text"]
    assert len(text.samples) == len(text.digests) == 35
    assert text.index[1] == text.index[2]
    assert image.index[4] == image.index[5]
    assert [text.samples[i] for i in text.index] == list(samples.texts)


def test_the_fingerprint_knows_content_not_paths(tmp_path, store):
    samples = small_samples()
    files = []
    for row, picture in enumerate(samples.pictures):
        path = tmp_path / f"{row}.png"
        path.write_bytes(picture.read())
        files.append(FilePicture(path))
    same = build(replace(samples, pictures=files), BOTH, RowRules("fail"), store)
    original = build(samples, BOTH, RowRules("fail"), store)
    assert same.fingerprint == original.fingerprint
    for other in (
        changed(texts={0: "other"}),
        changed(labels={0: "dog"}),
        changed(ids={0: "other"}),
        changed(pictures={0: BytesPicture("row 1", png(99))}),
    ):
        assert build(other, BOTH, RowRules("fail"), store).fingerprint != original.fingerprint


def test_the_features_key_does_not_depend_on_the_order_of_rows(store):
    samples = small_samples()
    order = list(reversed(range(len(samples))))
    turned = replace(
        samples,
        groups={},
        **{
            name: [getattr(samples, name)[row] for row in order]
            for name in ("locations", "pictures", "texts", "labels", "ids")
        },
    )
    assert (build(turned, BOTH, RowRules("fail"), store).modalities["text"].digests
            == build(samples, BOTH, RowRules("fail"), store).modalities["text"].digests)


def test_pictures_are_decoded_once_and_the_finding_is_kept(store, monkeypatch):
    from features.pictures import decoding

    calls = []
    check = decoding.check
    monkeypatch.setattr(decoding, "check", lambda data: calls.append(1) or check(data))
    build(small_samples(), BOTH, RowRules("fail"), store)
    build(small_samples(), BOTH, RowRules("fail"), store)
    assert len(calls) == 36


def test_an_unknown_group_column_is_named_with_the_nearest(store):
    with pytest.raises(DatasetError, match="did you mean 'pair'"):
        build(small_samples(), ("text",), RowRules("fail", group="pears"), store)


def test_group_none_means_no_groups_and_the_sources_own_group_is_the_default(store):
    samples = replace(small_samples(), group="pair")
    assert build(samples, ("text",), RowRules("fail"), store).group_name == "pair"
    assert build(samples, ("text",), RowRules("fail", group="none"), store).groups is None


def test_a_missing_group_is_a_problem_of_its_row(store):
    samples = replace(small_samples(), groups={"pair": [None] + ["a"] * 35}, group="pair")
    grouped = build(samples, ["text"], RowRules(), store)
    assert len(grouped) == 36
    assert sorted(np.unique(grouped.groups, return_counts=True)[1]) == [1, 35]
    assert "1 of 36 rows has no 'pair': each is a group of its own" in grouped.notes[0]
    with pytest.raises(DatasetError, match="row 1: the group 'pair' is missing"):
        build(samples, ("text",), RowRules("fail", missing_group="fail"), store)


def test_many_missing_groups_lose_no_row_and_do_not_depend_on_the_order(store):
    pairs = [None if row % 3 == 0 else str(row // 2) for row in range(36)]
    samples = replace(small_samples(), ids=None, groups={"pair": pairs}, group="pair")
    dataset = build(samples, ("text",), RowRules("fail"), store)
    shuffled = list(np.random.default_rng(0).permutation(36))
    columns = ("locations", "pictures", "texts", "labels")
    other = replace(
        samples,
        **{name: [getattr(samples, name)[row] for row in shuffled] for name in columns},
        groups={"pair": [pairs[row] for row in shuffled]},
    )
    assert len(dataset) == 36
    assert len(set(dataset.groups.tolist())) == 12 + len(set(pairs) - {None})
    again = build(other, ("text",), RowRules("fail"), store)
    np.testing.assert_array_equal(again.groups, dataset.groups)


LOOK_SAME = {
    "canonical forms": ("caf\u00e9", "cafe\u0301", "U+0065 U+0301 in the first, U+00E9"),
    "no-break space": ("oak leaf", "oak\u00a0leaf", "U+0020 in the first, U+00A0"),
    "space at the end": ("oak", "oak ", "nothing in the first, U+0020"),
    "unseen": ("oak", "o\u200bak", "nothing in the first, U+200B"),
}


@pytest.mark.parametrize("kind", LOOK_SAME)
def test_labels_and_groups_that_look_the_same_are_one_and_said_by_code_points(kind, store):
    name, other, said = LOOK_SAME[kind]
    names = [name if row % 2 else other for row in range(12)]
    labels = [*names, *(["dog"] * 12), *(["Oak"] * 12)]
    samples = small_samples(labels=labels, groups={"pair": [*names, *map(str, range(24))]})
    dataset = build(samples, ("text",), RowRules("fail", group="pair"), store)
    assert dataset.classes == tuple(sorted([name, "dog", "Oak"]))
    assert len(set(dataset.groups.tolist())) == 25
    assert len(dataset.notes) == 2
    assert all(said in note for note in dataset.notes)
    assert dataset.notes[0].startswith("labels that look the same are one")


def test_what_was_noted_while_reading_stands_above_the_problems_of_rows(store):
    samples = replace(changed(texts={3: None}), notes=["join: 1 of 36 rows"])
    with pytest.raises(DatasetError) as caught:
        build(samples, ("text",), RowRules("fail"), store)
    assert caught.value.problems == ("join: 1 of 36 rows", "items.csv row 4: the text is empty")
    assert "1 problem: mend it, or say" in str(caught.value)


@pytest.mark.parametrize("with_ids", [True, False])
def test_the_order_of_the_source_makes_no_difference(with_ids, store):
    """Shuffled rows are the same data set: folds, models and keys go by position."""
    samples = small_samples(groups={"brand": [f"brand {row % 5}" for row in range(36)]})
    samples = samples if with_ids else replace(samples, ids=None)
    order = np.random.default_rng(0).permutation(36)
    shuffled = replace(
        samples,
        **{
            name: [getattr(samples, name)[row] for row in order]
            for name in ("locations", "pictures", "texts", "labels")
        },
        ids=None if samples.ids is None else [samples.ids[row] for row in order],
        groups={"brand": [samples.groups["brand"][row] for row in order]},
    )
    first, second = (
        build(rows, BOTH, RowRules("fail", "brand"), store) for rows in (samples, shuffled)
    )
    assert np.array_equal(first.labels, second.labels)
    assert np.array_equal(first.groups, second.groups)
    assert first.texts == second.texts
    for modality in BOTH:
        assert first.modalities[modality].digests == second.modalities[modality].digests
        assert np.array_equal(first.modalities[modality].index, second.modalities[modality].index)
    if with_ids:
        assert (first.ids, first.fingerprint) == (second.ids, second.fingerprint)


def test_ids_come_in_the_order_of_their_numbers(store):
    ids = [f"item {number}" for number in (10, 9, 2, 1)] + [f"x{number}" for number in range(32)]
    dataset = build(small_samples(ids=ids), BOTH, RowRules(), store)
    assert dataset.ids[:5] == ("item 1", "item 2", "item 9", "item 10", "x0")


@pytest.mark.parametrize("policy", ["fail", "drop"])
def test_problems_of_rows_bring_no_escapes_and_no_endless_values(policy, store):
    long = "x\x1b[31mEVIL\x1b]0;title\x07" + "y" * 100_000
    samples = changed(
        labels={1: long, 2: long + "\ud800"},
        ids={4: long, 5: long, 6: long + "\ud800"},
        pictures={7: FilePicture(Path(long)), 8: FilePicture(Path("/nowhere") / long)},
    )
    if policy == "fail":
        with pytest.raises(DatasetError) as caught:
            build(samples, BOTH, RowRules(policy), store)
        lines = [*caught.value.problems, *str(caught.value).splitlines()]
    else:
        lines = build(samples, BOTH, RowRules(policy), store).dropped
    assert len(lines) >= 6
    assert all(len(line) <= 1000 for line in lines)
    assert not any("\x1b" in line or "\x07" in line or "\ud800" in line for line in lines)


def test_columns_to_break_down_by_come_with_the_rows_that_stay(store):
    kinds = [None if row == 1 else f"kind {row % 2}" for row in range(36)]
    samples = replace(
        changed(texts={0: None}), breakdown={"kind": kinds}, recurring=frozenset({"text"})
    )
    dataset = build(samples, BOTH, RowRules("drop"), store)
    rows = [int(name.removeprefix("id")) for name in dataset.ids]
    assert 0 not in rows
    assert dataset.breakdown == {"kind": tuple(kinds[row] for row in rows)}
    assert dataset.recurring == {"text"}
    plain = build(replace(samples, breakdown={}), BOTH, RowRules("drop"), store)
    assert plain.fingerprint == dataset.fingerprint  # no result depends on it
