"""Cores that a process may use."""

from __future__ import annotations

import os

import pytest

from features.machine import cores as module
from features.machine.cores import cores


@pytest.fixture
def container(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CONTAINER", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    return tmp_path / "cpu.max"


def test_without_a_container_they_are_those_the_process_may_run_on(container, monkeypatch):
    assert cores() == 8
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert cores() == 3


@pytest.mark.parametrize(("quota", "expected"), [
    ("max 100000", 8),
    ("400000 100000", 4),
    ("250000 100000", 3),
    ("50000 100000", 1),
    ("6400000 100000", 8),
    ("", 8),
])
def test_a_containers_quota_counts_where_it_is_lower(container, quota, expected):
    container.write_text(quota + "\n")
    assert cores() == expected
