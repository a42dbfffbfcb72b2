"""The pages without a browser: complete in themselves, escaped, trusted with nothing."""

from __future__ import annotations

import base64
import hashlib
from itertools import chain

import pytest

from tests.support.hostile import NASTY
from tests.support.page import Page
from tests.support.served import MadeUp, asked

SCORE = {"mean": 0.8123, "low": 0.75, "high": 0.86}


def policy_of(response):
    parts = response.headers["content-security-policy"].split("; ")
    return {name: values.split(" ") for name, _, values in (part.partition(" ") for part in parts)}


def digest(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def between(text, tag):
    return text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_runs_its_script_and_no_other(served, path):
    response = asked(served(), "GET", path)
    policy = policy_of(response)
    assert policy["default-src"] == ["'none'"]
    assert policy["style-src"] == [digest(between(response.text, "style"))]
    script = between(response.text, "script")
    assert policy["script-src"] == ([digest(script)] if path == "/" else ["'none'"])
    assert "unsafe" not in response.headers["content-security-policy"]
    assert " style=" not in response.text
    assert response.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_asks_no_other_server(served, path):
    page = Page(asked(served(), "GET", path).text)
    addresses: list[str] = []
    for _, attributes in page.tags:
        addresses += [attributes[name] for name in ("src", "href", "action") if name in attributes]
    assert addresses
    assert all(value.startswith("/") or value == "data:," for value in addresses)


@pytest.mark.parametrize(("modalities", "picture", "text"), [
    (("image", "text"), True, True), (("image",), True, False), (("text",), False, True),
    ((), False, False),
])
def test_it_asks_for_what_the_model_looks_at(served, modalities, picture, text):
    page = Page(asked(served(MadeUp(modalities)), "GET", "/").text)
    assert bool(list(page.named("input"))) is picture
    assert bool(list(page.named("textarea"))) is text


def test_the_footer_says_what_the_model_is(served):
    bundle = MadeUp(metric="f1_macro", score=SCORE, mean=0.9, headline="Adding the text pays.")
    text = asked(served(bundle), "GET", "/").text
    assert "a cell · macro F1 0.812 (95 % interval 0.750 to 0.860)" in text
    assert "Adding the text pays." in text
    bundle = MadeUp(metric="log_loss", score=None, mean=0.5)
    assert "a cell · log loss 0.500" in asked(served(bundle), "GET", "/").text


@pytest.mark.parametrize("nasty", NASTY)
def test_what_a_bundle_says_of_itself_is_no_markup(served, nasty):
    app = served(MadeUp(run=nasty, cell=nasty, headline=nasty, metric=nasty, mean=0.5))
    for path in ("/", "/docs"):
        page = Page(asked(app, "GET", path).text)
        assert len(page.scripts) == (path == "/")
        assert len(list(page.named("img"))) == (path == "/")
        names = chain.from_iterable(given for _, given in page.tags)
        assert not any(name.startswith("on") for name in names)


def test_the_documentation_lists_every_path(served):
    app = served()
    text = asked(app, "GET", "/docs").text
    for path, methods in asked(app, "GET", "/openapi.json").json()["paths"].items():
        for method in methods:
            assert f"<code>{method.upper()} {path}</code>" in text
    assert "<code>items[].picture_base64</code>" in text
    assert "curl -F picture=@photo.jpg" in text
