"""Sentence-BERT: the packaged model, folders, and models that cannot be had."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from features import sentence_bert
from features.sentence_bert import MINILM_PACKAGE, SentenceBert, model_folder

pytest.importorskip(MINILM_PACKAGE, reason=f"needs the pip package {MINILM_PACKAGE}")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_sentences_are_of_unit_length_and_near_in_meaning() -> None:
    vectors = SentenceBert().transform(["a small dog", "a little puppy", "interest rates rise"]).array()
    assert vectors.shape == (3, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert vectors[0] @ vectors[1] > 0.6
    assert vectors[0] @ vectors[2] < 0.3


def test_a_sentence_is_the_scaled_mean_of_its_tokens() -> None:
    texts = ["a small dog runs", "dog", ""]
    values, mask = SentenceBert(output="tokens").transform(texts).sequence()
    assert mask.sum(axis=1).tolist() == [6, 3, 2]  # with the start and end marks
    means = values.sum(axis=1) / mask.sum(axis=1, keepdims=True)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    np.testing.assert_allclose(means, SentenceBert().transform(texts).array(), atol=1e-5)


def test_long_texts_are_cut_off() -> None:
    values, _ = SentenceBert(output="tokens").transform(["dog " * 1000]).sequence()
    assert values.shape[1] == 256
    short = SentenceBert(max_tokens=5, output="tokens")
    assert short.transform(["dog " * 1000]).values.shape[1] == 5
    assert SentenceBert(max_tokens=1000, output="tokens").transform(["dog " * 1000]).values.shape[1] == 256
    cut = SentenceBert(max_tokens=5).transform(["dog " * 1000, "dog dog dog"]).array()
    np.testing.assert_allclose(cut[0], cut[1], atol=1e-5)


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    sentence_bert._loaded.cache_clear()
    SentenceBert().transform(["a dog"] * 40)
    assert capfd.readouterr() == ("", "")


def test_every_name_of_the_packaged_model_and_its_folder_are_one() -> None:
    folder = model_folder("all-MiniLM-L6-v2")
    assert model_folder("sentence-transformers/all-MiniLM-L6-v2") == folder
    assert SentenceBert(str(folder)).identity() == SentenceBert().identity()


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged model in a folder of its own."""
    return Path(shutil.copytree(model_folder("all-MiniLM-L6-v2"), tmp_path_factory.mktemp("own") / "model"))


def test_the_identity_changes_with_weights_and_configuration_only(copied: Path) -> None:
    encoder = SentenceBert(str(copied))
    before = encoder.identity()
    (copied / "README.md").write_text("changed")
    assert encoder.identity() == before
    configuration = copied / "sentence_bert_config.json"
    original = configuration.read_text()
    configuration.write_text(original.replace("256", "128"))
    assert encoder.identity() != before
    configuration.write_text(original)
    assert encoder.identity() == before
    with (copied / "model.safetensors").open("r+b") as stream:
        stream.seek(-4, 2)
        stream.write(b"\x00\x00\x80\x3f")
    assert encoder.identity() != before


def test_vectors_are_scaled_where_the_model_does_not(tmp_path: Path) -> None:
    packaged, folder = model_folder("all-MiniLM-L6-v2"), tmp_path / "unscaled"
    shutil.copytree(packaged, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "model.safetensors").symlink_to(packaged / "model.safetensors")
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps(modules[:2]))
    vectors = SentenceBert(str(folder)).transform(["a small dog"]).array()
    np.testing.assert_allclose(vectors, SentenceBert().transform(["a small dog"]).array(), atol=1e-5)


def test_a_model_that_is_nowhere_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("sentence_transformers.SentenceTransformer", refuse)
    for call in (SentenceBert("no-such-model-here").identity, SentenceBert("no-such-model-here").transform):
        with pytest.raises(FileNotFoundError, match=r"sentence-transformers/no-such-model-here.*no network"):
            call(*([["a"]] if call.__name__ == "transform" else []))
    with pytest.raises(FileNotFoundError, match="neither a folder nor a possible model name"):
        SentenceBert(str(tmp_path / "none")).identity()
