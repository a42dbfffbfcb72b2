"""The page in a real browser: headless Chromium through Playwright, skipped without Chromium."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import pytest

from pipeline.testing.records import IMAGE, MAJORITY, SMALL_SCORES, TEXT, small_record
from reports.page.render import write_report
from tests.support.browser import chromium, contrast, faint, luminance, texts, unnamed
from tests.support.hostile import hostile
from tests.support.probed import probed_record
from tests.support.realistic import realistic_record

WIDTHS = {"desktop": 1280, "phone": 360}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("browser")
    return write_report(realistic_record(n_rows=200, repeats=1), folder)[0]


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("nasty")
    return write_report(hostile(realistic_record(n_rows=200, repeats=1)), folder)[0]


def drawn(page: Any) -> None:
    """Wait until every chart that can be seen is drawn."""
    page.wait_for_function(
        """[...document.querySelectorAll('.drawing')]
        .every(drawing => drawing.firstElementChild || drawing.closest('details:not([open])'))"""
    )


def unfolded(page: Any) -> None:
    """Open everything that is collapsed."""
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    page.wait_for_function(
        "[...document.querySelectorAll('.drawing')].every(drawing => drawing.firstElementChild)"
    )


@contextmanager
def opened(browser: Any, path: Path, width: int = 1280, scheme: str = "light") -> Iterator[Any]:
    """The page, with every request but the file itself and every complaint counted as a failure."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    heard: list[str] = []
    page.on("request", lambda request: heard.append(f"request: {request.url[:200]}"))
    page.on(
        "console", lambda message: heard.append(f"console {message.type}: {message.text[:300]}")
    )
    page.on("pageerror", lambda error: heard.append(f"error: {error}"))
    page.on("dialog", lambda dialog: heard.append(f"dialog: {dialog.message}") or dialog.dismiss())
    page.goto(path.as_uri())
    drawn(page)
    yield page
    page.close()
    itself = f"request: {path.as_uri()}"
    assert [
        line for line in heard if line != itself and not line.startswith("request: data:")
    ] == []


def shown(page: Any) -> list[str]:
    """Names of the cells in the leaderboard that can be seen, in their order."""
    names: list[str] = page.eval_on_selector_all(
        "#cells tbody tr",
        "rows => rows.filter(row => row.offsetParent).map(row => row.cells[1].dataset.value)",
    )
    return names


def findings(page: Any) -> list[tuple[str, str]]:
    """What axe holds against the page: the rule and the element."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    violations = axe.Axe().run(page).response["violations"]
    return list(chain.from_iterable(
        [(violation["id"], node["html"][:200]) for node in violation["nodes"]]
        for violation in violations
    ))


def column(page: Any, heading: str) -> list[float]:
    """Sorting values of a leaderboard's column, from top to bottom, empty ones left out."""
    values: list[str] = page.evaluate(
        """heading => { const table = document.getElementById('cells');
        const headings = [...table.tHead.rows[0].cells];
        const column = headings.findIndex(cell => cell.textContent.trim() === heading);
        return [...table.tBodies[0].rows].map(row => row.cells[column].dataset.value); }""",
        heading,
    )
    return [float(value) for value in values if value]


def test_charts_are_drawn_with_their_marks(browser, report):
    with opened(browser, report) as page:
        assert page.locator('[data-chart="reliability"] svg').count() == 0  # until it is asked for
        unfolded(page)
        charts = page.eval_on_selector_all(
            ".drawing", "all => all.map(drawing => drawing.dataset.chart)"
        )
        assert set(charts) >= {"leaderboard", "front", "gains", "confusion"}
        for chart in charts:
            drawing = page.locator(
                f'[data-chart="{chart}"] > svg, [data-chart="{chart}"] svg'
            ).first
            box = drawing.bounding_box()
            assert box["width"] > 300, chart
            assert box["height"] > 150, chart
        dots = page.locator('[data-chart="leaderboard"] svg .mark-symbol path')
        assert dots.count() == 5 * 11  # one for each fold of each complete cell but the baseline
        assert page.locator('[data-chart="confusion"] svg .mark-rect path').count() > 8


def test_a_heading_sorts_by_mouse_and_by_keyboard(browser, report):
    with opened(browser, report) as page:
        before = shown(page)
        heading = page.locator("#cells thead").get_by_role("button", name="Fit", exact=True)
        heading.click()
        assert column(page, "Fit") == sorted(column(page, "Fit"))
        assert page.locator("#cells th[aria-sort]").get_attribute("aria-sort") == "ascending"
        heading.focus()
        page.keyboard.press("Enter")
        assert column(page, "Fit") == sorted(column(page, "Fit"), reverse=True)
        assert page.locator("#cells th[aria-sort]").get_attribute("aria-sort") == "descending"
        assert shown(page)[-1] == before[-1]  # the failed cell has no value and stays last
        page.locator("#cells thead").get_by_role("button", name="Rank", exact=True).press("Space")
        assert shown(page) == before


def test_the_filter_keeps_matching_cells_and_baselines(browser, report):
    with opened(browser, report) as page:
        every = shown(page)
        page.get_by_label("Filter cells").fill("TFIDF concat")
        assert shown(page) == [
            name
            for name in every
            if ("tfidf" in name and "concat" in name) or name == MAJORITY.name
        ]
        assert page.get_by_role("status").text_content() == f"2 of {len(every)} cells"
        page.get_by_label("Filter cells").fill("no such cell")
        assert shown(page) == [MAJORITY.name]
        page.get_by_label("Filter cells").fill("")
        assert shown(page) == every


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_only_tables_scroll_sideways_and_say_so(browser, report, width):
    with opened(browser, report, width) as page:
        unfolded(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        outside = page.evaluate(
            """[...document.querySelectorAll('main *')]
            .filter(element => !element.closest('.scroll, pre, svg, .unseen, .hint'))
            .filter(element => element.getBoundingClientRect().right > innerWidth + 1)
            .map(element => element.outerHTML.slice(0, 120))"""
        )
        assert outside == []
        regions = page.eval_on_selector_all(
            ".scroll",
            """all => all.map(region => [region.scrollWidth > region.clientWidth + 1,
            region.classList.contains('wider'), region.tabIndex])""",
        )
        assert all(wide is marked and focus == 0 for wide, marked, focus in regions)
        assert not page.locator("#leaderboard .hint").first.is_visible()


def test_on_a_phone_tables_show_the_columns_that_fit_and_all_of_them_on_demand(browser, report):
    with opened(browser, report, WIDTHS["phone"]) as page:
        unfolded(page)
        page.evaluate("hint()")
        assert page.locator(".scroll.wider").count() == 0
        shown_headings = """table =>
            [...table.tHead.rows[0].cells].filter(cell => cell.offsetParent).length"""
        board = page.locator("#cells")
        few = board.evaluate(shown_headings)
        assert 3 <= few < 10
        assert page.locator("#cells tbody tr").first.locator("td.strong").is_visible()
        page.locator("#leaderboard").get_by_role("button", name="Show all 10 columns").first.click()
        assert board.evaluate(shown_headings) == 10
        assert page.locator("#leaderboard .hint").first.is_visible()
        page.get_by_role("button", name="Show the first columns only").first.click()
        assert board.evaluate(shown_headings) == few
        # groups of columns are as wide as what is left of them
        widths = page.eval_on_selector_all(
            "#gains table:not(.map), #calibration table",
            """all => all.map(table => [...table.tHead.rows, table.tBodies[0].rows[0]]
            .map(row => [...row.cells].filter(cell => cell.offsetParent)
            .reduce((sum, cell) => sum + cell.colSpan, 0)))""",
        )
        assert len(widths) == 2
        for top, below, body in widths:
            assert top == body == below + 1  # the first heading is two rows high
        page.set_viewport_size({"width": 1280, "height": 900})
        page.wait_for_function("document.querySelectorAll('.off').length === 0")


def test_what_is_printed_has_all_columns(browser, report):
    with opened(browser, report, WIDTHS["phone"]) as page:
        assert page.locator(".off").count() > 0
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert page.locator(".off, .beyond").count() == 0
        drawn(page)


def test_a_table_scrolls_by_keyboard(browser, report):
    with opened(browser, report, WIDTHS["phone"]) as page:
        page.locator("#leaderboard").get_by_role("button", name="Show all").click()
        region = page.locator("#leaderboard .scroll").first
        region.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("document.querySelector('#leaderboard .scroll').scrollLeft > 0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_both_colour_schemes(browser, report, scheme):
    with opened(browser, report, scheme=scheme) as page:
        unfolded(page)
        ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert (luminance(ground) > 0.5) is (scheme == "light")
        pairs = texts(page)
        assert len(pairs) > 200
        assert faint(pairs) == []
        label = page.eval_on_selector(
            ".drawing svg .role-axis-label text", "text => getComputedStyle(text).fill"
        )
        assert (
            contrast(
                label,
                page.eval_on_selector(".chart", "chart => getComputedStyle(chart).backgroundColor"),
            )
            > 4.5
        )


def test_charts_follow_the_colour_scheme(browser, report):
    with opened(browser, report) as page:
        read = "text => getComputedStyle(text).fill"
        light = page.eval_on_selector(".drawing svg .role-axis-label text", read)
        page.emulate_media(color_scheme="dark")
        page.wait_for_function(
            "light => { const text = document.querySelector('.drawing svg .role-axis-label text');"
            " return text && getComputedStyle(text).fill !== light; }",
            arg=light,
        )


def test_every_control_is_reached_by_keyboard_and_named(browser, report):
    with opened(browser, report) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the verdict"
        assert unnamed(page) == []


def test_thumbnails_are_shown_or_their_absence_is_told(browser, tmp_path):
    path = write_report(probed_record(), tmp_path)[0]
    with opened(browser, path) as page:
        pictures = page.locator("#gallery img")
        assert pictures.count() == 1
        pictures.first.scroll_into_view_if_needed()
        page.wait_for_function("document.querySelector('#gallery img').complete")
        assert pictures.first.evaluate("picture => picture.naturalWidth") == 48
        assert page.locator('[data-chart^="robustness"] svg').count() == 2


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_hostile_report_runs_nothing_and_stays_in_shape(browser, nasty, width):
    with opened(browser, nasty, width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("main > section").count() >= 6
        unfolded(page)
        assert page.locator(".drawing svg").count() == page.locator(".drawing").count()
        page.get_by_label("Filter cells").fill("<script>")
        assert shown(page)


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("cell", [IMAGE, TEXT], ids=["pictures", "texts"])
def test_a_report_of_one_modality_is_in_shape(browser, tmp_path, cell, width):
    scores = {name: SMALL_SCORES[name] for name in (cell, MAJORITY)}
    lacking = {"thumbnail": None} if cell is TEXT else {"texts": [None] * 12}
    probes = tuple(probe for probe in probed_record().probes if probe.cell == cell.name)
    record = small_record(scores, probes=probes, **lacking)
    with opened(browser, write_report(record, tmp_path)[0], width) as page:
        unfolded(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator(".case").count() == page.locator("#gallery .case").count() == 1
        assert page.locator(".case .absent").count() == 0
        assert page.locator(".case .words").count() == (cell is TEXT)
        assert findings(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_axe_finds_nothing(browser, report, width, scheme):
    with opened(browser, report, width, scheme) as page:
        assert findings(page) == []
        unfolded(page)
        page.locator("#gallery button.enlarge").first.click()
        assert findings(page) == []


def test_scores_sort_the_best_first(browser, report):
    with opened(browser, report) as page:
        heading = page.locator("#cells thead").get_by_role("button", name="balanced accuracy")
        heading.click()
        scores = column(page, "balanced accuracy")
        assert scores == sorted(scores, reverse=True)
        heading.click()
        assert column(page, "balanced accuracy") == sorted(scores)


def test_a_link_shows_the_same_view_again(browser, report):
    with opened(browser, report) as page:
        page.get_by_label("Filter cells").fill("sbert")
        page.locator("#cells thead").get_by_role("button", name="Fit", exact=True).click()
        seen = shown(page)
        link = page.get_by_role("link", name="Link to this view").get_attribute("href")
        assert link == "#leaderboard?filter=sbert&sort=fit&order=ascending"
        assert page.url.endswith(link)
    again = browser.new_page()
    again.goto(report.as_uri() + link)
    assert shown(again) == seen
    assert again.get_by_label("Filter cells").input_value() == "sbert"
    again.close()


def test_what_is_shown_is_downloaded_as_csv(browser, report):
    with opened(browser, report) as page:
        page.get_by_label("Filter cells").fill("sbert concat")
        button = page.locator("#leaderboard .tools button.csv").first
        with page.expect_download() as download:
            button.click()
        assert download.value.suggested_filename == "leaderboard.csv"
        text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["cell"] for row in rows] == ["cnn + sbert / concat / logistic", MAJORITY.name]
    assert float(rows[0]["low"]) < float(rows[0]["balanced_accuracy"]) < float(rows[0]["high"])
    assert rows[1]["rank"] == "12"
    assert float(rows[1]["balanced_accuracy"]) == 0.125


def test_rows_are_enlarged_and_shown_on_demand(browser, report):
    with opened(browser, report) as page:
        cases = page.locator("#gallery .cases").first.locator(".case")
        assert cases.count() > 6
        visible = cases.filter(visible=True)
        assert visible.count() == 6
        page.locator("#gallery button.more").first.press("Enter")
        assert visible.count() == cases.count()
        cases.first.locator("button.enlarge").press("Enter")
        viewer = page.get_by_role("dialog")
        assert viewer.locator("h2").text_content() == cases.first.get_attribute("data-id")
        page.keyboard.press("Escape")
        assert viewer.is_hidden()


def test_a_link_opens_what_is_collapsed_and_the_contents_stay_in_sight(browser, report):
    with opened(browser, report) as page:
        contents = page.get_by_role("navigation", name="Sections")
        assert not page.locator("#calibration details").evaluate("details => details.open")
        contents.get_by_role("link", name="Calibration").click()
        page.locator('[data-chart="reliability"] svg').wait_for()
        contents.locator('a[href="#calibration"][aria-current]').wait_for()
        assert contents.bounding_box()["y"] == 0
        top = page.locator("#calibration").bounding_box()["y"]
        assert contents.bounding_box()["height"] <= top < 450


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_names_in_charts_are_not_printed_over_each_other(browser, report, width):
    with opened(browser, report, width) as page:
        labels = (("front", ".mark-text"), ("front", ".role-axis-label"),
                  ("leaderboard", ".role-axis-label"))
        for chart, marks in labels:
            boxes = page.eval_on_selector_all(
                f'[data-chart="{chart}"] {marks} text',
                """all => all
                .filter(text => text.textContent && text.getAttribute('opacity') !== '0')
                .map(text => text.getBoundingClientRect()).map(box =>
                [box.left, box.right, box.top, box.bottom])""",
            )
            assert len(boxes) > 1, chart
            assert [pair for pair in combinations(boxes, 2) if overlap(*pair)] == [], chart


def overlap(box: list[float], other: list[float]) -> bool:
    """Whether two boxes (left, right, top, bottom) share more than what surrounds letters."""
    width = min(box[1], other[1]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[2], other[2])
    return width > 1 and height > 3
