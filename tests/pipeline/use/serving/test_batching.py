"""What waits at the same time is predicted together."""

from __future__ import annotations

import threading

import pytest

from pipeline.use.items.item import Item
from pipeline.use.serving.batching import Batcher
from pipeline.use.serving.limits import Limits, Refusal
from pipeline.use.serving.prediction import Prediction

PATIENCE = 30  # seconds; nothing here takes any


class Gate:
    """Answers once it is opened; says when it was asked first."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()
        self.batches: list[list[str]] = []

    def __call__(self, items):
        self.batches.append([item.text for item in items])
        self.entered.set()
        assert self.opened.wait(PATIENCE)
        if any(item.text == "fail" for item in items):
            raise RuntimeError("no")
        return [
            Prediction(predicted=item.text, probabilities={}, missing=[], problem="")
            for item in items
        ]


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def batcher(gate):
    batcher = Batcher(gate, Limits(at_once=3, waiting=5), lambda size: None)
    yield batcher
    gate.opened.set()
    batcher.close()


def items(*texts):
    return [Item("", text=text) for text in texts]


def predicted(futures):
    return [future.result(PATIENCE).predicted for future in futures]


def busy(batcher, gate):
    """The worker is at work on an item, and will be until the gate is opened."""
    futures = batcher.submit(items("first"))
    assert gate.entered.wait(PATIENCE)
    return futures


def test_all_that_wait_are_asked_about_together_up_to_a_limit(batcher, gate):
    futures = busy(batcher, gate)
    for text in "abcd":
        futures += batcher.submit(items(text))
    gate.opened.set()
    assert predicted(futures) == ["first", "a", "b", "c", "d"]
    assert gate.batches == [["first"], ["a", "b", "c"], ["d"]]


def test_who_fails_fails_alone(batcher, gate):
    futures = busy(batcher, gate) + batcher.submit(items("a", "fail", "b"))
    gate.opened.set()
    assert predicted([futures[0], futures[1], futures[3]]) == ["first", "a", "b"]
    with pytest.raises(RuntimeError, match="no"):
        futures[2].result(PATIENCE)
    assert predicted(batcher.submit(items("later"))) == ["later"]


def test_no_more_wait_than_may(batcher, gate):
    futures = busy(batcher, gate) + batcher.submit(items("a", "b", "c"))
    with pytest.raises(Refusal) as caught:
        batcher.submit(items("d", "e", "f"))
    assert (caught.value.status_code, caught.value.refused.limit) == (503, 5)
    futures += batcher.submit(items("d", "e"))
    gate.opened.set()
    assert predicted(futures) == ["first", "a", "b", "c", "d", "e"]


def test_who_no_longer_waits_is_not_asked_about(batcher, gate):
    futures = busy(batcher, gate) + batcher.submit(items("a", "b"))
    assert futures[1].cancel()
    gate.opened.set()
    assert predicted([futures[0], futures[2]]) == ["first", "b"]
    assert gate.batches == [["first"], ["b"]]


def test_what_waits_when_it_ends_is_answered(gate):
    batcher = Batcher(gate, Limits(), lambda size: None)
    futures = busy(batcher, gate) + batcher.submit(items("a"))
    gate.opened.set()
    batcher.close()
    assert predicted(futures) == ["first", "a"]
    assert not batcher.is_ready
    with pytest.raises(Refusal, match="about to end"):
        batcher.submit(items("b"))


def test_other_work_waits_its_turn_and_is_done_by_the_same_thread(batcher, gate):
    first = busy(batcher, gate)
    name = batcher.run(lambda: threading.current_thread().name)
    after = batcher.submit(items("b"))
    gate.opened.set()
    assert name.result(PATIENCE) == "predictions"
    assert predicted([*first, *after]) == ["first", "b"]
    assert gate.batches == [["first"], ["b"]]


def test_work_that_fails_says_so_and_the_thread_goes_on(batcher, gate):
    gate.opened.set()
    with pytest.raises(ZeroDivisionError):
        batcher.run(lambda: 1 // 0).result(PATIENCE)
    assert predicted(batcher.submit(items("a"))) == ["a"]


def test_work_counts_among_what_waits(batcher, gate):
    busy(batcher, gate)
    for _ in range(5):
        batcher.run(lambda: None)
    with pytest.raises(Refusal, match="more than 5 items wait"):
        batcher.run(lambda: None)
