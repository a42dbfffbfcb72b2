"""A grid's text says what its draft says, whatever columns are called."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.yaml_lines import parse_yaml
from pipeline.start.draft import Draft, Line
from pipeline.start.grid_text import WIDTH, grid_text

_TEXT = st.text(min_size=1, max_size=30)
_AWKWARD = st.sampled_from(
    ["yes", "no", "1", "1.5", "a: b", "a #b", "- a", "[a", "*a", "&a", "null", "~", "'", '"', "a ",
     " a", "größe", "类别", "\u2028", "\ud800", "\x85", "\x7f", "0x1F", "1e3", "2024-01-01", "<<",
     "="]
)
_NAMES = (_TEXT | _AWKWARD).filter(lambda name: name.strip())


def _draft(names: list[str], why: str) -> Draft:
    label, *texts = names
    return Draft(
        path=Path("items.csv"), about="3 rows", source="table", task="classification",
        data=(Line("text", texts or label, why), Line("label", label, why),
              Line("where", {label: [label]})),
        split=Line("split", {"folds": 5, "repeats": 5}, why),
        text=(Line("text", {"tfidf": {"ngrams": [1, 2]}}, why), Line("text", "sbert")),
        seen=(Line("language", "en", why),), doubts=(why,),
    )


@given(st.lists(_NAMES, min_size=1, max_size=4), st.text(max_size=300))
def test_what_is_written_is_what_is_meant(names: list[str], why: str):
    draft = _draft(names, why)
    text = grid_text(draft, "items", "../items.csv", "python -m pipeline.run grid.yaml")
    content, _, problems = parse_yaml(text)
    if any("\ud800" <= sign <= "\udfff" for sign in "".join(names)):
        return  # no text, and in no table: Arrow refuses it
    assert problems == []
    assert content == {"name": "items", **draft.content("../items.csv")}


def test_reasons_stand_beside_short_lines_and_above_long_ones():
    text = grid_text(_draft(["kind", "title"], "so " * 60), "items", "items.csv", "run it")
    lines = text.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert lines[lines.index("  label: kind") - 1].startswith("  #   so so")
    short = grid_text(_draft(["kind", "title"], "a class"), "items", "items.csv", "run it")
    assert "  label: kind  # a class" in short.splitlines()


def test_what_is_compared_by_default_can_be_uncommented():
    text = grid_text(_draft(["kind", "title"], ""), "items", "items.csv", "run it")
    assert text.endswith("# fusion: [majority, text_only]\n")
