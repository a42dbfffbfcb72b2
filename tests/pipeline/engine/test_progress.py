"""Progress in plain lines, where there is no terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine import progress as module
from pipeline.engine.progress import LINES, progress, silence


@pytest.fixture
def clock(monkeypatch):
    """Seconds that a test sets."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_a_stage_says_how_far_it_is_and_what_is_left(capsys, clock):
    with progress({"Fits": 4}, suffix=" with few labels") as report:
        report.began("Fits")
        clock[0] = 10.0
        report.ended("Fits", "bow", 1)
        clock[0] = 15.0
        report.ended("Fits", "cnn", 2)
        report.began("Fits")
        clock[0] = 20.0
        report.ended("Fits", "concat", 1)
    assert capsys.readouterr().err.splitlines() == [
        "Fits with few labels: 4 to do",
        "Fits with few labels: 1/4, 10 s, 30 s left (bow)",
        "Fits with few labels: 3/4, 15 s, 5 s left (cnn)",
        "Fits with few labels: 4/4, 20 s, 0 s left (concat)",
    ]


def test_stages_are_told_apart(capsys):
    with progress({"Fits": 1, "Features": 1}) as report:
        report.ended("Features", "bow", 1)
        report.ended("Fits", "concat", 1)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["Features"] * 2 + ["Fits"] * 2


@given(st.lists(st.integers(1, 30), min_size=1, max_size=60))
def test_few_lines_are_printed_and_the_last_says_all(counts):
    total, lines = sum(counts), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "say", lines.append)
        with progress({"Fits": total}) as report:
            for count in counts:
                report.began("Fits")
                report.ended("Fits", "a", count)
    assert len(lines) <= LINES + 2
    assert lines[0] == f"Fits: {total} to do"
    assert lines[-1].startswith(f"Fits: {total}/{total}, ")
    shown = [int(re.search(r"(\d+)/", line)[1]) for line in lines[1:]]
    assert shown == sorted(set(shown))


def test_silence_says_nothing(capsys):
    with silence({"Fits": 1}) as report:
        report.began("Fits")
        report.ended("Fits", "a", 1)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_bars_show_the_stages(monkeypatch, capsys):
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True)
    with progress({"Fits": 2}, suffix=" again") as report:
        report.began("Fits")
        report.ended("Fits", "concat", 2)
    text = capsys.readouterr().err
    assert "Fits again" in text
    assert "2/2" in text
