"""A disk that is full or read-only is told by its folder, with what can be done."""

from __future__ import annotations

import errno
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.engine.attempts import at_once_or_alone, attempt, computed
from pipeline.engine.processes import Processes
from pipeline.engine.progress import silence
from pipeline.engine.run_all import run_all
from pipeline.store.files import NoRoom, full, writing
from pipeline.store.folder import FolderStore
from pipeline.store.keys import key_of
from pipeline.store.manifest import Entry
from tests.support.tasks import Raising

ADVICE = "free some there"


def refusing(number: int, path: Path | None = None) -> Callable[..., None]:
    def refuse(*_: object, **__: object) -> None:
        if path is None:
            raise OSError(number, os.strerror(number))
        raise OSError(number, os.strerror(number), str(path))

    return refuse


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_store_on_a_full_disk_says_where_it_lies_and_what_to_free(
    tmp_path, monkeypatch, number
) -> None:
    store = FolderStore(tmp_path)
    monkeypatch.setattr("pipeline.store.files.os.fsync", refusing(number))
    with pytest.raises(NoRoom, match=rf"the disk of {tmp_path} .* are free\): free some.* prune "):
        store.get({"kind": "example"}, lambda: Entry({}, {}))
    assert store.all_keys() == []
    assert list((tmp_path / "partial").iterdir()) == []
    monkeypatch.undo()
    store.get({"kind": "example"}, lambda: Entry({}, {}))
    assert store.problem(key_of({"kind": "example"})) is None


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_store_that_cannot_be_written_says_so(tmp_path, monkeypatch, number) -> None:
    store = FolderStore(tmp_path)
    monkeypatch.setattr(Path, "mkdir", refusing(number, tmp_path / "locks"))
    with pytest.raises(NoRoom, match=f"nothing .* be written to the disk of {tmp_path}"):
        store.get({"kind": "example"}, lambda: Entry({}, {}))


def test_other_errors_of_work_are_its_own(tmp_path) -> None:
    store = FolderStore(tmp_path)
    for number in (errno.EACCES, errno.EIO):
        with pytest.raises(OSError, match=r".") as error:
            store.get({"kind": "example"}, refusing(number, Path("/elsewhere/picture.png")))
        assert not isinstance(error.value, NoRoom)
    assert full(error.value) is None


def test_a_full_disk_is_found_behind_other_errors() -> None:
    def work() -> None:
        try:
            refusing(errno.ENOSPC, Path("/somewhere/file"))()
        except OSError as error:
            raise RuntimeError("could not be written") from error

    rule = r"no space is left on the disk of /somewhere.*: free some"
    with pytest.raises(NoRoom, match=rule), writing("/folder", ADVICE):
        work()
    with pytest.raises(RuntimeError) as error:
        work()
    assert isinstance(full(error.value), NoRoom)


def test_no_room_crosses_processes() -> None:
    error = pickle.loads(pickle.dumps(NoRoom("no space")))
    assert isinstance(error, NoRoom)
    assert str(error) == "no space"


def test_no_attempt_makes_a_failure_of_a_full_disk(store) -> None:
    work = refusing(errno.ENOSPC)
    for tried in (
        lambda: attempt(work),
        lambda: at_once_or_alone([1, 2], work, str),
        lambda: computed([Raising("a", errno.ENOSPC)], store),
    ):
        with pytest.raises(NoRoom):
            tried()


@pytest.mark.parametrize("slots", [1, 2])
def test_a_full_disk_ends_all_work(store, slots) -> None:
    engine = Processes(slots, memory=1e9)
    try:
        with pytest.raises(NoRoom, match="no space is left"):
            run_all(
                [Raising("a", errno.ENOSPC), Raising("b", errno.ENOSPC)], engine, store, silence
            )
    finally:
        engine.shutdown()
