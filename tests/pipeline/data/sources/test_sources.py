"""What every source must do, and the rows that `where` and `sample` leave."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.samples import SourceError
from pipeline.data.sources import SOURCES
from pipeline.data.sources.problems import all_of, existing, first_few, hint
from pipeline.data.sources.subset import rows_where, stratified
from pipeline.testing.sources import CHECKS, Example
from tests.support.paths import ROOT
from tests.support.source_examples import EXAMPLES, problems_of

NAMES = sorted(SOURCES)


def test_every_source_has_an_example():
    assert set(EXAMPLES) == set(SOURCES)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_contract(name, check, tmp_path, monkeypatch):
    check(Example(name, SOURCES[name], EXAMPLES[name](tmp_path, monkeypatch), tmp_path))


@pytest.mark.parametrize("name", NAMES)
def test_an_example_has_several_pictures(name, tmp_path, monkeypatch):
    samples = SOURCES[name](**EXAMPLES[name](tmp_path, monkeypatch)).load(tmp_path)
    distinct = {picture.digest() for picture in samples.pictures if picture is not None}
    assert len(distinct) > 1


def test_importing_the_sources_imports_no_heavy_package():
    heavy = {"torch", "torchvision", "timm", "gensim", "sentence_transformers", "transformers",
             "vl_convert", "datasets", "resvg_py"}
    code = f"import sys, pipeline.data.sources; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True,
                          text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_where_keeps_rows_that_fulfil_every_condition():
    columns = {"part": ["a", "b", "a", None], "size": ["1", "1", "2", "1"]}
    assert rows_where(columns, {"part": "a", "size": [1, 2.0]}, 4).tolist() == [0, 2]
    assert rows_where(columns, {"part": ["a", "b"], "size": 1}, 4).tolist() == [0, 1]
    assert rows_where(columns, None, 4).tolist() == [0, 1, 2, 3]


def test_where_takes_yaml_truth_as_the_text_a_table_holds():
    assert rows_where({"new": ["true", "false"]}, {"new": True}, 2).tolist() == [0]


@pytest.mark.parametrize(("value", "rows"), [
    ("1.0", [0]),  # a text is that text
    ("1", [1]),
    (1, [0, 1, 2]),  # a number is every way to write it, of which 01 is none
    (1.0, [0, 1, 2]),
    (-0.0, [4]),
    (True, [5]),
    ("caf\u00e9 au lait", [6]),
])
def test_where_takes_texts_as_texts_and_numbers_as_numbers(value, rows):
    column = ["1.0", "1", "1.00e0", "01", "0", "true", "cafe\u0301\u00a0au lait"]
    assert rows_where({"v": column}, {"v": value}, 7).tolist() == rows


def test_where_and_columns_name_what_only_looks_the_same():
    said = hint("caf\u00e9", ["cafe\u0301", "x"], "columns")
    assert "looks the same: U+00E9 in the first, U+0065 U+0301 in the second" in said


def test_where_reports_every_value_that_never_occurs_with_the_nearest():
    columns = {"part": ["train", "test"], "kind": ["a", "b"]}
    assert problems_of(lambda: rows_where(columns, {"part": "tset", "kind": ["a", "c"]}, 2)) == [
        "where: column 'part' never holds 'tset'; did you mean 'test'? (it holds: test, train)",
        "where: column 'kind' never holds 'c' (it holds: a, b)",
    ]


def test_where_that_leaves_nothing_is_a_problem():
    columns = {"part": ["a", "b"], "kind": ["x", "y"]}
    assert problems_of(lambda: rows_where(columns, {"part": "a", "kind": "y"}, 2)) == [
        "where: no row fulfils all of part, kind"]


@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=60), st.data())
def test_a_sample_keeps_the_shares_of_the_classes(labels, data):
    size = data.draw(st.integers(1, len(labels)))
    rows = stratified(labels, size, seed=0)
    assert len(set(rows.tolist())) == size
    assert rows.tolist() == sorted(rows.tolist())
    taken, counts = Counter(labels[row] for row in rows), Counter(labels)
    for label, count in counts.items():
        assert abs(taken[label] - count * size / len(labels)) < 1


def test_a_sample_depends_on_its_seed_alone():
    labels = ["a"] * 50 + ["b"] * 50
    assert stratified(labels, 20, 0).tolist() == stratified(labels, 20, 0).tolist()
    assert stratified(labels, 20, 0).tolist() != stratified(labels, 20, 1).tolist()
    assert np.array_equal(stratified(labels, None, 0), np.arange(100))


def test_a_sample_of_more_rows_than_there_are_is_a_problem():
    assert problems_of(lambda: stratified(["a", "b"], 3, 0)) == [
        "sample: 3 is more than the 2 rows there are"
    ]


def test_hints_name_the_nearest_and_the_first_few():
    known = [f"column{number:02d}" for number in range(20)]
    assert hint("colunm07", known, "columns").startswith(
        "; did you mean 'column07'? (columns: column00, "
    )
    assert hint("x", known, "columns").endswith("column11 and 8 more)")
    assert first_few(["p"] * 14, "such rows")[-1] == "... and 2 more such rows"
    assert first_few(["p"], "such rows") == ["p"]


def test_a_path_that_does_not_exist_is_told_from_where_it_breaks_off(tmp_path):
    (tmp_path / "pictures").mkdir()
    [problem] = problems_of(lambda: existing("picturs/items.csv", tmp_path, "path"))
    assert f"no 'picturs' in {tmp_path}; did you mean 'pictures'?" in problem
    assert existing("pictures", tmp_path, "path") == tmp_path / "pictures"
    assert existing(str(tmp_path), Path("elsewhere"), "path") == tmp_path


def test_all_problems_of_several_steps_are_reported_once():
    def fail(*problems):
        raise SourceError(problems)

    assert problems_of(
        lambda: all_of(lambda: 1, lambda: fail("a", "b"), lambda: fail("b", "c"))
    ) == ["a", "b", "c"]
    assert all_of(lambda: 1, lambda: None) == [1, None]
