"""Sentence-BERT: the packaged model, folders, and models that cannot be had."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from features.advance import heard_by
from features.block import joined
from features.encoders import sentence_bert
from features.encoders.sentence_bert import Piece, SentenceBert
from features.machine import precision
from features.texts import sentence_models
from features.texts.sentence_models import MINILM_PACKAGE, model_folder
from pipeline.testing.encoders import (
    Case,
    asks_no_network,
    has_an_identity_that_stays,
    reads_odd_samples_and_none_at_all,
)
from tests.support.paths import ROOT
from tests.support.random_sentences import random_sentence_model

pytest.importorskip(MINILM_PACKAGE, reason=f"needs the pip package {MINILM_PACKAGE}")


pytestmark = pytest.mark.usefixtures("one_thread")


def test_sentences_are_of_unit_length_and_near_in_meaning() -> None:
    vectors = (
        SentenceBert().transform(["a small dog", "a little puppy", "interest rates rise"]).array()
    )
    assert vectors.shape == (3, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert vectors[0] @ vectors[1] > 0.6
    assert vectors[0] @ vectors[2] < 0.3


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a small model, for what is so of any: the packaged one takes its time."""
    return str(random_sentence_model(tmp_path_factory.mktemp("small")))


def test_a_sentence_is_the_scaled_mean_of_its_tokens(small: str) -> None:
    texts = ["a small dog runs", "dog", ""]
    values, mask = SentenceBert(model=small, output="tokens").transform(texts).sequence()
    assert mask.sum(axis=1).tolist() == [6, 3, 2]  # with the start and end marks
    means = values.sum(axis=1) / mask.sum(axis=1, keepdims=True)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    np.testing.assert_allclose(
        means, SentenceBert(model=small).transform(texts).array(), atol=1e-5
    )


def test_long_texts_are_cut_off(small: str) -> None:
    long = "dog " * 1000
    for most, read in ((None, 256), (5, 5), (1000, 256)):
        encoder = SentenceBert(model=small, max_tokens=most, output="tokens")
        assert encoder.transform([long]).values.shape[1] == read
    cut = SentenceBert(model=small, max_tokens=5).transform([long, "dog dog dog"]).array()
    np.testing.assert_allclose(cut[0], cut[1], atol=1e-5)


def test_cut_off_and_empty_texts_are_counted() -> None:
    texts = ["dog " * 1000, "dog", " ", ""]
    assert SentenceBert().counts(texts) == {"empty texts": 2, "texts cut off": 1}
    assert SentenceBert(max_tokens=3).counts(["dog", "dog dog"]) == {
        "empty texts": 0,
        "texts cut off": 1,
    }
    assert SentenceBert(max_tokens=3, prompt="a ").counts(["dog"])["texts cut off"] == 1


def test_tokens_are_those_that_the_model_reads() -> None:
    encoder = SentenceBert(output="tokens", max_tokens=6)
    texts = ["Whiskers", "dog " * 9, ""]
    assert encoder.tokens(texts) == [
        ["[CLS]", "w", "##his", "##kers", "[SEP]"],
        ["[CLS]", *["dog"] * 4, "[SEP]"],
        ["[CLS]", "[SEP]"],
    ]
    assert (
        list(map(len, encoder.tokens(texts)))
        == encoder.transform(texts).sequence()[1].sum(axis=1).tolist()
    )


@pytest.mark.parametrize("output", ["sentence", "tokens"])
def test_a_prompt_stands_before_every_text(small: str, output: str) -> None:
    plain = SentenceBert(model=small, output=output)
    prompted = SentenceBert(model=small, output=output, prompt="red house: ")
    expected = plain.transform(["red house: a dog", "red house: a cat"]).values
    np.testing.assert_allclose(
        prompted.transform(["a dog", "a cat"]).values, expected, atol=1e-6
    )


def test_vectors_are_left_as_long_as_the_model_gives_them_where_asked(unscaled: Path) -> None:
    free = SentenceBert(model=str(unscaled), normalise=False).transform(["a small dog"]).array()
    assert np.linalg.norm(free) > 1.5
    scaled = SentenceBert(model=str(unscaled)).transform(["a small dog"]).array()
    np.testing.assert_allclose(free / np.linalg.norm(free), scaled, atol=1e-6)


def test_bfloat16_is_near_and_another_key() -> None:
    texts = ["a small dog", "interest rates rise", "a red car on a road"]
    exact, rounded = SentenceBert(), SentenceBert(precision="bfloat16")
    cosines = (exact.transform(texts).array() * rounded.transform(texts).array()).sum(axis=1)
    assert cosines.min() > 0.99
    assert exact.identity() != rounded.identity()


def test_bfloat16_of_a_gpu_is_another_key_than_a_processors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = []
    for gpu in (None, True):
        monkeypatch.setattr(precision, "_gpu", lambda gpu=gpu: gpu)
        keys.append(
            [
                SentenceBert(precision=name).identity()["precision"]
                for name in ("float32", "bfloat16", "auto")
            ]
        )
    assert keys[0][0] == keys[1][0], "float32 is shared"
    assert keys[0][1] != keys[1][1] == keys[1][2]


def test_a_model_in_the_hubs_cache_loads_by_name_without_any_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The cache as the hub's own library lays it out, with a model that is not packaged."""
    snapshot = (
        tmp_path / "models--sentence-transformers--all-mpnet-base-v2" / "snapshots" / ("0" * 40)
    )
    shutil.copytree(model_folder("all-MiniLM-L6-v2"), snapshot, symlinks=False)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0" * 40)
    program = (
        "import socket\n"
        "def refuse(*arguments, **options): raise AssertionError('a network call was attempted')\n"
        "socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse\n"
        "from features.encoders.sentence_bert import SentenceBert\n"
        "encoder = SentenceBert(model='all-mpnet-base-v2')\n"
        "encoder.identity()\n"
        "print(encoder.transform(['a dog']).values.shape)\n"
    )
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": ""}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment,
                          capture_output=True, text=True, check=False)
    assert done.stdout == "(1, 384)\n", done.stderr


@pytest.mark.parametrize(
    "check",
    [reads_odd_samples_and_none_at_all, has_an_identity_that_stays, asks_no_network],
    ids=lambda check: check.__name__,
)
def test_the_packaged_model_keeps_the_contract_too(check: Callable[[Case], None]) -> None:
    check(Case("sbert", SentenceBert))


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    sentence_models.loaded.cache_clear()
    SentenceBert().transform(["a dog"] * 40)
    assert capfd.readouterr() == ("", "")


def test_every_name_of_the_packaged_model_and_its_folder_are_one() -> None:
    folder = model_folder("all-MiniLM-L6-v2")
    assert model_folder("sentence-transformers/all-MiniLM-L6-v2") == folder
    assert SentenceBert(model=str(folder)).identity() == SentenceBert().identity()


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged model in a folder of its own."""
    return Path(
        shutil.copytree(model_folder("all-MiniLM-L6-v2"), tmp_path_factory.mktemp("own") / "model")
    )


def test_the_identity_changes_with_weights_and_configuration_only(copied: Path) -> None:
    encoder = SentenceBert(model=str(copied))
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


@pytest.fixture
def unscaled(tmp_path: Path) -> Path:
    """The packaged model without its last step, which scales vectors to unit length."""
    packaged, folder = model_folder("all-MiniLM-L6-v2"), tmp_path / "unscaled"
    shutil.copytree(packaged, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "model.safetensors").symlink_to(packaged / "model.safetensors")
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps(modules[:2]))
    return folder


def test_vectors_are_scaled_where_the_model_does_not(unscaled: Path) -> None:
    vectors = SentenceBert(model=str(unscaled)).transform(["a small dog"]).array()
    np.testing.assert_allclose(
        vectors, SentenceBert().transform(["a small dog"]).array(), atol=1e-5
    )


def test_a_model_that_is_nowhere_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("sentence_transformers.SentenceTransformer", refuse)
    monkeypatch.setattr("features.texts.sentence_models.why_no_hub", lambda: "")
    for call in (
        SentenceBert(model="no-such-model-here").identity,
        SentenceBert(model="no-such-model-here").transform,
    ):
        with pytest.raises(
            FileNotFoundError, match=r"sentence-transformers/no-such-model-here.*no network"
        ):
            call(*([["a"]] if call.__name__ == "transform" else []))
    with pytest.raises(FileNotFoundError, match="neither a folder nor a possible model name"):
        SentenceBert(model=str(tmp_path / "none")).identity()


def test_many_texts_are_encoded_piece_by_piece_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch, small: str
) -> None:
    texts = ["a small dog", "", "interest rates rise again and again", "dog", "a red house"]
    whole = {
        output: SentenceBert(model=small, output=output).transform(texts)
        for output in ("sentence", "tokens")
    }
    monkeypatch.setattr(sentence_bert, "PIECE", 2)
    monkeypatch.setattr(sentence_bert, "PIECE_WITH_TOKENS", 2)
    pieces = list(SentenceBert(model=small).pieces(texts, ["sentence", "tokens"]))
    assert [len(piece["tokens"]) for piece in pieces] == [2, 2, 1]
    for output, block in whole.items():
        together = joined([piece[output] for piece in pieces])
        np.testing.assert_allclose(together.values, block.values, atol=1e-5)
        assert (together.mask is None) == (block.mask is None)
        assert block.mask is None or np.array_equal(together.mask, block.mask)
    np.testing.assert_allclose(
        SentenceBert(model=small).transform(texts).values, whole["sentence"].values, atol=1e-5
    )


def test_a_text_s_vectors_do_not_depend_on_the_texts_beside_it():
    """To the bit: any subset in any order, alone, and in pieces of any size."""
    rng = np.random.default_rng(0)
    words = ["red", "bicycle", "house", "with", "an", "extraordinarily", "old", "door", "and"]
    texts = [" ".join(rng.choice(words, size)) for size in [1, 2, 4, 5, 9, 12, 40]]
    for output in ("sentence", "tokens"):
        whole = SentenceBert(output=output).transform(texts)
        for size in (1, 4):
            chosen = rng.permutation(len(texts))[:size]
            part = SentenceBert(output=output).transform([texts[position] for position in chosen])
            expected = whole.take(chosen).values[chosen]
            if output == "tokens":
                expected = expected[:, : part.values.shape[1]]
                assert np.array_equal(part.mask, whole.mask[chosen][:, : part.values.shape[1]])
            assert np.array_equal(part.values, expected)


def test_vectors_that_are_wanted_soon_differ_in_the_last_digits_only():
    texts = ["a red bicycle", "an old house"]
    exact, soon = SentenceBert(), SentenceBert()
    soon.exact = False
    np.testing.assert_allclose(
        soon.transform(texts).values, exact.transform(texts).values, rtol=0, atol=1e-5
    )
    net = soon._net()
    piece = Piece(texts, 0, 2)
    assert [sorted(batch.texts) for batch in soon._batches(net, piece)] == [texts]
    assert all(len(batch.texts) > 2 for batch in exact._batches(net, piece))
    assert all(batch.padding for batch in exact._batches(net, piece))


@pytest.mark.parametrize("output", ["sentence", "tokens", "numbers"])
def test_all_texts_of_a_pass_are_counted_once(output, monkeypatch) -> None:
    monkeypatch.setattr(sentence_bert, "PIECE", 3)
    monkeypatch.setattr(sentence_bert, "PIECE_WITH_TOKENS", 3)
    steps: list[tuple[int, int, str]] = []
    with heard_by(lambda *step: steps.append(step)):
        SentenceBert(output=output).transform(["a", "red dog " * 9, "b", "", "c"])
    done = [step[0] for step in steps]
    assert {step[1:] for step in steps} == {(5, "samples")}
    assert done == sorted(set(done))
    assert done[-1] == 5
