"""A folder holds the files of one run, whatever stops the next one, and the earlier is kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import psutil
import pytest

from pipeline.results import placing
from pipeline.results.placing import FILES, PREVIOUS, make_writable, placed, take_up


class Killed(BaseException):
    """The process is gone: nothing that it would still do is done."""


def write(folder: Path, run: str, lock: str | None = None) -> None:
    """Files of a run, each of which says which run it is of."""
    for name in set(FILES) - {"charts", "failures.json"}:
        (folder / name).write_text(run)
    (folder / "grid.lock.yaml").write_text(lock or run)
    (folder / "origin.json").write_text(json.dumps({"grid": f"../{run}.yaml", "store": "s3://b"}))
    (folder / "charts").mkdir()
    (folder / "charts" / "a.svg").write_text(run)
    if run == "first":
        (folder / "failures.json").write_text(run)


def make(folder: Path, run: str, lock: str | None = None) -> None:
    with placed(folder) as aside:
        write(aside, run, lock)


def runs_in(folder: Path) -> set[str]:
    """Of which runs files stand in a folder; of the lock and origin.json that they are there."""
    names = [name for name in FILES if name not in ("charts", "grid.lock.yaml", "origin.json")]
    files = [folder / name for name in names] + [folder / "charts" / "a.svg"]
    return {path.read_text() for path in files if path.is_file()}


def is_finished(folder: Path) -> bool:
    return (folder / "grid.lock.yaml").exists()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    make(tmp_path, "first")
    return tmp_path


def test_another_run_keeps_the_earlier_one_and_the_files_of_others(folder, capsys):
    make(folder, "second")
    assert runs_in(folder) == {"second"}
    assert not (folder / "failures.json").exists()
    assert runs_in(folder / PREVIOUS) == {"first"}
    assert (folder / PREVIOUS / "failures.json").exists()
    assert (folder / "notes.txt").read_text() == "mine"
    origin = json.loads((folder / PREVIOUS / "origin.json").read_text())
    assert origin == {"grid": "../../first.yaml", "store": "s3://b"}
    said = capsys.readouterr().err
    assert f"the earlier run in {folder}, of first.yaml, is kept as {folder / PREVIOUS}" in said
    assert "in place of" not in said
    make(folder, "third")
    assert runs_in(folder / PREVIOUS) == {"second"}
    assert "in place of the one that was kept there" in capsys.readouterr().err


def test_the_same_run_again_replaces_itself_alone(folder, capsys):
    make(folder, "second")
    capsys.readouterr()
    make(folder, "again", lock="second")
    assert runs_in(folder) == {"again"}
    assert runs_in(folder / PREVIOUS) == {"first"}
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_what_fails_while_files_are_written_leaves_the_earlier_run(folder, error):
    before = sorted(folder.rglob("*"))
    def fail(aside):
        (aside / "scores.csv").write_text("second")
        raise error

    with pytest.raises(type(error)), placed(folder) as aside:
        fail(aside)
    assert sorted(folder.rglob("*")) == before
    assert runs_in(folder) == {"first"}


def killed_at(change: int, patch: pytest.MonkeyPatch) -> None:
    """Have the process killed before its n-th change of the folder, counted from 1."""
    left = [change]

    def wrap(owner: object, name: str) -> None:
        function = getattr(owner, name)

        def guarded(*given, **named):
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return function(*given, **named) if left[0] > 0 else None

        patch.setattr(owner, name, guarded)

    for name in ("replace", "unlink", "rmdir", "mkdir"):
        wrap(Path, name)
    wrap(shutil, "rmtree")


def is_killed_at(change: int, folder: Path, lock: str) -> bool:
    """Make a second run, which is killed at a change; whether it got so far."""
    with pytest.MonkeyPatch.context() as patch:
        killed_at(change, patch)
        try:
            make(folder, "second", lock)
        except Killed:
            return True
    return False


@pytest.mark.parametrize("lock", ["second", "first"])
def test_killed_at_any_change_a_folder_has_one_run_and_the_next_takes_it_up(tmp_path, lock):
    change, killed = 0, True
    while killed:
        change += 1
        folder = tmp_path / str(change)
        folder.mkdir()
        make(folder, "zeroth")
        make(folder, "first")
        killed = is_killed_at(change, folder, lock)
        assert not is_finished(folder) or runs_in(folder) in ({"first"}, {"second"})
        whole = (folder / placing.WHOLE).exists() or (folder / placing.MOVING).exists()
        take_up(folder)
        assert is_finished(folder)
        assert runs_in(folder) == ({"second"} if whole or not killed else runs_in(folder))
        assert runs_in(folder / PREVIOUS) <= {"first", "zeroth"}
        assert len(runs_in(folder / PREVIOUS)) == 1
        make(folder, "third")
        assert runs_in(folder) == {"third"}
        assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
    assert change > 20


def test_a_run_of_before_this_version_is_kept_too(tmp_path):
    for name in ("report.html", "scores.csv"):
        (tmp_path / name).write_text("old")
    make(tmp_path, "new")
    assert runs_in(tmp_path) == {"new"}
    assert runs_in(tmp_path / PREVIOUS) == {"old"}


@pytest.mark.parametrize("damaged", ["", "[]", "{}", '{"grid": 3, "store": "b"}', "[" * 100_000])
def test_an_earlier_run_whose_origin_is_damaged_hinders_no_later_one(folder, damaged):
    (folder / "origin.json").write_text(damaged)
    make(folder, "second")
    assert runs_in(folder) == {"second"}
    assert (folder / PREVIOUS / "origin.json").read_text() == damaged


def test_what_a_run_of_another_machine_writes_is_left_to_it(folder, monkeypatch):
    monkeypatch.setattr(placing, "MACHINE", "node")
    monkeypatch.setattr(psutil, "pid_exists", lambda _: False)
    for name in (".unfinished-node-4711", ".unfinished-node-1-4711", ".unfinished-node-x"):
        (folder / name).mkdir()
    make(folder, "second")
    assert {path.name for path in folder.glob(".unfinished-*")} == {
        ".unfinished-node-1-4711", ".unfinished-node-x"
    }


@pytest.mark.parametrize("name", ["labels.csv", "charts", PREVIOUS])
@pytest.mark.parametrize("is_folder", [True, False])
def test_a_folder_with_files_of_others_that_a_run_would_move_is_refused(name, is_folder, tmp_path):
    path = tmp_path / "own" / name
    (path / "below" if is_folder else path).parent.mkdir(parents=True)
    (path / "below" if is_folder else path).write_text("precious")
    with pytest.raises(FileExistsError, match=f"of what a run writes, {name} is there already"):
        make_writable(tmp_path / "own")
    assert (path / "below" if is_folder else path).read_text() == "precious"


@pytest.mark.parametrize("waiting", [None, ".whole", ".earlier", ".moving"])
def test_folders_of_runs_and_of_stopped_ones_are_written_again(waiting, folder):
    make(folder, "second")
    if waiting is not None:
        (folder / waiting).mkdir()
        (folder / "grid.lock.yaml").unlink()
    make_writable(folder)
    make_writable(folder.parent / "new")
