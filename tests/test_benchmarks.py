"""The benchmarks are run by hand: here it only shows that the code still has what they use."""

from __future__ import annotations

import importlib

import pytest

from tests.support.paths import ROOT

NAMES = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_imports_and_says_how_it_is_run(name: str):
    module = importlib.import_module(f"benchmarks.{name}")
    command = f"python -m benchmarks.{name}"
    assert module.__doc__ is not None
    assert command in module.__doc__ or not hasattr(module, "main")
