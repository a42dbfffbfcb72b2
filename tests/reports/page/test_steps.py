"""Steps of a run in plain words: each once, whatever progress calls its parts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import pytest

from reports.page.steps import STEPS, steps_of, words_of
from tests.support.house import sources
from tests.support.paths import ROOT


def stage(name: str, **changes: Any) -> dict[str, Any]:
    """A stage of progress.json."""
    return {"name": name, "state": "ended", "done": 0, "total": 0, "noun": "", "seconds": 1.0,
            "left": None, "now": [], **changes}


def names_of_steps() -> Iterator[str]:
    """What the source of the pipeline calls steps, and tasks of a kind."""
    for path in sources(ROOT / "pipeline"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and _is_step(node.func):
                yield from _constant(node.args[0])
            if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "stage":
                yield from _constant(node.value)


def _is_step(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name == "step"


def _constant(node: ast.expr | None) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def test_every_step_of_the_source_is_explained():
    names = set(names_of_steps())
    assert len(names) > 20
    assert names - STEPS.keys() == set()
    similar = {f"look for {noun} that are nearly the same" for noun in ("pictures", "texts")}
    assert STEPS.keys() - names == similar
    assert all(words.title and words.sentence.endswith(".") for words in STEPS.values())


def test_stages_of_one_step_are_added():
    stages = [
        stage("Fits", done=10, total=10, seconds=5.0),
        stage("Encoding", done=3, total=9, noun="samples"),
        stage("Fits", done=2, total=30, seconds=7.0, state="running", left=90.0,
              now=[{"doing": "bow / text_only"}]),
    ]
    fits, encoding = steps_of(stages)
    assert (fits.title, fits.state, fits.done, fits.total) == ("Fit", "running", 12, 40)
    assert (fits.seconds, fits.left, fits.now) == (12.0, 90.0, [{"doing": "bow / text_only"}])
    assert (encoding.state, encoding.done, encoding.noun) == ("ended", 3, "samples")


def test_what_took_no_time_and_what_only_repeats_the_step_is_left_out():
    stages = [
        stage("score", seconds=0.01),
        stage("draw folds", state="running", seconds=0.0, now=[{"doing": "draw folds"}]),
    ]
    (step,) = steps_of(stages)
    assert (step.title, step.now) == ("Draw folds", [])


@pytest.mark.parametrize(("name", "title"), [
    ("Fits with 0.1 of the labels", "Fit with 0.1 of the labels"),
    ("fit a / b with c on all rows", "Fit a / b with c on all rows"),
    ("<b>", "<b>"),
])
def test_a_step_without_words_keeps_its_name(name, title):
    assert words_of(name).title == title
