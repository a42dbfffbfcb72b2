"""Benchmarks are run by hand: what they call must be there still, and they say how they are run."""

from __future__ import annotations

import importlib

import pytest

from tests.support.paths import ROOT

FILES = sorted((ROOT / "benchmarks").rglob("[!_]*.py"))
NAMES = [".".join(path.relative_to(ROOT / "benchmarks").with_suffix("").parts) for path in FILES]


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_imports_and_says_how_it_is_run(name: str):
    module = importlib.import_module(f"benchmarks.{name}")
    assert module.__doc__ is not None
    assert f"python -m benchmarks.{name}" in module.__doc__ or not hasattr(module, "main")
