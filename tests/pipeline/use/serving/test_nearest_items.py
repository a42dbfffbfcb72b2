"""Nearest items of an index beside a prediction: what the API says, and the page shows."""

from __future__ import annotations

import base64

import pytest

from pipeline import serve
from pipeline.index import main as index_items
from pipeline.use.index.index import Index
from pipeline.use.serving.app import app_of
from pipeline.use.serving.service import Service
from tests.pipeline.use.serving.test_browser import serving
from tests.support.browser import chromium
from tests.support.served import HOSTS, asked


@pytest.fixture
def app(made, indexed):
    with Service(made.bundle, index=indexed.index) as service:
        yield app_of(service, HOSTS)


def test_the_items_most_like_a_picture_come_first_with_small_pictures(app, indexed):
    picture = (indexed.table.parent / "7.png").read_bytes()
    answer = asked(app, "POST", "/nearest", files={"picture": ("7.png", picture)}).json()
    assert (answer["problem"], answer["note"]) == ("", "")
    assert len(answer["items"]) == 8
    first = answer["items"][0]
    assert (first["id"], round(first["score"], 3)) == ("id7", 1.0)
    assert base64.b64decode(first["picture"]).startswith(b"\xff\xd8")
    scores = [item["score"] for item in answer["items"]]
    assert scores == sorted(scores, reverse=True)


def test_a_text_alone_is_compared_with_texts(app):
    answer = asked(app, "POST", "/nearest", data={"text": "wheel engine"}).json()
    assert all("wheel" in item["text"] for item in answer["items"])


def test_what_cannot_be_compared_is_said(app):
    answer = asked(app, "POST", "/nearest", files={"picture": ("a.png", b"no picture")})
    assert answer.status_code == 200
    assert answer.json()["items"] == []
    assert "picture" in answer.json()["problem"]


def test_without_an_index_there_is_no_such_path(made, served):
    application = served(made.bundle)
    assert asked(application, "POST", "/nearest", data={"text": "a"}).status_code == 404
    assert "/nearest" not in asked(application, "GET", "/openapi.json").json()["paths"]
    assert "data-index" not in asked(application, "GET", "/").text


def test_an_index_of_another_model_is_refused(made, indexed, tmp_path, capsys):
    from pipeline.bundle import main as bundle

    other = tmp_path / "other"
    assert bundle([str(made.run), "--cell", "tfidf / text_only / logistic", "-o", str(other)]) == 0
    assert serve.main([str(other), "--index", str(indexed.folder), "--port", "0"]) == 2
    assert "was made with another model" in capsys.readouterr().err


def test_approximate_search_says_its_recall_in_the_answer_and_on_the_page(made, indexed, tmp_path):
    folder = tmp_path / "index"
    command = [str(indexed.model), str(indexed.table), "-o", str(folder)]
    assert index_items([*command, "--approximate-above", "50"]) == 0
    index = Index.load(folder)
    with Service(made.bundle, index=index) as service:
        answer = asked(app_of(service, HOSTS), "POST", "/nearest", data={"text": "purr"}).json()
    assert answer["note"].startswith("approximate search (FAISS): recall@10 against the exact")
    with chromium() as browser, serving(made.bundle, index) as url:
        page = browser.new_page()
        page.goto(url)
        page.fill("#text", "purr")
        page.click("button[type=submit]")
        page.wait_for_selector(".near li")
        note = page.locator(".reasons .note").inner_text()
        assert note == f"A{answer['note'][1:]}."


@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_shows_them_below_the_prediction(made, indexed, width):
    with chromium() as browser, serving(made.bundle, indexed.index) as url:
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.goto(url)
        page.set_input_files("#picture", str(indexed.table.parent / "7.png"))
        page.click("button[type=submit]")
        page.wait_for_selector(".near li:nth-child(8) img")
        assert page.locator(".near li").first.inner_text().startswith("1.000")
        assert page.evaluate("document.documentElement.scrollWidth") == width
