"""The page in a real browser, served as the command serves it; skipped without Chromium."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from pipeline.use.python.explanation import PairAttention
from pipeline.use.serving.app import app_of
from pipeline.use.serving.server import address, listening, server_of
from pipeline.use.serving.service import Service
from tests.support.browser import chromium, contrast, faint, luminance, texts, unnamed
from tests.support.hostile import NASTY
from tests.support.served import HOSTS, MadeUp, png

WIDTHS = {"desktop": 1280, "phone": 360}
DROP = """([name, bytes]) => {
    const moved = new DataTransfer();
    moved.items.add(new File([new Uint8Array(bytes)], name, {type: 'image/png'}));
    const event = new DragEvent('drop', {dataTransfer: moved, bubbles: true, cancelable: true});
    document.getElementById('drop').dispatchEvent(event); }"""


@contextmanager
def serving(bundle: Any, index: Any = None) -> Iterator[str]:
    """The address at which a bundle is served, by a thread of this process."""
    with (
        Service(bundle, "# A card\n", index=index) as service,
        listening("127.0.0.1", 0) as listener,
    ):
        server = server_of(app_of(service, HOSTS))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield address(listener)
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def real(made) -> Iterator[str]:
    with serving(made.bundle) as url:
        yield url


@pytest.fixture(scope="module")
def hostile() -> Iterator[str]:
    bundle = MadeUp(run=NASTY[0], cell=NASTY[1], headline=NASTY[3])
    bundle.classes = (NASTY[1], NASTY[0])
    with serving(bundle) as url:
        yield url


@pytest.fixture
def attending() -> Any:
    """A bundle whose network attends to the first of two words of the text alone."""
    bundle = MadeUp()
    pairs = np.zeros((4, 2))
    pairs[1, 0] = 1.0
    bundle.attention = PairAttention(
        pairs, ("whiskers", NASTY[0]), (2, 2), np.zeros((168, 168, 3), np.uint8)
    )
    return bundle


@contextmanager
def opened(
    browser: Any, url: str, width: int = 1280, scheme: str = "light", complaints: int = 0
) -> Iterator[Any]:
    """The page; a request to another host fails, and so do more complaints than are expected."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    heard: list[str] = []
    page.on("request", lambda request: heard.append(request.url[:200]))
    page.on("console", lambda message: heard.append(f"console: {message.text[:300]}"))
    page.on("pageerror", lambda error: heard.append(f"error: {error}"))
    page.on("dialog", lambda dialog: heard.append(f"dialog: {dialog.message}") or dialog.dismiss())
    page.goto(url)
    yield page
    page.close()
    root = url[: url.index("/", 8) + 1]
    strays = [line for line in heard if not line.startswith((root, "data:", f"blob:{root}"))]
    assert len(strays) == complaints, strays


def settled(page: Any, selector: str = ".class, .problem") -> str:
    """The first words of an answer, once it is there."""
    part = page.locator("#prediction").locator(selector).first
    part.wait_for()
    words: str = part.text_content()
    return words


def asking(page: Any, text: str) -> str:
    """What is said first of a text."""
    page.get_by_label("Text").fill(text)
    with page.expect_response(re.compile("/predict$")) as response:
        page.get_by_role("button", name="Predict").click()
    response.value.finished()
    return settled(page)


def test_a_picture_and_a_text_get_a_class_and_sorted_bars(browser, real, made):
    with opened(browser, real) as page:
        page.get_by_label("Picture").set_input_files(made.folder / "0.png")
        page.locator("#preview").wait_for(state="visible")
        assert asking(page, "whiskers purr meow") == "cat"
        names = page.locator("ol.bars .name").all_text_contents()
        assert names[0] == "cat"
        assert sorted(names) == ["car", "cat", "dog"]
        widths = [bar.bounding_box()["width"] for bar in page.locator("ol.bars .bar").all()]
        assert widths == sorted(widths, reverse=True)
        assert widths[0] > 100
        assert page.locator(".note").count() == 0
        page.get_by_role("button", name="Remove the picture").click()
        assert asking(page, "bark") == "dog"
        assert page.locator(".note").text_content() == "Predicted without a picture."


def test_what_it_rests_on_follows_where_both_are_given(browser, real, made):
    with opened(browser, real) as page:
        asking(page, "whiskers purr meow")
        assert page.locator(".reasons").count() == 0
        page.get_by_label("Picture").set_input_files(made.folder / "0.png")
        asking(page, "whiskers purr meow")
        names = page.locator(".reasons .name")
        names.first.wait_for()
        assert names.all_text_contents() == ["picture", "text"]
        values = page.locator(".reasons .value").all_text_contents()
        explanation = made.bundle.explain(made.folder / "0.png", "whiskers purr meow")
        points = [100 * part for part in explanation.contributions.values()]
        shown = [float(value.replace("\u2212", "-")) for value in values]
        np.testing.assert_allclose(shown, points, atol=0.06)
        page.get_by_role("button", name="Remove the picture").click()
        asking(page, "bark")
        assert page.locator(".reasons").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_an_attention_map_fits_and_its_words_can_be_read(browser, attending, width, scheme):
    with serving(attending) as url, opened(browser, url, width, scheme) as page:
        page.evaluate(DROP, ["red.png", list(png())])
        asking(page, f"whiskers {NASTY[0]}")
        seen = page.get_by_alt_text("The picture, the redder the more the network looked there")
        seen.wait_for()
        assert seen.evaluate("image => image.decode().then(() => image.naturalWidth)") == 168
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        words = page.locator(".words span")
        assert words.all_text_contents() == ["whiskers", NASTY[0]]
        colour, tint, ground = page.evaluate("""() => {
            const style = element => getComputedStyle(element);
            const word = document.querySelector('.words span');
            return [style(word).color, style(word).backgroundColor,
                    style(document.querySelector('section')).backgroundColor]; }""")
        assert contrast(colour, blended(tint, ground)) > 4.5


def blended(tint: str, ground: str) -> str:
    """What a translucent colour is over another."""
    *red_green_blue, share = map(float, re.findall(r"[\d.]+", tint))
    below = map(float, re.findall(r"[\d.]+", ground))
    mixed = (
        share * part + (1 - share) * other
        for part, other in zip(red_green_blue, below, strict=True)
    )
    return f"rgb({', '.join(map(str, mixed))})"


def test_all_is_done_by_keyboard(browser, real):
    with opened(browser, real) as page:
        assert unnamed(page) == []
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.id") == "picture"
        page.keyboard.press("Tab")
        page.keyboard.type("bark")
        page.keyboard.press("Control+Enter")
        assert settled(page) == "dog"
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.type") == "submit"


def test_a_picture_is_dropped(browser, real):
    with opened(browser, real) as page:
        page.evaluate(DROP, ["red.png", list(png())])
        page.locator("#preview").wait_for(state="visible")
        page.get_by_role("button", name="Predict").click()
        assert settled(page) in ("car", "cat", "dog")
        assert page.locator(".note").text_content() == "Predicted without a text."


def test_what_cannot_be_used_is_said_in_words(browser, real):
    with opened(browser, real) as page:
        page.get_by_role("button", name="Predict").click()
        assert settled(page) == "Nothing to predict by."
        page.evaluate(DROP, ["no.png", [104, 101, 108, 108, 111]])
        page.get_by_role("button", name="Predict").click()
        page.get_by_text("not a picture in a known format").wait_for()


def test_a_refusal_is_said_in_words(browser, hostile):
    # Chromium itself complains of the status 500
    with opened(browser, hostile, complaints=1) as page:
        page.get_by_label("Text").fill("fail")
        page.get_by_role("button", name="Predict").click()
        assert settled(page) == "The server failed on this request; its log says why."


def test_names_are_no_markup(browser, hostile):
    with opened(browser, hostile) as page:
        assert asking(page, "a long text") == NASTY[0]
        assert page.locator(".bars .name").all_text_contents() == [NASTY[0], NASTY[1]]


def test_many_classes_are_shown_when_asked_for(browser):
    bundle = MadeUp(("text",))
    names = tuple(f"class {number}" for number in range(30))
    bundle.classes = names
    bundle.predict_items = lambda items: np.full((1, 30), 1 / 30)
    with serving(bundle) as url, opened(browser, url) as page:
        asking(page, "a")
        assert page.locator(".bars li:visible").count() == 10
        page.get_by_role("button", name="Show all 30 classes").press("Enter")
        assert page.locator(".bars li:visible").count() == 30


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_it_fits_the_screen_and_can_be_read(browser, hostile, width, scheme):
    with opened(browser, hostile, width, scheme) as page:
        page.evaluate(DROP, ["red.png", list(png(size=(2000, 40)))])
        page.locator("#preview").wait_for(state="visible")
        asking(page, "long " * 40)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        assert page.locator(".class").bounding_box()["y"] < 900  # of the screen, without scrolling
        ground = page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor")
        assert (luminance(ground) > 0.5) is (scheme == "light")
        pairs = texts(page, "body")
        assert len(pairs) > 10
        assert faint(pairs) == []


def test_documentation_and_card_need_no_network(browser, hostile):
    with opened(browser, f"{hostile}docs", WIDTHS["phone"]) as page:
        assert page.locator("section h2").count() == 7
        assert page.evaluate("() => document.documentElement.scrollWidth") <= WIDTHS["phone"]
        assert faint(texts(page, "body")) == []
        page.goto(f"{hostile}card")
        assert page.locator("pre").text_content() == "# A card\n"
