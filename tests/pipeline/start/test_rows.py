"""What rows show beyond columns: bad ones, small classes, texts that give the class away."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipeline.config.grid import Grid
from pipeline.data.dataset import DatasetError
from pipeline.plan.load import load
from pipeline.start import draft as draft_module
from pipeline.start import rows as rows_module
from pipeline.start.draft import Given, NoStart
from pipeline.start.starting import Start, start
from pipeline.store.opening import store_at
from tests.support.tables import shop_columns, write_columns, write_pictures


def _started(folder, columns) -> Start:
    return start(write_columns(folder / "items.csv", columns))


def _grid(started: Start) -> Grid:
    return started.grid(started.draft.path.parent / "grid.yaml")


def _policy(started: Start) -> tuple[str | None, str]:
    lines = [line for line in started.draft.data if line.key == "on_bad_rows"]
    return (lines[0].value, lines[0].why) if lines else (None, "")


def test_pairs_without_a_class_are_started_too(tmp_path):
    columns = write_pictures(tmp_path, shop_columns())
    del columns["kind"], columns["brand"]
    started = _started(tmp_path, columns)
    assert _grid(started).task == "retrieval"
    assert "no column looks like a class" in started.text(tmp_path / "grid.yaml")


def test_sound_rows_need_no_policy(tmp_path):
    started = _started(tmp_path, write_pictures(tmp_path, shop_columns()))
    assert _policy(started) == (None, "")
    assert _grid(started).on_bad_rows == "fail"
    assert _grid(started).split.group is None
    assert _grid(started).data.parameters["group"] == "brand"


def test_missing_and_broken_pictures_are_kept_without_them(tmp_path):
    columns = write_pictures(tmp_path, shop_columns())
    (tmp_path / "photos" / "3.png").unlink()
    (tmp_path / "photos" / "4.png").write_bytes(b"no picture")
    columns["photo"][5] = ""
    policy, why = _policy(_started(tmp_path, columns))
    assert policy == "keep"
    assert "3 rows without a usable picture (items.csv row 4, items.csv row 5" in why


def test_rows_without_the_only_text_or_a_class_are_left_out(tmp_path):
    columns = shop_columns()
    columns["title"][0] = columns["description"][0] = ""
    columns["kind"][1] = ""
    policy, why = _policy(_started(tmp_path, columns))
    assert policy == "drop"
    assert "1 row without a usable text (items.csv row 1)" in why
    assert "1 row without a class, left out" in why


def test_small_classes_are_named(tmp_path):
    columns = shop_columns()
    columns["kind"][:2] = ["stool", "stool"]
    policy, why = _policy(_started(tmp_path, columns))
    assert policy == "drop"
    assert "1 class too small for the folds left out: 'stool' (2)" in why


def test_classes_that_look_the_same_are_one_as_in_a_run(tmp_path):
    columns = write_pictures(tmp_path, shop_columns())
    for row in range(0, len(columns["kind"]), 9):  # as a no-break space looks
        columns["kind"][row] = f"\u00a0{columns['kind'][row]}"
    started = _started(tmp_path, columns)
    assert _policy(started) == (None, "")
    plain = {name.strip("\u00a0") for name in columns["kind"]}
    assert f"{len(plain)} classes of" in started.text(tmp_path / "grid.yaml")


def test_few_rows_have_fewer_folds(tmp_path):
    started = _started(tmp_path, shop_columns(4))
    assert _grid(started).split.folds == 4
    assert _grid(started).on_bad_rows == "fail"


def test_texts_that_come_again_and_tell_the_class_stay_together(tmp_path):
    columns = shop_columns(40)
    del columns["description"], columns["brand"]
    columns["title"] = [
        f"the {kind[:2]} of number {row % 12}" for row, kind in enumerate(columns["kind"])
    ]
    started = _started(tmp_path, columns)
    assert _grid(started).split.group == "text"
    assert not any(doubt.startswith("ALARM: The text gives") for doubt in started.draft.doubts)


def test_texts_that_name_the_class_are_told(tmp_path):
    columns = shop_columns()
    columns["title"] = [f"{title} {kind if row % 4 else ''}" for row, (title, kind) in enumerate(
        zip(columns["title"], columns["kind"], strict=True))]
    doubts = _started(tmp_path, columns).draft.doubts
    assert any(doubt.startswith("ALARM: The text names the class") for doubt in doubts)


def test_an_official_split_without_test_labels_is_not_used(tmp_path):
    columns = shop_columns()
    columns["part"] = ["train" if row % 4 else "test" for row in range(60)]
    columns["kind"] = [kind if row % 4 else "" for row, kind in enumerate(columns["kind"])]
    started = _started(tmp_path, columns)
    assert not _grid(started).split.official
    assert "0 are test" in started.draft.split.why


_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["cat", "dog", "cow", ""]),
        st.sampled_from(["it says meow", "it says woof", "it says moo", "", "it runs"]),
        st.sampled_from([f"farm {number}" for number in range(14)] + [""]),
        st.sampled_from(["train", "test"]),
    ),
    min_size=1, max_size=90,
)


@given(_ROWS, st.booleans(), st.booleans())
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow],
          phases=[Phase.explicit, Phase.generate])
def test_whatever_is_started_is_read_and_divided_by_a_run(tmp_path_factory, rows, is_split, varied):
    """The promise: a grid that was written runs, as far as its rows and folds are concerned."""
    folder = tmp_path_factory.mktemp("any")
    kinds, texts, farms, parts = zip(*rows, strict=True)
    columns = {
        "kind": kinds, "brand": farms,
        "text": [text and f"{text} {row if varied else ''}" for row, text in enumerate(texts)],
        **({"part": parts} if is_split else {}),
    }
    try:
        started = start(write_columns(folder / "items.csv", columns))
    except (NoStart, DatasetError):
        return
    store = store_at(str(folder / "store"))
    comparison = load(_grid(started), store, None, None)
    assert len(comparison.folds) == comparison.grid.split.repeats * (
        comparison.grid.split.folds or 1)


def test_all_draws_of_a_run_are_tried(tmp_path, monkeypatch):
    """One in thousands of small tables has folds in the first draw and none in another."""
    tried, draw = [], rows_module.draw

    def watched(dataset, split, seed):
        tried.append(split.repeats)
        return draw(dataset, split, seed)

    monkeypatch.setattr(rows_module, "draw", watched)
    split = _grid(_started(tmp_path, shop_columns())).split
    assert tried
    assert set(tried) == {split.repeats} == {5}


def test_rows_of_which_nothing_can_be_made_are_an_error(tmp_path):
    columns = shop_columns()
    columns["title"] = columns["description"] = [
        "a soft seat" if row < 20 else "" for row in range(60)
    ]
    with pytest.raises(DatasetError, match="fewer than two classes"):
        start(write_columns(tmp_path / "items.csv", columns), Given(text=("title",)))


def test_of_many_pictures_some_are_opened_and_rows_without_any_are_known(tmp_path, monkeypatch):
    columns = write_pictures(tmp_path, shop_columns(20))
    columns["photo"] = [name if row % 2 else "" for row, name in enumerate(columns["photo"])]
    for row in range(1, 60, 2):
        (tmp_path / f"photos/{row}.png").write_bytes(b"no picture")
    monkeypatch.setattr(rows_module, "PICTURES", 10)
    policy, why = _policy(_started(tmp_path, columns))
    assert policy == "keep"
    assert "40 rows without a usable picture" in why, "30 have none, and of the others 10 were seen"
    assert "only 10 of 30 pictures were opened" in why


def test_a_large_table_whose_official_split_cannot_be_used_is_drawn_once(tmp_path, monkeypatch):
    monkeypatch.setattr(draft_module, "LARGE", 50)
    columns = shop_columns()
    columns["part"] = ["train" if row % 4 else "test" for row in range(60)]
    columns["kind"] = [kind if row % 4 else "" for row, kind in enumerate(columns["kind"])]
    split = _grid(_started(tmp_path, columns)).split
    assert (split.official, split.folds, split.repeats) == (False, 5, 1)
