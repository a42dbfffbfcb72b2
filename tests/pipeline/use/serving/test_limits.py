"""What is refused: by which rule, with which limit, and without a word of the inside."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from PIL import Image

from pipeline.use.serving.hosts import host_names
from pipeline.use.serving.limits import Limits
from tests.support.served import asked, chunks, png

SMALL = Limits(request_bytes=2000, text=20, items=2)
FORM = {"content-type": "multipart/form-data; boundary=x"}
JSON = {"content-type": "application/json"}


def refused(response, status, rule, limit=None):
    assert response.status_code == status
    body = response.json()
    assert (body["rule"], body["limit"]) == (rule, limit)
    assert sorted(body) == ["error", "limit", "rule"]
    return body["error"]


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/nowhere"])
def test_a_request_that_announces_too_much_is_refused_unread(served, path):
    async def unread():
        raise AssertionError("it was read")
        yield b""

    response = asked(
        served(limits=SMALL), "POST", path, content=unread(), headers={"content-length": "2001"}
    )
    assert refused(response, 413, "bytes of a request", 2000) == (
        "the request is larger than 2,000 bytes"
    )


@pytest.mark.parametrize(("path", "kind"), [
    ("/predict", FORM), ("/predict/batch", JSON)
])
def test_what_is_not_announced_is_counted_while_it_arrives(served, path, kind):
    app, sent = served(limits=SMALL), []

    async def endless():
        yield b"--x\r\ncontent-disposition: form-data; name=picture; filename=a\r\n\r\n"
        while True:
            sent.append(500)
            yield bytes(500)

    response = asked(app, "POST", path, content=endless(), headers=kind)
    refused(response, 413, "bytes of a request", 2000)
    assert sum(sent) <= 2500


def test_a_body_of_just_the_limit_is_read(served):
    content = b'{"items": []}'
    app = served(limits=replace(SMALL, request_bytes=len(content)))
    assert asked(
        app, "POST", "/predict/batch", content=content, headers=JSON
    ).json() == []


def test_a_request_that_does_not_arrive_is_given_up(served):
    async def silent():
        yield b"{"
        await asyncio.Event().wait()

    app = served(limits=replace(SMALL, receive_seconds=0))
    response = asked(
        app, "POST", "/predict/batch", content=silent(), headers=JSON
    )
    refused(response, 408, "seconds of a request", 0)


def test_a_model_that_does_not_predict_is_given_up(served):
    app = served(limits=replace(SMALL, predict_seconds=0))
    response = asked(app, "POST", "/predict", data={"text": "a"})
    refused(response, 503, "seconds of a prediction", 0)


def test_texts_and_batches_have_limits(served):
    app = served(limits=SMALL)
    response = asked(app, "POST", "/predict", data={"text": "a" * 21})
    assert refused(response, 422, "characters of a text", 20) == (
        "the text has more than 20 characters"
    )
    assert asked(app, "POST", "/predict", data={"text": " " + "a" * 20}).status_code == 200
    response = asked(app, "POST", "/predict/batch", json={"items": [{"text": "a"}] * 3})
    refused(response, 422, "items of a batch", 2)
    answers = asked(app, "POST", "/predict/batch", json={"items": [
        {"text": "a" * 21}, {"text": "a"}
    ]}).json()
    assert answers[0]["problem"] == "text: more than 20 characters"
    assert answers[1]["predicted"] == "short"


def test_more_than_may_wait_is_refused_as_a_whole(served):
    app = served(limits=replace(SMALL, waiting=1))
    response = asked(app, "POST", "/predict/batch", json={"items": [{"text": "a"}] * 2})
    refused(response, 503, "items that wait", 1)


def test_a_picture_has_no_more_pixels_than_pillow_allows(served, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 63)
    answer = asked(served(), "POST", "/predict", files={"picture": ("p", png())}).json()
    assert answer["problem"] == "picture: 8 x 8 pixels are more than the limit of 63 pixels"


@pytest.mark.parametrize(("given", "words"), [
    ({"content": b'{"items": ', "headers": JSON}, "JSON"),
    ({"content": b"[" * 100_000, "headers": JSON}, ""),
    ({"json": {"items": [{"text": 3}]}}, "body.items.0.text"),
    ({"json": {"items": [{"words": "a"}]}}, "body.items.0.words"),
    ({"json": {"items": [{"text": ["secret"]}]}}, "body.items.0.text"),
    ({"json": []}, "body"),
])
def test_a_batch_that_makes_no_sense_is_refused_in_words(served, given, words):
    response = asked(served(), "POST", "/predict/batch", **given)
    assert response.status_code in (400, 422)
    assert words in response.json()["error"]
    assert "secret" not in response.text


@pytest.mark.parametrize(("given", "status", "rule", "words"), [
    ({"content": b"{bad", "headers": JSON}, 400, "json", "the body is no JSON: Expecting"),
    ({"content": b"[" * 100_000, "headers": JSON}, 400, "json", "nested too deep"),
    ({"content": b'{"items": [{"text": "\xff"}]}', "headers": JSON}, 400, "encoding", "byte 21"),
    ({"content": b'{"items": [{"text": "a"}], "items": []}', "headers": JSON}, 422, "fields",
     "the key items stands more than once"),
    ({"content": b'{"items": []}', "headers": {"content-type": "text/plain"}}, 415, "content-type",
     "JSON is asked for here (content-type: application/json); a form goes to /predict"),
    ({"data": {"text": "a"}}, 415, "content-type", "JSON is asked for here"),
])
def test_a_batch_that_is_no_json_is_told_which_rule_it_breaks(served, given, status, rule, words):
    response = asked(served(), "POST", "/predict/batch", **given)
    refused(response, status, rule)
    assert words in response.json()["error"]


@pytest.mark.parametrize(("given", "status", "rule"), [
    ({"json": {"text": "a"}}, 415, "content-type"),
    ({"data": {"words": "a"}}, 422, "fields"),
    ({"data": {"picture": "a"}}, 422, "fields"),
    ({"content": b"--y", "headers": FORM}, 400, "form"),
])
def test_a_form_that_makes_no_sense_is_refused(served, given, status, rule):
    refused(asked(served(), "POST", "/predict", **given), status, rule)


def test_a_length_that_is_no_number_is_refused(served):
    response = asked(
        served(), "POST", "/predict", content=chunks(1, 1), headers={"content-length": "-1"}
    )
    refused(response, 400, "content-length")


@pytest.mark.parametrize("path", [
    "/nowhere", "/static/", "/../setup.cfg", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd",
])
def test_there_are_no_files(served, path):
    refused(asked(served(), "GET", path), 404, "http")


def test_what_is_allowed_instead_is_said(served):
    response = asked(served(), "DELETE", "/predict")
    refused(response, 405, "http")
    assert response.headers["allow"] == "POST"


def test_a_failure_is_answered_without_its_reason(served):
    response = asked(served(), "POST", "/predict", data={"text": "fail"})
    error = refused(response, 500, "failure")
    assert error == "the server failed on this request; its log says why"
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", [
    "localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST", "localhost.",
    "testserver",
])
def test_known_hosts_are_served(served, host):
    assert asked(served(), "GET", "/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(("host", "status"), [
    ("evil.test", 421), ("evil.test:8000", 421), ("localhost.evil.test", 421), ("0.0.0.0", 421),
    ("", 400), ("evil.test/localhost", 400), ("a@localhost", 400), ("localhost:8000:1", 400),
    ("[::1", 400),
])
def test_other_hosts_are_refused(served, host, status):
    refused(asked(served(), "GET", "/health", headers={"host": host}), status, "host")


def test_the_host_is_named_once(served):
    headers = [("host", "localhost"), ("host", "evil.test")]
    refused(asked(served(), "GET", "/health", headers=headers), 400, "host")


@pytest.mark.parametrize(("origin", "status"), [
    ("http://localhost", 200), ("http://evil.test", 403), ("null", 403),
    ("http://localhost:3000", 403),
])
def test_pages_of_other_sites_may_not_ask(served, origin, status):
    response = asked(served(), "POST", "/predict", data={"text": "a"}, headers={"origin": origin})
    assert response.status_code == status


def test_names_that_requests_may_use():
    assert host_names("0.0.0.0", []) == {"localhost", "127.0.0.1", "[::1]"}
    assert host_names("::", []) == {"localhost", "127.0.0.1", "[::1]"}
    assert host_names("fe80::1", ["Model.Example"]) >= {"[fe80::1]", "model.example"}


def part(name, content):
    return f'--x\r\ncontent-disposition: form-data; name={name}\r\n\r\n{content}\r\n'.encode()


@pytest.mark.parametrize("kind", [
    "multipart/form-data; boundary=x", 'Multipart/Form-Data; charset=utf-8; boundary="x"',
])
def test_a_form_that_breaks_off_is_refused_and_not_taken_for_all_that_was_sent(served, kind):
    app, whole = served(), part("text", "a red lamp") + b"--x--\r\n"
    for cut in (len(whole), len(whole) - 2):
        response = asked(app, "POST", "/predict", content=whole[:cut],
                         headers={"content-type": kind})
        assert response.status_code == 200
    for cut in (len(whole) - 3, len(whole) - 7, len(whole) - 12, 1):
        response = asked(app, "POST", "/predict", content=whole[:cut],
                         headers={"content-type": kind})
        assert response.status_code == 400


def test_a_field_that_is_there_twice_is_refused(served):
    content = part("text", "a lamp") + part("text", "a sofa") + b"--x--\r\n"
    response = asked(served(), "POST", "/predict", content=content, headers=FORM)
    assert refused(response, 422, "fields") == "the field text is there more than once"


URLENCODED = {"content-type": "application/x-www-form-urlencoded"}


def form_of(text: bytes) -> bytes:
    return b"--x\r\ncontent-disposition: form-data; name=text\r\n\r\n" + text + b"\r\n--x--\r\n"


@pytest.mark.parametrize(("headers", "content"), [
    (FORM, form_of("caf\u00e9".encode("latin-1"))),
    (FORM, form_of(b"\xff\xfea")),
    ({"content-type": "multipart/form-data; boundary=x; charset=utf-7x"}, form_of(b"caf\xe9")),
    (URLENCODED, b"text=caf%E9"),
    (URLENCODED, "text=caf\u00e9".encode()),
])
def test_text_that_is_not_what_it_says_is_refused_and_not_guessed(served, headers, content):
    answer = asked(served(), "POST", "/predict", content=content, headers=headers)
    assert (answer.status_code, answer.json()["rule"]) == (422, "charset")
    assert answer.json()["error"].startswith("the form holds text that is not ")


@pytest.mark.parametrize(("headers", "content"), [
    (FORM, form_of("caf\u00e9".encode())),
    ({"content-type": "multipart/form-data; boundary=x; charset=iso-8859-1"},
     form_of("caf\u00e9".encode("latin-1"))),
    (URLENCODED, b"text=caf%C3%A9"),
])
def test_text_is_decoded_by_the_charset_that_is_declared(served, headers, content):
    answer = asked(served(), "POST", "/predict", content=content, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["probabilities"]["short"] == pytest.approx(1 / 5)  # of four letters
