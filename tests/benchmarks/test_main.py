"""The page of all short forms: none forgotten, earlier figures kept, failures said."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from types import SimpleNamespace

import pytest

from benchmarks import __main__ as page
from tests.benchmarks.test_imports import NAMES


def test_every_benchmark_has_a_short_form_or_a_reason_for_none():
    modules = {name: importlib.import_module(f"benchmarks.{name}") for name in NAMES}
    runnable = {name for name, module in modules.items() if hasattr(module, "main")}
    assert runnable == set(page.SHORT) | set(page.LEFT_OUT)
    assert not set(page.SHORT) & set(page.LEFT_OUT)


@pytest.mark.parametrize("name", page.SHORT)
def test_a_short_form_names_options_that_the_benchmark_has(name: str):
    options = [option for option in page.SHORT[name] if option.startswith("--")]
    source = inspect.getsource(importlib.import_module(f"benchmarks.{name}"))
    assert all(f'"{option}"' in source for option in options)


def test_the_page_replaces_its_own_part_alone_and_says_what_failed(tmp_path, monkeypatch):
    out = tmp_path / "RESULTS.md"
    out.write_text("# Measured\n\n## Long\n\n| 1 |\n\n## Short forms\n\nof yesterday\n")

    def ended(command, **_):
        failed = "benchmarks.ridge" in command
        return SimpleNamespace(
            returncode=int(failed), stdout="ours 1.0, theirs 2.0\n", stderr="a\nValueError: b\n"
        )

    monkeypatch.setattr(subprocess, "run", ended)
    assert page.main(["ranks", "-o", str(out)]) == 0
    text = out.read_text()
    assert text.startswith("# Measured\n\n## Long\n\n| 1 |\n\n## Short forms\n\n")
    assert "of yesterday" not in text
    assert "    python -m benchmarks ranks\n" in text
    assert "    python -m benchmarks.ranks --queries 2000 --candidates 1000\n" in text
    assert "```text\nours 1.0, theirs 2.0\n```" in text
    assert "cores" in text
    assert page.main(["-o", str(out)]) == 1
    text = out.read_text()
    assert text.count("## Short forms") == 1
    assert text.count("\n### ") == len(page.SHORT)
    assert "and it failed" in text
    assert "exit code 1: ValueError: b" in text


def test_an_unknown_name_is_refused_with_those_that_there_are(capsys):
    with pytest.raises(SystemExit, match="2"):
        page.main(["rank"])
    assert "no short form of rank; there are answer.simulate, dropout" in capsys.readouterr().err


def test_it_is_run_as_a_module():
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"], capture_output=True, text=True, check=True
    )
    assert ended.stdout.startswith("usage: python -m benchmarks")
