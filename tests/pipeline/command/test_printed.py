"""Errors that a command prints are cleaned and cut, whatever they quote."""

from __future__ import annotations

import pytest

from pipeline.command.ending import ended
from pipeline.config.grid import GridError
from pipeline.data.samples import SourceError
from pipeline.use.problem import BundleError, ItemError

LONG = "a\x1b[31m\x07" + "y" * 100_000


@pytest.mark.parametrize("error", [
    GridError([LONG, "second"]),
    SourceError([LONG, "second"]),
    BundleError(f"{LONG}\nsecond"),
    ItemError({0: LONG, 1: "second"}),
    OSError(f"{LONG}\nsecond"),
    MemoryError(f"{LONG}\nsecond"),
])
def test_what_is_printed_of_an_error(error, capsys):
    def fail():
        raise error

    assert ended(fail, (GridError, SourceError, BundleError)) == 2
    said = capsys.readouterr().err
    assert "second" in said
    assert "\x1b" not in said
    assert max(map(len, said.splitlines())) <= 1000
