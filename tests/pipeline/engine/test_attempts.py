"""What comes of a piece of work."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.engine.attempts import at_once_or_alone, attempt, computed, describe, failure
from pipeline.engine.task import Done, Failed
from pipeline.store.folder import FolderStore
from pipeline.store.manifest import Entry

STORE = FolderStore(Path("never written"))


def broken(*_: object) -> Entry:
    raise ValueError("the weights melted")


def task(*keys: str, compute=None):
    done = dict.fromkeys(keys, Done(1.0, reused=False))
    return SimpleNamespace(keys=keys, compute=compute or (lambda store: done))


@pytest.mark.parametrize("reused", [True, False])
def test_work_that_ends_in_the_store_is_done(reused):
    outcome = attempt(lambda: Entry({}, seconds=2.5, reused=reused))
    assert (outcome.seconds, outcome.reused) == (2.5, reused)


def test_an_error_is_described_with_where_it_came_from():
    outcome = attempt(broken)
    assert outcome.error == "ValueError: the weights melted"
    assert "in broken\n" in outcome.traceback
    assert outcome.label == ""


def test_parts_that_fail_together_are_tried_alone():
    tried = []

    def compute(parts):
        tried.append(list(parts))
        if "bad" in parts:
            broken()
        return {f"key of {part}": Done(1.0, reused=False) for part in parts}

    outcomes = at_once_or_alone(["good", "bad", "fine"], compute, "key of {}".format)
    assert tried == [["good", "bad", "fine"], ["good"], ["bad"], ["fine"]]
    assert outcomes["key of bad"].error == "ValueError: the weights melted"
    assert [key for key, outcome in outcomes.items() if isinstance(outcome, Done)] == [
        "key of good", "key of fine",
    ]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_stops_a_run_is_no_failure_of_a_task(stop):
    def stopped(*_: object) -> Entry:
        raise stop

    with pytest.raises(stop):
        attempt(stopped)
    with pytest.raises(stop):
        computed([task("a", compute=stopped)], STORE)


def test_a_task_that_fails_as_a_whole_fails_its_keys_and_no_other_task():
    outcomes = computed([task("a", "b", compute=broken), task("c")], STORE)
    assert list(outcomes) == ["a", "b", "c"]
    assert isinstance(outcomes["c"], Done)
    assert outcomes["a"] is outcomes["b"]
    assert outcomes["a"].error == "ValueError: the weights melted"


def test_an_error_without_a_message_is_its_class():
    assert describe(RuntimeError()) == "RuntimeError"
    assert describe(OSError("full")) == "OSError: full"
    assert failure(RuntimeError()).error == "RuntimeError"


def test_what_is_passed_on_names_what_failed_first_once():
    failed = Failed("ValueError: x", "trace", "bow")
    assert failed.passed_on() == Failed("bow: ValueError: x", "trace", "bow")
    assert failed.passed_on().passed_on() == failed.passed_on()
