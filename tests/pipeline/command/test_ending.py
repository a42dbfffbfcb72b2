"""How commands end, whichever it is: exit codes, words, and no traceback but of faults of ours."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from importlib import import_module

import pytest

from pipeline import compare, new, run
from pipeline.command.ending import ended
from pipeline.engine import stopping
from pipeline.engine.stopping import GO_ON
from pipeline.engine.task import NoWorkers
from pipeline.use.bundle import Bundle
from pipeline.use.finished_run import FinishedRun


class Refused(Exception):
    pass


ENDINGS = {
    "its own words": (Refused("no such cell"), 2, "no such cell\n"),
    "a file": (FileNotFoundError(2, "No such file", "a.csv"), 2,
               "stopped: [Errno 2] No such file: 'a.csv'\n"),
    "no workers": (NoWorkers("no worker is left"), 2, f"stopped: no worker is left; {GO_ON}\n"),
    "a dead worker": (BrokenProcessPool("died abruptly"), 2,
                      "stopped: a worker process died, perhaps for want of memory; "
                      f"{GO_ON}, with fewer --jobs (died abruptly)\n"),
    "memory": (MemoryError("8 GiB"), 2, f"stopped: there is not enough memory (8 GiB); {GO_ON}\n"),
    "Ctrl-C": (KeyboardInterrupt(), 130, f"\nstopped; {GO_ON}\n"),
}


def raising(error):
    def work(*_, **__):
        raise error

    return work


@pytest.mark.parametrize("name", ENDINGS)
def test_each_ending_has_its_code_and_words(name, capsys):
    error, code, words = ENDINGS[name]
    assert ended(raising(error), (Refused,)) == code
    assert capsys.readouterr() == ("", words)


def test_work_that_ends_gives_its_own_code(capsys):
    assert ended(lambda: 1, (Refused,)) == 1
    assert capsys.readouterr() == ("", "")


def test_a_fault_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        ended(lambda: 1 // 0, (Refused,))


# Where each command begins, and what it is given on the command line.
COMMANDS = {
    "run": (run, "read_grid", ["grid.yaml"]),
    "new": (new, "start", ["items.csv"]),
    "bundle": (FinishedRun, "at", ["run", "-o", "model"]),
    "predict": (Bundle, "load", ["model", "items.csv", "-o", "p.csv"]),
    "serve": (Bundle, "load", ["model"]),
    "compare": (compare, "compare", ["a", "b"]),
}


@pytest.fixture(autouse=True)
def not_stopped_before(monkeypatch):
    """A process says once that it was stopped, and other tests are of this process, too."""
    monkeypatch.setattr(stopping, "_stop", stopping._Stop())


@pytest.fixture
def begun(monkeypatch, tmp_path):
    """A function that runs a command whose first step raises something."""
    monkeypatch.chdir(tmp_path)

    def begin(name, error):
        owner, step, arguments = COMMANDS[name]
        monkeypatch.setattr(owner, step, raising(error))
        return import_module(f"pipeline.{name}").main(arguments)

    return begin


@pytest.mark.parametrize("ending", ["a file", "a dead worker", "memory"])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_ends_so(begun, name, ending, capsys):
    error, code, words = ENDINGS[ending]
    assert begun(name, error) == code
    assert capsys.readouterr().err == words


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"serve"}))
def test_ctrl_c_is_said_by_every_command(begun, name, capsys):
    assert begun(name, KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == f"\nstopped; {GO_ON}\n"
