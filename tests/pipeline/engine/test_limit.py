"""Time limits: how they are written, what they still allow, and when what runs is left."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pipeline.engine.limit import TimeLimit, checked_limit, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("2h", 7200), ("1.5h", 5400), ("1h30m", 5400), ("1m5s", 65)],
)
def test_a_limit_is_numbers_with_units(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (10, "did you mean 10s or 10m or 10h?"),
        ("10", "did you mean 10s or 10m or 10h?"),
        ("10min", "did you mean 10m?"),
        (" 10 m", "did you mean 10m?"),
    ],
)
def test_what_was_meant_is_told(given, meant):
    with pytest.raises(ValueError, match="with its unit") as error:
        checked_limit(given)
    assert str(error.value).endswith(meant)


@pytest.mark.parametrize("given", ["0m", "-1m", "", "m", "5m1h", "1e3s", None, True, "1234567s"])
def test_what_is_no_limit_is_refused_with_the_rule(given):
    with pytest.raises(ValueError, match="90s, 10m, 2h"):
        checked_limit(given)


class Clock:
    """Says what it is set to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def task(label: str = "a") -> SimpleNamespace:
    return SimpleNamespace(stage="Fits", label=label)


def test_nothing_begins_in_the_last_tenth_and_what_runs_is_left_in_its_middle():
    clock = Clock()
    limit = TimeLimit("100s", clock=clock)
    assert limit.for_work == 90
    clock.now = 189.9
    assert limit.allows([task()])
    assert limit.patience() == pytest.approx(5.1)
    clock.now = 190.0
    assert not limit.allows([task()])
    assert not limit.allows(())
    clock.now = 300.0
    assert limit.patience() == 0


def test_at_most_a_minute_is_kept_back_and_the_time_before_counts():
    clock = Clock()
    limit = TimeLimit("2h", begun=40.0, clock=clock)
    assert limit.for_work == 7200 - 60
    assert limit.patience() == 7200 - 30 - 60


def test_what_its_like_took_longer_than_is_left_does_not_begin():
    clock = Clock()
    limit = TimeLimit("100s", clock=clock)
    limit.took(task("slow"), 50.0)
    clock.now = 144.0
    assert limit.allows([task("slow")])
    clock.now = 146.0
    assert not limit.allows([task("slow")])
    assert limit.allows([task("quick")])
    assert not limit.allows([task("quick"), task("slow")])
    limit.took(task("slow"), 10.0)
    assert limit.allows([task("slow")])
