"""Sentence-BERT as ONNX: the vectors of sentence-transformers, whatever the text."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from features.encoders.clip import CLIPText
from features.encoders.sentence_bert import SentenceBert
from features.texts import sentence_models
from features.texts.sentence_models import MINILM_PACKAGE
from pipeline.use.exporting.sentences import exported_sentences, why_not
from tests.support.random_pair import random_pair
from tests.support.random_sentences import MODULES, random_sentence_model

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.usefixtures("one_thread")

TEXTS = [
    "", "  ", "a small dog", "A RED House", "a " * 600, "猫坐在垫子上", "cat \U0001f600", "\ud800"
]
LARGEST = 1e-5


def same(encoder, exported, texts):
    """Whether both give the same block."""
    here, there = exported.transform(texts), encoder.transform(texts)
    if not there.is_sequence:
        np.testing.assert_allclose(here.array(), there.array(), atol=LARGEST)
        return
    for ours, theirs in zip(here.sequence(), there.sequence(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=LARGEST)


@pytest.fixture(scope="module")
def minilm(tmp_path_factory):
    """The packaged model and its export."""
    pytest.importorskip(MINILM_PACKAGE)
    encoder = SentenceBert()
    encoder.exact = False
    return encoder, exported_sentences(encoder, tmp_path_factory.mktemp("minilm"), "text")


WORDS = st.text(st.characters(), max_size=80)
FAR = ["", "word " * 3000, "猫坐在垫子上 你好，世界", "\U0001f389 \U0001f469\u200d\U0001f680"]
MARKS = ["\ud800 half", "[SEP] [MASK] [CLS]", "x" * 5000, "\x00\u00ad\u200b", "ÀÉ İ ﬁ"]


@settings(max_examples=25)
@example(FAR)
@example(MARKS)
@given(st.lists(WORDS | st.text("ab 猫\U0001f600", max_size=2000), min_size=1, max_size=5))
def test_any_text_has_the_vector_that_sentence_transformers_gives(minilm, texts):
    encoder, exported = minilm
    assert exported.token_ids(texts) == list(encoder._token_ids(encoder._net(), texts, cut=True))
    same(encoder, exported, texts)


def test_no_text_at_all_has_the_width_of_all_others(minilm):
    assert minilm[1].transform([]).values.shape == (0, 384)


@pytest.fixture
def model(tmp_path):
    return random_sentence_model(tmp_path / "model")


VARIANTS = {
    "sentences": {"max_tokens": 7, "prompt": "a small ", "normalise": False},
    "tokens": {"output": "tokens", "max_tokens": 6, "prompt": "dog "},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_parameters_are_exported(model, tmp_path, variant):
    encoder = SentenceBert(model=str(model), **VARIANTS[variant])
    exported = exported_sentences(encoder, tmp_path, "text")
    same(encoder, exported, TEXTS)
    assert exported.tokens(TEXTS) == encoder.tokens(TEXTS)


def changed(model, name, content):
    """A model's folder with another configuration."""
    path = model / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    sentence_models.loaded.cache_clear()


POOLINGS = {
    "the first token": {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
    "several": {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True},
}


@pytest.mark.parametrize("pooling", POOLINGS)
def test_poolings_are_exported(model, tmp_path, pooling):
    changed(model, "1_Pooling/config.json", {"word_embedding_dimension": 32, **POOLINGS[pooling]})
    encoder = SentenceBert(model=str(model), prompt="a cat ")
    same(encoder, exported_sentences(encoder, tmp_path, "text"), TEXTS)


def test_lower_case_and_layers_behind_the_pooling_are_exported(model, tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Dense, Normalize

    net = SentenceTransformer(str(model), device="cpu")
    deeper = SentenceTransformer(modules=[net[0], net[1], Dense(32, 8), Normalize()])
    deeper.save(str(tmp_path / "deeper"), create_model_card=False)
    lowered_by_the_library(tmp_path / "deeper")
    encoder = SentenceBert(model=str(tmp_path / "deeper"))
    assert not why_not(encoder)
    exported = exported_sentences(encoder, tmp_path, "text")
    assert exported.transform(["a dog"]).values.shape == (1, 8)
    assert exported.token_ids(["RED DOG"]) == exported.token_ids(["red dog"])
    same(encoder, exported, TEXTS)


def lowered_by_the_library(model):
    """Let sentence-transformers make texts lower case, and not the tokenizer itself."""
    for name, content in {
        "sentence_bert_config.json": {"max_seq_length": 16, "do_lower_case": True},
        "tokenizer_config.json": {"do_lower_case": False},
    }.items():
        known = json.loads((model / name).read_text())
        changed(model, name, known | content)
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    tokenizer["normalizer"]["lowercase"] = False
    changed(model, "tokenizer.json", tokenizer)


def test_what_cannot_be_exported_says_why(model):
    assert why_not(SentenceBert(model=str(model))) == ""
    bfloat16 = SentenceBert(model=str(model), precision="bfloat16")
    assert "computes in bfloat16" in why_not(bfloat16)
    modules = json.loads((model / "modules.json").read_text())
    other = {"idx": 2, "name": "2", "path": "2_Dropout", "type": f"{MODULES}.Dropout"}
    (model / "2_Dropout").mkdir()
    changed(model, "2_Dropout/config.json", {"dropout": 0.2})
    changed(model, "modules.json", [*modules, other])
    assert why_not(SentenceBert(model=str(model))) == (
        "its model consists of Transformer, Pooling, Dropout; what can be exported is a "
        "Transformer, a Pooling, and behind them Normalize and Dense"
    )


def test_a_model_that_leaves_the_prompt_out_is_refused_with_a_prompt(model):
    changed(model, "1_Pooling/config.json", {
        "word_embedding_dimension": 32, "pooling_mode_mean_tokens": True, "include_prompt": False
    })
    assert why_not(SentenceBert(model=str(model))) == ""
    reason = why_not(SentenceBert(model=str(model), prompt="a cat "))
    assert reason == "its model leaves the tokens of the prompt out"


def test_a_half_of_a_pair_is_refused(tmp_path):
    text = CLIPText(model=str(random_pair(tmp_path / "pair")))
    assert "its model consists of" in why_not(text)
