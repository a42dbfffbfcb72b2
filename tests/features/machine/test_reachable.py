"""Whether a host can be reached is asked once, and told in one sentence."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from email.message import Message
from urllib.error import HTTPError, URLError

import pytest

from features.machine import reachable
from features.machine.reachable import why_no_hub, why_unreachable
from features.networks.pretrained import pretrained
from features.texts.sentence_models import model_folder


class Network:
    """Answers as it is told to, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: Exception | None = None

    def __call__(self, request, timeout):
        self.asked.append(request.full_url)
        assert timeout <= 5
        if self.answer is not None:
            raise self.answer
        return nullcontext()


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    network = Network()
    monkeypatch.setattr("urllib.request.urlopen", network)
    monkeypatch.setattr(reachable, "_answers", {})
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return network


def test_a_host_is_tried_once_for_all_of_its_addresses(network: Network) -> None:
    network.answer = URLError("Name or service not known")
    for path in ("a", "b/c"):
        assert why_unreachable(f"https://hub.example/{path}") == (
            "https://hub.example cannot be reached: Name or service not known"
        )
    assert network.asked == ["https://hub.example"]
    network.answer = None
    assert why_unreachable("https://other.example/x") == ""
    assert len(network.asked) == 2


def test_the_answer_is_asked_anew_after_a_while(network, monkeypatch) -> None:
    network.answer = URLError("down")
    assert why_unreachable("https://hub.example")
    monkeypatch.setattr(reachable, "REMEMBERED", 0.0)
    network.answer = None
    assert why_unreachable("https://hub.example") == ""


def test_whoever_says_no_is_there(network: Network) -> None:
    network.answer = HTTPError("https://hub.example", 404, "Not Found", Message(), None)
    assert why_unreachable("https://hub.example/model") == ""


def test_a_lookup_that_hangs_is_given_up(network, monkeypatch) -> None:
    monkeypatch.setattr(reachable, "PATIENCE", 0.05)
    done = threading.Event()

    def hang(*_: object, **__: object) -> nullcontext[None]:
        done.wait()
        return nullcontext()

    monkeypatch.setattr("urllib.request.urlopen", hang)
    assert "no answer from https://hub.example within" in why_unreachable("https://hub.example")
    done.set()


def test_a_hub_that_shall_not_be_asked_is_not_and_other_hosts_are(network, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert why_no_hub() == "HF_HUB_OFFLINE forbids to try"
    assert network.asked == []
    assert why_unreachable("https://weights.example/net.pth") == ""
    assert network.asked == ["https://weights.example"]


@pytest.fixture
def no_cache(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))


def test_models_of_the_hub_are_missed_in_one_sentence_each(network, no_cache) -> None:
    network.answer = URLError("Name or service not known")
    reason = r"https://huggingface\.co cannot be reached: Name or service not known"
    for name in ("no-such-model", "somebody/no-other"):
        with pytest.raises(FileNotFoundError, match=rf"model .*{name} is neither .*{reason}$"):
            model_folder(name)
    with pytest.raises(FileNotFoundError, match=rf"timm/resnet18 .*{reason}\): put "):
        pretrained("timm/resnet18", "default")
    assert len(network.asked) == 1


def test_weights_of_torchvision_are_missed_in_one_sentence(network, no_cache) -> None:
    from features.networks.building import build

    network.answer = URLError("Name or service not known")
    with pytest.raises(FileNotFoundError, match=r"resnet18 .*https://download\.pytorch\.org can"):
        build(pretrained("resnet18", "default"))
    assert len(network.asked) == 1
