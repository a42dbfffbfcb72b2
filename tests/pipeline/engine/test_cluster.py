"""A cluster of this machine: interrupted while it starts, it is closed and the run stops."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from pipeline.engine import cluster, stopping

distributed = pytest.importorskip("distributed")
dask = pytest.importorskip("dask")


class Started:
    """Stands for a cluster whose user stops the run before it is there."""

    closed = 0

    def __init__(self, **_):
        signal.raise_signal(self.number)
        self.is_whole = True

    def close(self):
        assert self.is_whole
        type(self).closed += 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_until_there_is_something_to_close(number, monkeypatch, tmp_path):
    monkeypatch.setattr(distributed, "LocalCluster", Started)
    monkeypatch.setattr(Started, "number", number, raising=False)
    monkeypatch.setattr(Started, "closed", 0)
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        cluster._local_cluster(1, tmp_path)
    assert Started.closed == 1
    assert signal.getsignal(number) is before


def test_a_cluster_that_cannot_start_says_why_and_leaves_the_signals(monkeypatch, tmp_path):
    def fails(**_):
        raise OSError("no port is free")

    monkeypatch.setattr(distributed, "LocalCluster", fails)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(OSError, match="no port is free"):
        cluster._local_cluster(1, tmp_path)
    assert signal.getsignal(signal.SIGINT) is before


def test_workers_that_an_interrupt_ended_too_are_no_failure(monkeypatch, tmp_path):
    """As Ctrl-C in a terminal does: it reaches all processes of the run."""

    def fails(**_):
        signal.raise_signal(signal.SIGINT)
        raise RuntimeError("Nanny failed to start.")

    monkeypatch.setattr(distributed, "LocalCluster", fails)
    with pytest.raises(KeyboardInterrupt):
        cluster._local_cluster(1, tmp_path)


def test_what_a_cluster_of_this_machine_leaves_when_it_is_killed_is_known_as_ours(
    monkeypatch, tmp_path
):
    """Semaphores and the workers' folder have the number of the run, by which they are swept."""
    folders = []

    def notes(**_):
        folders.append(Path(dask.config.get("temporary-directory")))
        (folders[0] / "worker").mkdir()
        raise OSError("no port is free")

    settings = vars(multiprocessing.current_process())["_config"]
    monkeypatch.setitem(settings, "semprefix", settings["semprefix"])
    monkeypatch.setattr(distributed, "LocalCluster", notes)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(OSError, match="no port is free"):
        cluster.Cluster(1, None, ())
    semaphore = multiprocessing.get_context("spawn").Lock()._semlock.name.removeprefix("/")
    for name in (folders[0].name, f"sem.{semaphore}"):
        named = stopping.LEFTOVER.fullmatch(name)
        assert named is not None
        assert int(named[1]) == os.getpid()
    assert list(tmp_path.iterdir()) == []  # it was not killed
