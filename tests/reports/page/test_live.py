"""The page of a run that goes on: what it says in each state, escaped, with nothing loaded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reports.page.live import page, script

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def said(**changes: Any) -> dict[str, Any]:
    """What progress.json says of a run in the middle of its fits."""
    stage = {
        "name": "Fits", "state": "running", "done": 12, "total": 70, "noun": "", "seconds": 100.0,
        "left": 240.0, "now": [{
            "doing": "cnn / image_only, repeat 1, fold 2", "seconds": 12.0, "done": 14,
            "total": 60, "noun": "epochs at most",
        }],
    }
    return {
        "format": 1, "name": "emoji", "command": "modalgrid run grid.yaml", "state": "running",
        "exit": None, "error": "", "failures": 0, "pid": 17, "started": 1e9, "heartbeat": 1e9 + 9,
        "seconds": 125.0, "stages": [stage], "scores": [], "report": None, **changes,
    }


def scores(*values: float | None, greater: bool = True) -> list[dict[str, Any]]:
    return [
        {"cell": f"cell {number}", "metric": "balanced_accuracy", "value": value, "folds": 5,
         "greater_is_better": greater}
        for number, value in enumerate(values)
    ]


def test_a_running_run_says_what_is_done_now_and_how_long_it_still_takes():
    text = page(said())
    assert "Fit: 12 of 70, about 4 min left" in text
    assert "Each cell learns on the training rows of each fold" in text
    assert "Between" not in text
    assert "cnn / image_only, repeat 1, fold 2 (14 of 60 epochs at most, 12 s)" in text
    assert "2 min 5 s" in text
    assert 'id="late" class="alarms" role="status" hidden' in text


def test_what_went_on_is_said_until_the_next_step_begins():
    assert "It begins" in page(said(stages=[]))
    ended = {**said()["stages"][0], "state": "ended", "done": 70, "left": None, "now": []}
    assert '<p class="headline">Fit: done</p>' in page(said(stages=[ended]))


def test_nothing_is_said_of_the_time_left_without_ground():
    stage = {**said()["stages"][0], "left": None}
    assert "left" not in page(said(stages=[stage])).partition("<body>")[2].partition("<script")[0]


@pytest.mark.parametrize(("state", "sentence"), [
    ({"state": "done", "report": "report.html"}, '<a href="report.html">The report is ready</a>'),
    ({"state": "stopped"}, "what is finished is kept"),
    ({"state": "failed", "error": "no class <b>"}, "no class &lt;b&gt;"),
    ({"state": "done", "failures": 2}, "2 pieces of work failed"),
])
def test_how_it_ended(state, sentence):
    assert sentence in page(said(**state))


def test_a_screen_reader_finds_the_content_and_keys_scroll_the_error():
    for changes in ({}, {"state": "stopped"}, {"state": "failed", "error": "no class"}):
        assert page(said(**changes)).count("<main") == 1
    assert '<pre tabindex="0"' in page(said(state="failed", error="no class"))


def test_cells_that_are_done_stand_best_first_and_undefined_ones_last():
    for greater, order in ((True, [1, 0, 2]), (False, [0, 1, 2])):
        text = page(said(scores=scores(0.2, 0.7, None, greater=greater)))
        order_of_text = [text.index(f"cell {number}<") for number in order]
        assert order_of_text == sorted(order_of_text)


def test_whatever_is_called_how_nothing_of_it_runs():
    stage = {**said()["stages"][0], "name": EVIL}
    stage["now"] = [{**stage["now"][0], "doing": EVIL}]
    score = {**scores(0.5)[0], "cell": EVIL}
    for changes in ({}, {"state": "failed", "error": EVIL}, {"state": "stopped"}):
        dangerous = said(name=EVIL, command=EVIL, stages=[stage], scores=[score], **changes)
        text = page(dangerous)
        assert text.count("<script") == text.count("</script>") == 1
        assert "<img" not in text
        assert "<" not in script(dangerous)


def test_the_script_hands_the_page_its_state():
    call = script(said())
    html, beat = json.loads(f"[{call.removeprefix('modalgrid(').removesuffix(');' + chr(10))}]")
    assert beat == {"heartbeat": 1e9 + 9, "running": True}
    assert html in page(said())


def test_nothing_is_loaded_but_the_script_beside_it():
    text = page(said())
    assert "http://" not in text
    assert "https://" not in text
    assert "default-src 'none'" in text
