from __future__ import annotations

import sys

import pytest

from pipeline.config.plugins.modules import PluginError, code_digest, imported, lies_beside


def test_a_package_beside_the_grid_is_found_and_all_its_source_counts(tmp_path):
    package = tmp_path / "parts"
    package.mkdir()
    (package / "__init__.py").write_text("from .inner import value\n")
    (package / "inner.py").write_text("value = 1\n")
    assert lies_beside("parts.inner", tmp_path)
    assert imported("parts", tmp_path).value == 1
    before = code_digest("parts")
    (package / "inner.py").write_text("value = 2\n")
    assert code_digest("parts") == before, "what was imported is what the digest tells"
    assert imported("parts", tmp_path).value == 2
    assert code_digest("parts") != before


def test_what_lies_beside_the_grid_goes_before_what_python_finds(tmp_path, monkeypatch):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "parts.py").write_text("value = 'site'\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    (tmp_path / "parts.py").write_text("value = 'beside'\n")
    assert imported("parts", tmp_path).value == "beside"
    assert imported("parts", None).value == "site"


def test_plugins_of_one_name_beside_two_grids_are_two(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "parts.py").write_text(f"value = '{name}'\n")
    for name in ("a", "b", "a"):
        assert imported("parts", tmp_path / name).value == name


def test_nothing_else_beside_the_grid_can_be_imported(tmp_path):
    (tmp_path / "neighbour.py").write_text("value = 1\n")
    (tmp_path / "parts.py").write_text("\n\nimport neighbour\n")
    with pytest.raises(PluginError) as caught:
        imported("parts", tmp_path)
    assert str(caught.value) == (
        "parts fails when it is imported: ModuleNotFoundError: No module named 'neighbour' "
        f"({tmp_path / 'parts.py'}, line 3)"
    )
    assert "parts" not in sys.modules


@pytest.mark.parametrize(("text", "said"), [
    ("def f(:\n", "SyntaxError: invalid syntax (parts.py, line 1)"),
    ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
    ("def f():\n    raise KeyError('a')\nf()\n", "KeyError: 'a'"),
])  # fmt: skip
def test_a_failing_import_is_one_sentence_with_file_and_line(tmp_path, text, said):
    (tmp_path / "parts.py").write_text(text)
    with pytest.raises(PluginError) as caught:
        imported("parts", tmp_path)
    line = 1 if "SyntaxError" in said else 2
    assert str(caught.value) == (
        f"parts fails when it is imported: {said} ({tmp_path / 'parts.py'}, line {line})"
    )


def test_names_of_other_modules_are_refused(tmp_path):
    for name, said in (
        ("json", "json is the name of a module of Python"),
        ("models", "models is the name of a module of modalgrid"),
        ("pytest", "the name of a module that is imported already"),
    ):
        (tmp_path / f"{name}.py").write_text("")
        with pytest.raises(PluginError, match=said):
            imported(name, tmp_path)
    assert sys.modules["pytest"] is pytest
    sys.modules.pop("antigravity", None)
    with pytest.raises(PluginError, match="antigravity is the name of a module of Python"):
        imported("antigravity", None)  # no import: it would open a browser
    assert "antigravity" not in sys.modules


def test_a_module_that_is_nowhere_is_told_with_where_it_was_looked_for(tmp_path):
    with pytest.raises(PluginError, match=r"there is no module nowhere: a plugin is a file NAME"):
        imported("nowhere", None)
    with pytest.raises(PluginError, match="it has no source"):
        code_digest("sys")
