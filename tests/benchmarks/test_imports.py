"""Benchmarks are run by hand: what they call must be there still."""

from __future__ import annotations

import importlib

import pytest

from tests.support.paths import ROOT

NAMES = sorted(path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_finds_all_that_it_imports(name):
    assert importlib.import_module(f"benchmarks.{name}").__doc__
