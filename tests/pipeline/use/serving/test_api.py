"""The API of a real bundle: what it predicts, what it says of items that it cannot use."""

from __future__ import annotations

import asyncio
import base64
import threading

import httpx
import numpy as np
import pytest

from pipeline.use.python.explanation import PairAttention
from pipeline.use.serving.app import app_of
from pipeline.use.serving.limits import Limits
from pipeline.use.serving.service import Service
from tests.support.served import HOSTS, MadeUp, asked, png
from tests.support.tiny import read_rows


@pytest.fixture
def app(made, served):
    return served(made.bundle)


def items_of(made, rows):
    """Pictures and texts of rows of the table that the bundle learned from."""
    table = read_rows(made.folder)
    return [((made.folder / f"{row}.png").read_bytes(), table[row][2]) for row in rows]


def batch_of(items):
    return {"items": [
        {"picture_base64": base64.b64encode(picture).decode(), "text": text}
        for picture, text in items
    ]}


def test_a_picture_and_a_text_get_a_class_and_probabilities(made, app):
    (picture, text), = items_of(made, [0])
    answer = asked(
        app, "POST", "/predict", files={"picture": ("0.png", picture)}, data={"text": text}
    ).json()
    assert answer["predicted"] == "cat"
    assert next(iter(answer["probabilities"])) == "cat"
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert sorted(answer["probabilities"]) == ["car", "cat", "dog"]
    assert (answer["missing"], answer["problem"]) == ([], "")


def test_what_is_missing_or_cannot_be_read_is_said(app):
    answer = asked(app, "POST", "/predict", data={"text": " bark "}).json()
    assert (answer["predicted"], answer["missing"], answer["problem"]) == ("dog", ["picture"], "")
    answer = asked(
        app, "POST", "/predict", files={"picture": ("p.png", b"hello")}, data={"text": "bark"}
    ).json()
    assert (answer["predicted"], answer["missing"]) == ("dog", ["picture"])
    assert answer["problem"].startswith("picture: not a picture in a known format")
    nothing = {"predicted": None, "probabilities": {}, "missing": ["picture", "text"],
               "problem": "nothing to predict by"}
    assert asked(app, "POST", "/predict").json() == nothing
    assert asked(
        app, "POST", "/predict", files={"picture": ("", b"")}, data={"text": ""}
    ).json() == nothing


def test_items_are_predicted_alike_alone_and_in_a_batch(made, app):
    """The same classes; probabilities but for the last bits, which the order of sums decides."""
    items = items_of(made, range(0, 36, 3))
    answers = asked(app, "POST", "/predict/batch", json=batch_of(items)).json()
    for (picture, text), answer in zip(items, answers, strict=True):
        alone = asked(
            app, "POST", "/predict", files={"picture": ("p", picture)}, data={"text": text}
        ).json()
        assert alone["predicted"] == answer["predicted"]
        np.testing.assert_allclose(
            [alone["probabilities"][name] for name in made.bundle.classes],
            [answer["probabilities"][name] for name in made.bundle.classes],
            rtol=1e-6, atol=1e-9,
        )


def test_requests_at_the_same_time_get_the_answers_to_their_questions(made, app):
    items = items_of(made, range(36))
    expected = made.bundle.predict_items({
        "image": [picture for picture, _ in items], "text": [text for _, text in items]
    })

    async def ask():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await asyncio.gather(*(
                client.post("/predict", files={"picture": ("p", picture)}, data={"text": text})
                for picture, text in items
            ))

    answers = [response.json()["probabilities"] for response in asyncio.run(ask())]
    given = [[answer[name] for name in made.bundle.classes] for answer in answers]
    np.testing.assert_allclose(given, expected, rtol=1e-6, atol=1e-9)


def test_what_is_wrong_with_an_item_harms_no_other(served):
    bundle = MadeUp(("text",))
    app = served(bundle)
    texts = ["a", "fail", None, "abc"]
    answers = asked(
        app, "POST", "/predict/batch", json={"items": [{"text": text} for text in texts]}
    ).json()
    assert [answer["predicted"] for answer in answers] == ["short", None, None, "long"]
    assert [answer["problem"] for answer in answers] == [
        "", "the model failed on this item", "nothing to predict by", ""
    ]
    pictures = asked(served(), "POST", "/predict/batch", json={"items": [
        {"picture_base64": "%"}, {"text": "a", "picture_base64": "aGVsbG8="}, {"text": "a"}
    ]}).json()
    assert [answer["problem"][:25] for answer in pictures] == [
        "picture: not in base64", "picture: not a picture in", ""
    ]
    assert [answer["predicted"] for answer in pictures] == [None, "short", "short"]


def test_half_a_character_is_a_question_mark(served):
    response = asked(
        served(), "POST", "/predict/batch", content=b'{"items": [{"text": "\\ud800"}]}',
        headers={"content-type": "application/json"},
    )
    assert response.json()[0]["predicted"] == "short"


def test_what_the_model_does_not_look_at_is_ignored(served):
    app = served(MadeUp(("text",)))
    answer = asked(app, "POST", "/predict", files={"picture": ("p", b"x")}, data={"text": "a"})
    assert (answer.json()["missing"], answer.json()["problem"]) == ([], "")
    answer = asked(served(MadeUp(("image",))), "POST", "/predict", files={"picture": ("p", png())})
    assert answer.json()["predicted"] == "short"
    answer = asked(served(MadeUp(())), "POST", "/predict")
    assert answer.json()["predicted"] == "short"


def test_the_model_is_described(made, app):
    facts = asked(app, "GET", "/model").json()
    assert facts["about"] == made.bundle.about
    assert facts["classes"] == ["car", "cat", "dog"]
    assert facts["modalities"] == ["picture", "text"]
    assert facts["limits"]["items"] == 64
    assert asked(app, "GET", "/health").json() == {
        "ready": True, "model": "tiny: handcrafted + tfidf / concat / logistic"
    }
    assert asked(app, "GET", "/card").text == "# A card\n"


def test_what_happens_is_counted(served):
    app = served()
    asked(app, "POST", "/predict", data={"text": "a"})
    asked(app, "POST", "/predict", data={"text": "fail"})
    asked(app, "POST", "/predict/batch", json={"items": []})
    asked(app, "PROPFIND", "/etc/passwd")
    asked(app, "GET", "/model", headers={"host": "evil.test"})
    response = asked(app, "GET", "/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = response.text.splitlines()
    assert 'modalgrid_requests_total{path="/predict",method="POST",status="200"} 1' in lines
    assert 'modalgrid_requests_total{path="/predict",method="POST",status="500"} 1' in lines
    assert 'modalgrid_requests_total{path="/predict/batch",method="POST",status="200"} 1' in lines
    assert 'modalgrid_requests_total{path="other",method="other",status="404"} 1' in lines
    assert 'modalgrid_requests_total{path="/model",method="GET",status="421"} 1' in lines
    assert 'modalgrid_predictions_total{outcome="predicted"} 1' in lines
    assert 'modalgrid_predictions_total{outcome="failed"} 1' in lines
    assert 'modalgrid_batch_items_bucket{le="1"} 2' in lines
    assert "modalgrid_batch_items_count 2" in lines
    assert "modalgrid_request_seconds_count 5" in lines


def test_a_service_that_ended_says_so():
    with Service(MadeUp()) as service:
        app = app_of(service, HOSTS)
    response = asked(app, "GET", "/health")
    assert (response.status_code, response.json()["ready"]) == (503, False)


def test_what_a_prediction_rests_on_is_what_the_bundle_explains(made, app):
    ((picture, text),) = items_of(made, [0])
    answer = asked(
        app, "POST", "/explain", files={"picture": ("0.png", picture)}, data={"text": text}
    ).json()
    explanation = made.bundle.explain(picture, text)
    assert answer["predicted"] == explanation.predicted == "cat"
    assert answer["probability"] == pytest.approx(explanation.probability)
    assert answer["contributions"] == pytest.approx(explanation.contributions)
    assert (answer["weights"], answer["attention"], answer["problem"]) == (None, None, "")


def test_an_explanation_says_what_cannot_be_used(app):
    answer = asked(
        app, "POST", "/explain", files={"picture": ("p.png", b"hello")}, data={"text": "bark"}
    ).json()
    assert answer["predicted"] == "dog"
    assert answer["contributions"]["picture"] == 0.0
    assert answer["problem"].startswith("picture: not a picture in a known format")
    answer = asked(app, "POST", "/explain").json()
    assert (answer["predicted"], answer["problem"]) == (None, "nothing to predict by")


def test_an_attention_map_is_a_picture_and_weighed_words(served):
    bundle = MadeUp()
    pairs = np.array([[0.0, 0.1], [0.6, 0.1], [0.1, 0.1], [0.0, 0.0]])
    grey = np.full((168, 168, 3), 128, dtype=np.uint8)
    bundle.attention = PairAttention(pairs, ("a", "b"), (2, 2), grey)
    answer = asked(
        served(bundle), "POST", "/explain", files={"picture": ("p", png())}, data={"text": "a b"}
    ).json()
    shown = answer["attention"]
    assert base64.b64decode(shown["heat_map"]) == bundle.attention.heat_map()
    assert [word["word"] for word in shown["words"]] == ["a", "b"]
    assert [word["weight"] for word in shown["words"]] == pytest.approx([0.7, 0.3])
    assert [word["strength"] for word in shown["words"]] == pytest.approx([0.7, 0.3])
    bundle.attention = PairAttention(pairs, None, None, grey)
    shown = asked(served(bundle), "POST", "/explain", data={"text": "a"}).json()["attention"]
    assert (shown["words"], shown["has_regions"]) == ([], False)


def test_a_model_that_fails_to_explain_gives_nothing_away(served):
    response = asked(served(), "POST", "/explain", data={"text": "fail"})
    assert response.status_code == 500
    assert "secret" not in response.text


def test_an_explanation_that_takes_too_long_is_refused(served):
    bundle = MadeUp()
    held = threading.Event()
    bundle.explain = lambda *_: held.wait()
    response = asked(
        served(bundle, Limits(predict_seconds=0.01)), "POST", "/explain", data={"text": "a"}
    )
    held.set()
    assert response.status_code == 503
    assert response.json()["rule"] == "seconds of a prediction"
