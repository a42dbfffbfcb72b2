"""The script of the pages, in a real browser: what is wider than the page is reached by keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import chromium
from tests.support.paths import ROOT

SCRIPT = ROOT / "docs" / "_static" / "reach.js"
PAGE = f"""<!doctype html><html lang="en"><title>t</title><body>
<style>pre {{ width: 20em; overflow: auto; }}</style>
<aside class="sidebar-drawer"></aside><aside class="toc-drawer"></aside>
<article><pre id="short">a</pre><pre id="long">{"a" * 200}</pre>
<table class="dataframe"><tr><th></th><th>score</th></tr></table></article>
<script src="{SCRIPT.as_uri()}"></script>"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Any:
    page = Path(tmp_path_factory.mktemp("page")) / "page.html"
    page.write_text(PAGE, encoding="utf-8")
    with chromium() as browser:
        tab = browser.new_page()
        tab.goto(page.as_uri())
        yield tab


def test_only_what_scrolls_takes_the_focus(shown: Any):
    assert shown.get_attribute("#long", "tabindex") == "0"
    assert shown.get_attribute("#short", "tabindex") is None


def test_the_sides_have_names_of_their_own(shown: Any):
    names = shown.eval_on_selector_all("aside", "sides => sides.map(side => side.ariaLabel)")
    assert names == ["Pages", "On this page"]


def test_the_corner_of_a_data_frame_heads_nothing(shown: Any):
    assert shown.eval_on_selector_all("th", "heads => heads.map(head => head.textContent)") == [
        "score"
    ]
