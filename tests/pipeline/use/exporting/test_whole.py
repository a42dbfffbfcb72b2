"""What a bundle is given for ONNX: what is close enough, and what it lacks, by name."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from features.encoders.sentence_bert import SentenceBert
from models.classifiers.logistic import Logistic
from models.late.late import Late
from pipeline.use.bundle import Bundle
from pipeline.use.card import _of_encoders
from pipeline.use.exporting import encoders as module
from pipeline.use.exporting import whole
from pipeline.use.exporting.encoders import AS_THEY_ARE, BUNDLE, GRAPH, LACKS
from pipeline.use.exporting.exported import FILE, LARGEST
from pipeline.use.exporting.whole import export_of
from pipeline.use.fitted import FittedCell
from pipeline.use.problem import BundleError
from pipeline.use.refit import Refit, refitted
from tests.support.comparisons import comparison_of
from tests.support.paths import ROOT
from tests.support.random_sentences import random_sentence_model
from tests.support.tiny import GRID, TEXT_GRID, read_rows, write_grid, write_table

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
FUSION = "[majority, image_only, text_only, concat, {late: {rule: [mean, product]}}]"
REGISTERED = {
    **{f"text {name}": cls for name, cls in TEXT_ENCODERS.items()},
    **{f"picture {name}": cls for name, cls in IMAGE_ENCODERS.items()},
}


@pytest.fixture
def folder(tmp_path):
    write_table(tmp_path)
    random_sentence_model(tmp_path / "model")
    return tmp_path


def exports(folder, grid):
    """The last cell of a grid, fitted, and its export."""
    comparison = comparison_of(write_grid(folder, grid))
    refit = refitted(comparison.cells[-1], comparison)
    return refit.cell, export_of(refit, comparison)


def loaded(folder, cell, export):
    """It as a bundle that ONNX Runtime is asked about."""
    Bundle(cell, {"onnx": export.facts}).save(folder / "m", export.files)
    return Bundle.load(folder / "m", "onnx")


def of_texts(folder, together):
    sbert = f"{{sbert: {{model: {folder / 'model'}}}}}"
    texts = f"[[{sbert}, tfidf]]" if together else f"[{sbert}]"
    return TEXT_GRID.replace("[bow, tfidf]", texts)


def test_several_encoders_of_texts_predict_as_the_cell_does(folder):
    cell, export = exports(folder, of_texts(folder, together=True))
    assert set(export.files) == {FILE, "text.onnx", "text.tokenizer.json"}
    assert export.facts["whole"]["largest_difference"] <= LARGEST
    (of_model,) = export.facts["encoders"]
    assert [set(facts) & {GRAPH, BUNDLE} for facts in of_model.values()] == [{GRAPH}, {BUNDLE}]
    texts = [row[2] for row in read_rows(folder)[:4]] + ["", None, "unheard"]
    items = {"text": texts}
    asked = loaded(folder, cell, export)
    np.testing.assert_allclose(
        asked.predict_items(items), cell.predict_proba(items), atol=LARGEST
    )


def test_an_encoder_of_several_models_is_exported_once(folder):
    comparison = comparison_of(write_grid(folder, of_texts(folder, together=False)))
    (cell, features) = refitted(comparison.cells[-1], comparison)
    rule = Late(Logistic(), rule="mean").fit_combination(np.ones(3) / 3, None)
    late = FittedCell(cell.models * 2, rule, 1.3, cell.classes)
    export = export_of(Refit(late, features * 2), comparison)
    assert [name for name in export.files if name.endswith(".onnx")] == [FILE, "text.onnx"]
    assert len(export.facts["encoders"]) == 2
    items = {"text": [row[2] for row in read_rows(folder)[:3]] + [None, ""]}
    np.testing.assert_allclose(
        loaded(folder, late, export).predict_items(items), late.predict_proba(items), atol=LARGEST
    )


@pytest.mark.parametrize("texts", ["vectors", "probabilities"])
def test_what_differs_by_more_than_rounding_is_not_written(folder, texts, monkeypatch):
    monkeypatch.setattr(whole, "LARGEST", -1.0)
    grid = of_texts(folder, together=False) if texts == "vectors" else TEXT_GRID
    cell, export = exports(folder, grid)
    assert set(export.files) == {FILE}
    lacking = f"an encoder that gives the same: {texts} differ by "
    assert export.facts["whole"][LACKS].startswith(lacking)
    with pytest.raises(BundleError, match=f"it lacks {lacking}"):
        loaded(folder, cell, export)


def test_a_picture_network_is_named_and_texts_are_exported_all_the_same(folder):
    network = "[{small_resnet: {epochs: 1, depth: 8, width: 4}}]"
    grid = GRID.replace("[mean_colour]", network).replace(FUSION, "[concat]").replace(
        "text: [bow]", f"text: [{{sbert: {{model: {folder / 'model'}}}}}]"
    )
    cell, export = exports(folder, grid)
    lacks = "an export of the picture encoder small_resnet (it needs PyTorch)"
    assert export.facts["whole"][LACKS] == lacks
    assert {"text.onnx", "text.tokenizer.json"} < set(export.files)
    said = " ".join(_of_encoders(export.facts))
    assert "`text.onnx` is the text encoder" in said
    assert f"ONNX Runtime alone cannot predict with this bundle: it lacks {lacks}." in said
    with pytest.raises(BundleError, match="it lacks an export of the picture encoder small_resnet"):
        loaded(folder, cell, export)


@pytest.mark.parametrize("name", sorted(REGISTERED))
def test_every_encoder_is_exported_used_as_it_is_or_named(name, tmp_path, monkeypatch):
    """A new one is refused until somebody has written down how it runs without PyTorch."""
    monkeypatch.setattr("pipeline.use.exporting.sentences.why_not", lambda encoder: "not now")
    facts = module._facts(REGISTERED[name](), tmp_path, "text")
    noun = name.replace(" ", " encoder ")
    if issubclass(REGISTERED[name], AS_THEY_ARE):
        assert facts == {BUNDLE: True}
    elif issubclass(REGISTERED[name], SentenceBert):
        assert facts == {LACKS: f"an export of the {noun} (not now)"}
    else:
        assert facts == {LACKS: f"an export of the {noun} (it needs PyTorch)"}


def test_what_is_used_as_it_is_needs_no_pytorch():
    code = (
        "import sys\n"
        "class Without:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('torch', 'transformers', 'sentence_transformers'):\n"
        "            raise AssertionError(name)\n"
        "sys.meta_path.insert(0, Without())\n"
        "from pipeline.use.exporting.encoders import AS_THEY_ARE\n"
        "from features.encoders.tfidf import Tfidf\n"
        "texts = ['a dog barks', 'the cat purrs']\n"
        "for cls in (*AS_THEY_ARE, Tfidf):\n"
        "    try:\n"
        "        print(len(cls().fit(texts).transform(texts)))\n"
        "    except ModuleNotFoundError:\n"
        "        print(2)  # the package of an encoder is not installed\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"2"}
