"""The source keeps the measurable rules of CONTRIBUTING: names, functions, folders."""

from __future__ import annotations

import ast
from itertools import chain
from pathlib import Path

import pytest

from tests.support.house import PACKAGES, crowded_folders, problems, sources
from tests.support.paths import ROOT

EVERYTHING = [*(ROOT / package for package in PACKAGES), ROOT / "tests", ROOT / "benchmarks"]
# What the rules refuse, each with what is said of it.
BROKEN = {
    "vague name found": "def f(x):\n    found = x\n    return found\n",
    "vague name one": "y = [one for one in range(3)]\n",
    "comprehension with several loops": "y = [a for a in (1,) for b in (2,)]\n",
    "comprehension with several loops or conditions": "y = [a for a in (1,) if a if a > 0]\n",
    "line of 101 characters": "x = '" + "a" * 95 + "'\n",
    "f has 36 lines": "def f():\n" + "    pass\n" * 35,
    "f takes 7 parameters": "def f(a, b, c, d, e, g, h):\n    pass\n",
}


def test_every_file_keeps_the_rules():
    broken = list(chain.from_iterable(map(problems, sources(*EVERYTHING))))
    assert broken == []


def test_no_folder_holds_more_than_one_takes_in_at_a_glance():
    assert crowded_folders() == []


@pytest.mark.parametrize("rule", BROKEN)
def test_what_breaks_a_rule_is_told(rule: str, tmp_path: Path):
    path = tmp_path / "broken.py"
    path.write_text(BROKEN[rule])
    ast.parse(BROKEN[rule])
    assert any(rule in problem for problem in problems(path, tmp_path))


def test_docstrings_and_self_count_for_nothing(tmp_path: Path):
    path = tmp_path / "sound.py"
    path.write_text(
        'class A:\n    def f(self, a, b, c, d, e, g):\n        """Text.\n'
        + "\n" * 40
        + '        """\n        return a\n'
    )
    assert list(problems(path, tmp_path)) == []


def test_tests_stand_where_the_source_stands():
    """A test file's folder is one of the source, `whole_runs`, or the test of the tests."""
    tests = ROOT / "tests"
    folders = {path.parent.relative_to(tests) for path in tests.rglob("test_*.py")}
    strays = [
        folder
        for folder in folders
        if folder.parts and folder.parts[0] != "whole_runs" and not (ROOT / folder).is_dir()
    ]
    assert strays == []
