"""Benchmarks are run by hand: what they call must be there still, and they say how they are run."""

from __future__ import annotations

import importlib

import pytest

from tests.support.paths import ROOT

NAMES = sorted(path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_imports_and_says_how_it_is_run(name: str):
    module = importlib.import_module(f"benchmarks.{name}")
    assert module.__doc__ is not None
    assert f"python -m benchmarks.{name}" in module.__doc__ or not hasattr(module, "main")
