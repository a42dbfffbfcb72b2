"""YAML as people and their programs write it; monsters are refused within moments."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.config.grid import GridError
from pipeline.config.parse import parse_grid, read_grid
from pipeline.config.reading.nodes import CHARACTERS, DEEPEST, VALUES
from pipeline.config.yaml_lines import parse_yaml, position_of


def content(text):
    value, _, problems = parse_yaml(text)
    assert problems == []
    return value


def problem(text):
    """The line and rule of the only problem."""
    value, lines, (only,) = parse_yaml(text)
    assert value is None
    return position_of((), lines).line, only.rule


@pytest.mark.parametrize(("text", "value"), [
    ("a: &p {x: 1, y: 2}\nb: {<<: *p, y: 3}", {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}}),
    ("a: &p {x: 1}\nb:\n  y: 3\n  <<: *p", {"a": {"x": 1}, "b": {"y": 3, "x": 1}}),
    ("b: {<<: {x: 1}}", {"b": {"x": 1}}),
    ("a: &p {x: 1}\nq: &q {x: 2, y: 2}\nb: {<<: [*p, *q]}",
     {"a": {"x": 1}, "q": {"x": 2, "y": 2}, "b": {"x": 1, "y": 2}}),
    ("a: &p {x: 1}\nb: &q {<<: *p, y: 2}\nc: {<<: *q}",
     {"a": {"x": 1}, "b": {"y": 2, "x": 1}, "c": {"y": 2, "x": 1}}),
    ("'<<': 1", {"<<": 1}),
    ("a: &l [1, 2]\nb: *l", {"a": [1, 2], "b": [1, 2]}),
    ("a: !!omap [folds: 2, inner: 3]", {"a": {"folds": 2, "inner": 3}}),
    ("a: !!set {bow, tfidf}", {"a": ["bow", "tfidf"]}),
    ("a: !!str 3\nb: !!int '3'\nc: !!map {}\nd: !!seq []", {"a": "3", "b": 3, "c": {}, "d": []}),
    ("a: ! x", {"a": "x"}),
    ("[yes, 010, 0o17, 0x1F, 1_000, 2024-01-01, ~, null, .5, 1e3, -3, 'true', true, '']",
     ["yes", 10, 15, 31, 1000, "2024-01-01", None, None, 0.5, 1000.0, -3, "true", True, ""]),
    ("1: a\ntrue: b\nnull: c", {"1": "a", "True": "b", "None": "c"}),
    ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
    ("", None),
    ("# nothing\n", None),
    ("---\na: 1\n...\n", {"a": 1}),
    ("a:\n  - b\n  -\n", {"a": ["b", None]}),
])
def test_what_people_write_is_read(text, value):
    assert content(text) == value


def test_merged_keys_have_the_line_of_what_was_merged():
    _, lines, _ = parse_yaml("p: &p\n  x: 1\nb:\n  <<: *p\n  y: 2\n")
    assert lines["b", "y"].line == 5
    assert lines["b", "x"].line == 1
    assert ("x",) not in lines


LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGED_LAUGHS = "a: &a {x: 1, y: 2}\n" + "".join(
    f"{name}: &{name} {{{','.join(f'k{n}: *{before}' for n in range(9))}}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
REFUSED = {
    "a tag of a program": ("a: 1\nb: !!python/object:os.system {}", 2, "the tag !!python/object"),
    "a tag of somebody's": ("text: !foo [tfidf]", 1, "the tag !foo is none"),
    "binary": ("a: !!binary aGk=", 1, "the tag !!binary"),
    "a tag that does not fit": ("a: !!map [1]", 1, "the tag !!map"),
    "a number that is none": ("a: !!int x", 1, "'x' cannot be read as int"),
    "a truth that is none": ("a: !!bool perhaps", 1, "'perhaps' cannot be read as bool"),
    "a number of too many digits": ("a: " + "9" * 5000, 1, "cannot be read as int"),
    "600 mappings in each other": ("x: 1\ny: " + "{a: " * 600 + "1" + "}" * 600, 2, "deeper than"),
    "100,000 lists in each other": ("[" * 100_000 + "]" * 100_000, 1, "deeper than"),
    "600 levels of lines": ("".join(" " * n + "a:\n" for n in range(600)), 65, "deeper than"),
    "a billion laughs": (LAUGHS, 4, f"more than {VALUES:,} values"),
    "a billion keys": (MERGED_LAUGHS, 4, f"more than {VALUES:,} values"),
    "an alias of itself": ("a: &a [1, *a]", 1, r"\*a stands within what it names"),
    "an alias of nothing": ("a: *b", 1, r"\*b stands for nothing"),
    "many values": ("a: [" + "1," * VALUES + "1]", 1, f"more than {VALUES:,} values"),
    "megabytes": ("a: " + "x" * CHARACTERS, 1, "characters at most"),
    "two documents": ("a: 1\n---\nb: 2\n", 2, "several documents"),
    "a key twice": ("a: 1\nb: 2\na: 3", 3, "not valid YAML: found duplicate key 'a'"),
    "a list as a key": ("? [1, 2]\n: 3", 1, "a key must be a name"),
    "a merged list": ("a: {<<: [1]}", 1, "what << merges"),
    "a merged text": ("a: {<<: x}", 1, "what << merges"),
    "an omap of mappings": ("a: !!omap [{b: 1, c: 2}]", 1, "an !!omap is a list"),
    "a tab": ("a:\n\t- b", 2, "not valid YAML"),
    "an open bracket": ("a: [1", 1, "not valid YAML"),
    "no text": ("a: \x01", 1, "not valid YAML"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_monsters_are_refused_with_their_line(name):
    text, line, rule = REFUSED[name]
    said_line, said = problem(text)
    assert re.search(rule, said), said
    assert said_line == line


def test_as_deep_as_is_allowed_is_read():
    assert content("[" * DEEPEST + "1" + "]" * DEEPEST)


def test_a_file_of_megabytes_is_not_even_read(tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_bytes(b"#" * (4 * CHARACTERS + 1))
    with pytest.raises(GridError, match=r"grid\.yaml:1: has 2,097,153 bytes; a grid has"):
        read_grid(path)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_what_a_yaml_writer_wrote_is_read_as_ruamel_reads_it(value):
    text = io.StringIO()
    YAML(typ="safe", pure=True).dump(value, text)
    try:
        expected = YAML(typ="safe", pure=True).load(text.getvalue())
    except YAMLError:  # of some keys the writer makes what its own reader refuses
        reject()
    assert content(text.getvalue()) == expected


@given(st.text(alphabet="ab1:-[]{},&*<!|>#'\"% \n?~.", max_size=60))
def test_any_text_is_read_or_refused(text):
    value, _, problems = parse_yaml(text)
    assert value is None or problems == []


# --- how much a grid may compare


GRID = {
    "data": {"source": "table", "path": "items.csv", "text": "t", "label": "c"},
    "split": {"folds": 2},
    "text": ["tfidf"],
    "fusion": ["text_only"],
}
THOUSANDS = list(range(1, 2001))


@pytest.mark.parametrize(("changed", "rule"), [
    ({"text": [{"tfidf": {"min_df": list(range(1, 31)), "max_features": list(range(1, 91))}}]},
     r"tfidf stands for 2,700 variants here; 1,000 are compared at most"),
    ({"text": [{"word2vec": dict.fromkeys(("size", "window", "epochs"), THOUSANDS)}]},
     r"word2vec stands for 8,000,000,000 variants"),
    ({"classifier": [{"logistic": {"C": [n / 7 for n in range(1, 12_000)]}}]},
     r"stands for 11,999 settings of a cell to choose among; 10,000 are tried at most"),
    ({"text": [{"tfidf": {"min_df": list(range(1, 601))}}],
      "classifier": [{"random_forest": {"trees": list(range(1, 21))}}]},
     r"stands for 12,000 cells; a grid compares 10,000 at most"),
    ({"learning_curve": [n / 1000 for n in range(1, 200)]}, r"199 shares of the labels; 100"),
    ({f"key{n}": n for n in range(500)}, r"\.\.\. and 400 more mistakes"),
])
def test_more_than_can_be_compared_is_refused_with_its_number(tmp_path, changed, rule):
    with pytest.raises(GridError, match=rule):
        parse_grid({**GRID, **changed}, tmp_path / "grid.yaml")


def test_thousands_of_values_are_no_mistake(tmp_path):
    strengths = [n / 7 for n in range(1, 3000)]
    grid = parse_grid(
        {**GRID, "classifier": [{"logistic": {"C": strengths}}]}, tmp_path / "grid.yaml"
    )
    assert grid.classifier[0].candidates["C"] == tuple(strengths)


def test_a_value_that_fills_pages_is_told_by_its_ends(tmp_path):
    with pytest.raises(GridError) as error:
        parse_grid({**GRID, "metric": "x" * 100_000 + "end"}, tmp_path / "grid.yaml")
    assert len(str(error.value)) < 2500
