"""Options of a run: what cannot be meant is told before anything is done."""

from __future__ import annotations

import pytest

from pipeline.command.options import command_line


@pytest.mark.parametrize("arguments", [
    ["\udcff.yaml"], ["grid.yaml", "--out", "a\udcff"], ["grid.yaml", "--store", "a\udcff"],
])
def test_names_that_no_report_can_hold_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        command_line().parse_args(arguments)
    assert ended.value.code == 2
    assert "a name in UTF-8, not" in capsys.readouterr().err


def test_other_names_are_taken_as_they_are():
    options = command_line().parse_args(["gr id.yaml", "--out", "é", "--store", "s3://b/ü"])
    assert (str(options.grid), str(options.out), options.store) == ("gr id.yaml", "é", "s3://b/ü")
