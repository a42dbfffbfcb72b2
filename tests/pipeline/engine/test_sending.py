"""What a process must do before it reads its work, and what becomes of one that cannot."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from pipeline.engine.sending import Sent, sent
from pipeline.engine.task import EngineError
from pipeline.engine.workers import described, difference

DONE: list[str] = []


@dataclass(frozen=True)
class Preparing:
    """Notes that it was asked, or fails."""

    problem: str = ""

    def __call__(self) -> Mapping[str, str]:
        DONE.append("prepared")
        if self.problem:
            raise ValueError(self.problem)
        return {"plugin x": "code a"}


class Read:
    """Notes that it was read."""

    def __setstate__(self, state: object) -> None:
        DONE.append("read")

    def __getstate__(self) -> dict[str, int]:
        return {"there": 1}


def test_a_process_is_made_ready_before_it_reads_its_work():
    DONE.clear()
    travelled: Sent = pickle.loads(pickle.dumps(sent([Read()], Preparing())))
    assert DONE == []
    travelled.read()
    assert DONE == ["prepared", "read"]
    sent([Read()], None).read()
    assert DONE == ["prepared", "read", "read"]


def test_what_cannot_be_made_ready_reads_nothing_and_says_why():
    DONE.clear()
    with pytest.raises(EngineError, match="a worker cannot take part: no x here"):
        sent([Read()], Preparing("no x here")).read()
    assert DONE == ["prepared"]


def test_workers_elsewhere_are_compared_by_what_makes_them_ready():
    here = described(["numpy"], Preparing())["versions"]
    assert here["plugin x"] == "code a"
    assert difference(described(["numpy"], Preparing()), here) == ""
    assert difference(described(["numpy"], Preparing("no x here")), here) == "no x here"
    assert difference(described(["numpy"]), here) == (
        "plugin x is not installed there, code a here"
    )
