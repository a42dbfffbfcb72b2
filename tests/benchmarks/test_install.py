"""The table of sizes goes on where an extra is not installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest

from benchmarks import install


def test_an_extra_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch):
    def missing(requirements: Any) -> Any:
        raise PackageNotFoundError("mlflow")

    monkeypatch.setattr(install, "installed_with", missing)
    assert install.line_of("mlflow", {}) == "| + `mlflow` | mlflow is not installed | | |"


def test_what_the_base_has_is_not_counted_again(monkeypatch: pytest.MonkeyPatch):
    with_extra = install.installed_with([])
    monkeypatch.setattr(install, "installed_with", lambda requirements: with_extra)
    assert install.line_of("serve", with_extra) == "| + `serve` | 0 | 0 MB | 0 MB |"
