"""A cluster of this machine: interrupted while it starts, it is closed and the run stops."""

from __future__ import annotations

import signal

import pytest

from pipeline.engine import cluster

distributed = pytest.importorskip("distributed")


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
def test_an_interrupt_waits_until_there_is_something_to_close(number, monkeypatch):
    monkeypatch.setattr(distributed, "LocalCluster", Started)
    monkeypatch.setattr(Started, "number", number, raising=False)
    monkeypatch.setattr(Started, "closed", 0)
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        cluster._local_cluster(1)
    assert Started.closed == 1
    assert signal.getsignal(number) is before


def test_a_cluster_that_cannot_start_says_why_and_leaves_the_signals(monkeypatch):
    def fails(**_):
        raise OSError("no port is free")

    monkeypatch.setattr(distributed, "LocalCluster", fails)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(OSError, match="no port is free"):
        cluster._local_cluster(1)
    assert signal.getsignal(signal.SIGINT) is before


def test_workers_that_an_interrupt_ended_too_are_no_failure(monkeypatch):
    """As Ctrl-C in a terminal does: it reaches all processes of the run."""

    def fails(**_):
        signal.raise_signal(signal.SIGINT)
        raise RuntimeError("Nanny failed to start.")

    monkeypatch.setattr(distributed, "LocalCluster", fails)
    with pytest.raises(KeyboardInterrupt):
        cluster._local_cluster(1)
