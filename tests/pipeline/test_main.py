"""All commands under one name: listed at once, and found by the nearest name."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
from importlib import import_module

import pytest

from pipeline import __main__ as modalgrid
from pipeline.program.names import COMMANDS, called
from tests.support.house import sources
from tests.support.paths import ROOT

HEAVY = {"numpy", "pyarrow", "pydantic", "torch", "sklearn", "scipy", "PIL"}


def test_without_a_command_all_are_listed(capsys):
    assert modalgrid.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, command in COMMANDS.items():
        assert any(line.split()[:1] == [name] and command.does in line for line in lines)


def test_the_version_is_that_of_the_package(capsys):
    assert modalgrid.main(["--version"]) == 0
    assert capsys.readouterr().out == f"modalgrid {importlib.metadata.version('modalgrid')}\n"


def test_an_unknown_command_is_told_with_the_nearest(capsys):
    assert modalgrid.main(["serch"]) == 2
    assert "there is no command 'serch'; did you mean 'search'?" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_says_what_it_takes(name, capsys):
    assert callable(import_module(COMMANDS[name].module).main)
    with pytest.raises(SystemExit) as ended:
        modalgrid.main([name, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: ")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_usage_names_the_command_that_was_typed(name, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/modalgrid", name, "-h"])
    with pytest.raises(SystemExit):
        modalgrid.main([name, "-h"])
    assert capsys.readouterr().out.startswith(f"usage: modalgrid {name} ")


@pytest.mark.parametrize("verb", ["ls", "verify", "prune"])
def test_verbs_of_the_store_have_a_usage_of_their_own(verb, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/modalgrid", "store", verb, "-h"])
    with pytest.raises(SystemExit):
        modalgrid.main(["store", verb, "-h"])
    assert capsys.readouterr().out.startswith(f"usage: modalgrid store {verb} ")


def test_arguments_reach_the_command(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert modalgrid.main(["new", "nowhere.csv"]) == 2
    assert "nowhere.csv does not exist" in capsys.readouterr().err
    asked = []
    monkeypatch.setattr("pipeline.run.main", lambda arguments: asked.append(arguments) or 3)
    assert modalgrid.main(["plan", "grid.yaml"]) == 3
    assert asked == [["--plan", "grid.yaml"]]


@pytest.mark.parametrize(("program", "expected"), [
    ("/usr/bin/modalgrid", "modalgrid run"), ("C:/x/modalgrid.exe", "modalgrid run"),
    ("/x/pipeline/__main__.py", "python -m pipeline run"),
    ("/x/pipeline/run.py", "python -m pipeline.run"),
])
def test_usages_call_commands_as_they_were_called(monkeypatch, program, expected):
    monkeypatch.setattr(sys, "argv", [program])
    assert called("run") == expected


def test_without_the_program_a_command_is_called_by_what_python_can_run(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/x/pipeline/run.py"])
    assert called("plan") == "python -m pipeline.run --plan"
    assert called("store") == "python -m pipeline.store"
    assert called("schema") == "python -m pipeline.config --schema"


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"completion"}))
def test_usages_and_their_texts_name_the_form_that_was_called(monkeypatch, name):
    module = import_module(COMMANDS[name].module)
    for program, other in (("modalgrid", "python -m"), ("/x/pipeline/run.py", "modalgrid ")):
        monkeypatch.setattr(sys, "argv", [program])
        assert other not in module.parser().format_help()


def test_messages_name_commands_as_they_were_called():
    """No text names a form of its own: those that do are for people who read the source."""
    forms = re.compile(rf"python -m pipeline\.[a-z]|\bmodalgrid ({'|'.join(COMMANDS)})\b")
    exempt = {ROOT / "pipeline" / "testing" / name for name in ("__main__.py", "records.py")}
    for path in set(sources()) - exempt:
        texts = texts_of(ast.parse(path.read_text(encoding="utf-8")))
        assert [text for text in texts if forms.search(text)] == [], path


def texts_of(tree):
    """The constants of a module that are no docstrings."""
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in documents:
            yield node.value


@pytest.mark.parametrize("argument", ["--version", "-h", "serch"])
def test_what_needs_no_library_imports_none(argument):
    code = (
        "import sys; from pipeline.__main__ import main; main([sys.argv[1]]); "
        f"print(*({HEAVY!r} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code, argument], cwd=ROOT, capture_output=True,
                          text=True, check=True)
    assert done.stdout.splitlines()[-1:] in ([""], [])
