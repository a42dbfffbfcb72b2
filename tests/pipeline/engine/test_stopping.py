"""Ctrl-C, SIGTERM and SIGKILL: a sentence, an end in time, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.engine import stopping
from pipeline.engine.stopping import GO_ON, STOPPED
from pipeline.program.names import MODULES
from tests.support.paths import ROOT

PATIENCE = 60  # seconds after which a process hangs
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def started(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, **environment}, start_new_session=True,
    )


def answered(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """Exit code and errors of a process that gets a signal once it says that it is ready."""
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, errors


READY = "import signal\nprint('ready', flush=True)\nsignal.pause()\n"


@pytest.mark.parametrize("number", stopping.SIGNALS)
@pytest.mark.parametrize("module", sorted(MODULES))
def test_in_its_first_second_a_command_ends_with_the_sentence(tmp_path, module, number) -> None:
    # what each imports first, and here waits at
    (tmp_path / "argparse.py").write_text(READY)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    process = started("-m", module, PYTHONPATH=path)
    assert answered(process, number) == (STOPPED, f"\nstopped; {GO_ON}\n")


@pytest.mark.parametrize("name", ["run", "predict", "store"])
def test_so_it_does_under_the_name_of_all(tmp_path: Path, name) -> None:
    (tmp_path / "argparse.py").write_text(READY)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    process = started("-m", "pipeline", name, PYTHONPATH=path)
    assert answered(process, signal.SIGINT) == (STOPPED, f"\nstopped; {GO_ON}\n")


def test_a_server_has_its_own_way_to_end() -> None:
    code = (
        "import signal, sys, time\nfrom pipeline.engine import stopping\n"
        "stopping.PATIENCE = 0\nstopping.listen()\nstopping.hand_over()\n"
        "def last(*_):\n    time.sleep(0.2)\n    sys.exit(7)\n"
        "signal.signal(signal.SIGINT, last)\nprint('ready', flush=True)\nsignal.pause()\n"
    )
    assert answered(started("-c", code), signal.SIGINT) == (7, "")


@pytest.mark.parametrize("number", stopping.SIGNALS)
@pytest.mark.parametrize("work", [
    "signal.pause()",
    # what swallows the interruption, or is not interrupted, is ended in time
    "while True:\n        try:\n            signal.pause()\n        except BaseException: pass",
    # what Python remembers of a module, and kills itself for in the end
    "exec('signal.pause()')",
])
def test_work_that_is_told_to_stop_stops_and_says_so_once(tmp_path, number, work) -> None:
    code = (
        "import signal, sys\nfrom pipeline.engine import stopping\nstopping.PATIENCE = 0.2\n"
        "stopping.listen()\n"
        f"def main():\n    print('ready', flush=True)\n    {work}\n"
        "sys.exit(stopping.stoppable(main))"
    )
    (tmp_path / "command.py").write_text(code)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    process = started("-m", "command", PYTHONPATH=path)
    assert answered(process, number) == (STOPPED, f"\nstopped; {GO_ON}\n")


# When Python runs what a process registered for its end, and when it takes its modules apart.
ENDS = {
    "at exit": "import atexit\natexit.register(late)\n",
    "behind it": "class Late:\n    def __del__(self): late()\nsys.late = Late()\n",
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("number", stopping.SIGNALS)
def test_a_signal_while_python_ends_changes_no_exit_code(number, end) -> None:
    code = (
        "import os, signal, sys\nfrom pipeline.engine import stopping\nstopping.listen()\n"
        f"def late(kill=os.kill, pid=os.getpid()):\n    kill(pid, {int(number)})\n{ENDS[end]}"
        "def main():\n    print('ready', flush=True)\n    signal.pause()\n"
        "sys.exit(stopping.stoppable(main))"
    )
    assert answered(started("-c", code), number) == (STOPPED, f"\nstopped; {GO_ON}\n")


def test_a_command_that_ends_gives_its_own_code() -> None:
    assert stopping.stoppable(lambda: 3) == 3


def test_a_worker_whose_run_was_killed_ends() -> None:
    worker = (
        "import os, signal; from pipeline.engine import stopping; stopping.LOOKS = 0.05; "
        "stopping.begin_worker(os.getppid()); print('ready', flush=True); signal.pause()"
    )
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {worker!r}])"
    process = started("-c", code)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.kill()
    # the worker has the pipes too: they end with it
    assert process.communicate(timeout=PATIENCE) == ("", "")


def test_what_dead_runs_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait(timeout=PATIENCE)
    dead, alive = process.pid, os.getpid()
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "kept").mkdir(parents=True)
    leftovers = [f"sem.loky-{dead}-abc", f"loky-{dead}-x", f"joblib_memmapping_folder_{dead}_a_b",
                 f"sem.modalgrid-{dead}-abc", f"modalgrid-dask-{dead}-abc"]
    others = [f"sem.loky-{alive}-abc", f"joblib_memmapping_folder_{alive}_a", "sem.loky-x-1",
              f"sem.mp-{dead}", f"mine-sem.loky-{dead}-abc", "elsewhere"]
    for name in (*leftovers[:1], *leftovers[3:], *others[:1], *others[2:-1]):
        (tmp_path / name).touch()
    (tmp_path / leftovers[1]).symlink_to(elsewhere)
    for folder in (leftovers[2], others[1]):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "array.pkl").touch()
    assert sorted(stopping.sweep(tmp_path, tmp_path / "none")) == sorted(leftovers)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)
    assert (elsewhere / "kept").is_dir()
