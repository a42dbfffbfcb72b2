"""The page of a run in a real browser, from a folder: it updates itself, and says who is silent."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.engine.progress import quiet, showing, step
from pipeline.results import live as module
from pipeline.results.live import PAGE, SCRIPT, LivePage
from reports.page.live import page as page_of
from reports.page.live import script as script_of
from tests.reports.page.test_live import EVIL, said, scores
from tests.support.browser import chromium


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


def opened(browser: Any, folder: Path, **options: Any) -> tuple[Any, list[str]]:
    """The page of a folder, and what the browser complains of."""
    page, complaints = browser.new_page(**options), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((folder / PAGE).as_uri())
    return page, complaints


def test_it_follows_a_run_to_its_end_without_being_loaded_again(browser, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "EVERY", 0.0)
    with quiet(), showing() as shown:
        shown.state.name = "emoji"
        shown.views.append(LivePage(shown.state, tmp_path))
        page, complaints = opened(browser, tmp_path)
        with step("check pictures", 40, "pictures") as tell:
            tell(11)
            page.wait_for_selector("text=Check pictures: 11 of 40 pictures")
            page.evaluate("window.isTheSame = true")
        (tmp_path / "report.html").write_text("<title>the report</title>")
    page.wait_for_selector("text=The report is ready")
    assert page.evaluate("window.isTheSame")
    assert complaints == []
    page.click("text=The report is ready")
    assert page.title() == "the report"


def test_a_run_that_was_killed_is_told_by_its_silence(browser, tmp_path):
    (tmp_path / PAGE).write_text(page_of(said(heartbeat=time.time() - 600)), encoding="utf-8")
    page, _ = opened(browser, tmp_path)
    assert page.is_visible("text=Nothing was heard of this run for 10 min")
    assert page.is_visible("text=modalgrid run grid.yaml")
    (tmp_path / PAGE).write_text(page_of(said(heartbeat=time.time())), encoding="utf-8")
    page.reload()
    assert not page.is_visible("#late")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_telephone_whatever_it_holds(browser, tmp_path, scheme):
    stage = {**said()["stages"][0], "name": "W" * 300}
    hard = said(name=EVIL, stages=[stage], scores=[{**scores(0.5)[0], "cell": "W" * 300}])
    (tmp_path / PAGE).write_text(page_of(hard), encoding="utf-8")
    (tmp_path / SCRIPT).write_text(script_of(hard), encoding="utf-8")
    page, complaints = opened(
        browser, tmp_path, viewport={"width": 360, "height": 800}, color_scheme=scheme
    )
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate("document.scripts.length") >= 1
    assert complaints == []
