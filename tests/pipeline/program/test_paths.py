"""Names of files on a command line: those that reports cannot hold are refused by all commands."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from pipeline.program.names import COMMANDS

LATIN = "caf\udce9.csv"  # as Python has the bytes of a name that is no UTF-8


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"completion", "store"}))
def test_a_name_that_is_no_utf8_is_refused_before_any_work(name, capsys):
    module = import_module(COMMANDS[name].module)
    with pytest.raises(SystemExit) as ended:
        module.main([*COMMANDS[name].first, LATIN, LATIN])
    assert ended.value.code == 2
    assert "a name in UTF-8, not 'caf\\udce9.csv'; rename it" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_path_of_a_command_is_such_a_name(name):
    module = import_module(COMMANDS[name].module)
    assert Path not in [action.type for action in module.parser()._actions]
