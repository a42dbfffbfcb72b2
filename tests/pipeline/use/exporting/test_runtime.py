"""A bundle asked by ONNX Runtime: the same answers, without PyTorch, or a clear refusal."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from features.encoders.exported_sentences import ExportedSentences
from pipeline.predict import main
from pipeline.store.files import sha256
from pipeline.store.manifest import sealed
from pipeline.use import predictions
from pipeline.use.bundle import MANIFEST, Bundle
from pipeline.use.exporting import runtime
from pipeline.use.exporting.exported import LARGEST
from pipeline.use.problem import BundleError
from tests.support.paths import ROOT

WITHOUT = ("torch", "transformers", "sentence_transformers", "sklearn", "pandas", "skops")
TEXTS = ["a small dog", "", None, "猫坐在垫子上", "red house " * 300]


@pytest.fixture
def copied(exported_bundle, tmp_path):
    """A copy of the bundle, to be changed."""
    shutil.copytree(exported_bundle.model, tmp_path / "m")
    return tmp_path / "m"


def changed(folder, change):
    """The bundle with another manifest, as if it had been written so."""
    path = folder / MANIFEST
    manifest = json.loads(path.read_text())
    del manifest["sha256"]
    change(manifest)
    path.write_text(sealed(json.dumps(manifest)))


def predicted(model, table, output, *options):
    assert main([str(model), str(table), "-o", str(output), *options]) == 0
    with output.open(newline="") as file:
        return list(csv.DictReader(file))


def test_both_runtimes_predict_the_same_classes(exported_bundle, tmp_path):
    model, table = exported_bundle.model, exported_bundle.table
    here = predicted(model, table, tmp_path / "python.csv")
    there = predicted(model, table, tmp_path / "onnx.csv", "--onnx")
    assert [row["predicted"] for row in here] == [row["predicted"] for row in there]
    shares = [name for name in here[0] if name.startswith("p: ")]
    assert len(shares) == 3
    for ours, theirs in zip(there, here, strict=True):
        np.testing.assert_allclose(
            [float(ours[name]) for name in shares], [float(theirs[name]) for name in shares],
            atol=LARGEST,
        )


def test_python_asks_the_same(exported_bundle):
    ours = Bundle.load(exported_bundle.model, runtime="onnx")
    theirs = Bundle.load(exported_bundle.model)
    np.testing.assert_allclose(
        ours.predict_proba(texts=TEXTS[3:]), theirs.predict_proba(texts=TEXTS[3:]), atol=LARGEST
    )
    for items in ({"text": TEXTS}, {"text": [None, None]}):
        np.testing.assert_allclose(
            ours.predict_items(items), theirs.predict_items(items), atol=LARGEST
        )
    assert ours.classes == theirs.classes
    assert ours.predict(texts="a small dog") == theirs.predict(texts="a small dog")
    explanation, expected = ours.explain(text="a dog"), theirs.explain(text="a dog")
    assert explanation.alone == pytest.approx(expected.alone, abs=LARGEST)
    assert ours.cell.left_out.threshold(0.9) == theirs.cell.left_out.threshold(0.9)


def test_nothing_of_pytorch_is_imported_or_asked_for(exported_bundle, tmp_path):
    """In a process in which importing it is an error, as where it is not installed."""
    code = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({WITHOUT}))\n"
        "from pipeline.predict import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        f"assert not [name for name in {WITHOUT} if sys.modules[name] is not None]\n"
    )
    arguments = [str(exported_bundle.model), str(exported_bundle.table)]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, "-o", str(tmp_path / "p.csv"), "--onnx"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "36 items predicted" in done.stderr


def test_the_model_itself_need_not_be_there(exported_bundle, copied, monkeypatch):
    shutil.copytree(exported_bundle.folder / "model", copied.parent / "away")
    shutil.rmtree(exported_bundle.folder / "model")
    try:
        with pytest.raises(FileNotFoundError):
            Bundle.load(copied)
        assert Bundle.load(copied, "onnx").predict(texts="a cat")
    finally:
        shutil.copytree(copied.parent / "away", exported_bundle.folder / "model")


def test_the_bundle_says_how_far_both_are(exported_bundle):
    facts = Bundle.load(exported_bundle.model, "onnx").about["onnx"]
    assert facts["whole"]["rows_compared"] == facts["whole"]["rows_fitted"] == 36
    assert 0 <= facts["whole"]["largest_difference"] <= facts["whole"]["bound"] == LARGEST
    (of_model,) = facts["encoders"]
    assert 0 < of_model["text"]["largest_difference"] < 1e-5
    card = (exported_bundle.model / "README.md").read_text()
    assert "`text.onnx`" in card
    assert "`text.tokenizer.json`" in card
    assert "measured on the texts of 36 rows" in card


@pytest.mark.parametrize("name", ["text.onnx", "text.tokenizer.json", "classifier.onnx"])
def test_a_file_that_was_changed_or_is_missing_is_refused(copied, name):
    whole = (copied / name).read_bytes()
    (copied / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    for asked in ("onnx", "python"):
        with pytest.raises(BundleError, match=f"its file {name} was changed"):
            Bundle.load(copied, asked)
    (copied / name).unlink()
    with pytest.raises(BundleError, match=f"its file {name} is missing"):
        Bundle.load(copied, "onnx")


@pytest.mark.parametrize("name", ["text.onnx", "text.tokenizer.json", "classifier.onnx"])
def test_a_file_that_is_none_of_its_kind_is_refused_whatever_its_checksum(copied, name):
    (copied / name).write_bytes(b"\x08\x01 no model")
    changed(copied, lambda manifest: manifest["files"].update({name: sha256(copied / name)}))
    with pytest.raises(BundleError, match="is no bundle that can be used"):
        Bundle.load(copied, "onnx")


DAMAGED = {
    "a file elsewhere": {"graph": "../text.onnx"},
    "a file that it does not list": {"tokenizer": "other.json"},
    "no name": {"graph": None},
    "no prompt": {"prompt": ["a"]},
    "another output": {"output": "numbers"},
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_facts_that_are_damaged_are_refused(copied, damage):
    shutil.copy(copied / "text.onnx", copied.parent / "text.onnx")
    changed(
        copied,
        lambda manifest: manifest["about"]["onnx"]["encoders"][0]["text"].update(DAMAGED[damage]),
    )
    with pytest.raises(BundleError, match="is no bundle that can be used"):
        Bundle.load(copied, "onnx")


@pytest.mark.parametrize("facts", [None, [], "onnx", {"whole": 3}, {"whole": {}}])
def test_facts_of_another_kind_are_refused(copied, facts):
    changed(copied, lambda manifest: manifest["about"].update(onnx=facts))
    with pytest.raises(BundleError):
        Bundle.load(copied, "onnx")


def test_a_bundle_without_an_export_is_refused(exported_bundle, copied, capsys):
    changed(copied, lambda manifest: manifest["about"].pop("onnx"))
    output = copied.parent / "p.csv"
    assert main([str(copied), str(exported_bundle.table), "-o", str(output), "--onnx"]) == 2
    assert capsys.readouterr().err == (
        f"{copied} has no export: python -m pipeline.bundle RUN --onnx -o FOLDER writes a bundle "
        "that ONNX Runtime can be asked about\n"
    )
    assert not output.exists()


def test_an_export_of_the_classifier_alone_is_refused(copied):
    changed(copied, lambda manifest: manifest["about"]["onnx"].pop("whole"))
    with pytest.raises(BundleError, match="exports its classifier alone: python -m"):
        Bundle.load(copied, "onnx")


def test_what_cannot_be_exported_is_named_with_what_can(copied):
    lacks = "an export of the picture encoder cnn (it needs PyTorch)"
    changed(copied, lambda manifest: manifest["about"]["onnx"].update(whole={"lacks": lacks}))
    with pytest.raises(BundleError) as raised:
        Bundle.load(copied, "onnx")
    assert str(raised.value) == (
        f"{copied} cannot be asked by ONNX Runtime: it lacks {lacks}. What can be: bundles whose "
        "encoders are among sbert (in float32, of a Transformer, a Pooling, and behind them "
        "Normalize and Dense), bow, tfidf, word2vec, use"
    )


def test_packages_that_are_missing_are_named(copied, monkeypatch):
    monkeypatch.setattr(runtime, "not_installed", lambda packages: packages)
    with pytest.raises(BundleError, match=r"needs onnxruntime and tokenizers: pip install onnx"):
        Bundle.load(copied, "onnx")


def test_another_runtime_is_refused(copied):
    with pytest.raises(BundleError, match=r"no runtime 'onxx'; did you mean 'onnx'\?"):
        Bundle.load(copied, "onxx")


def test_other_versions_of_the_packages_are_told(copied):
    def older(manifest):
        manifest["about"]["onnx"]["whole"]["libraries"]["tokenizers"] = "0.1"

    changed(copied, older)
    with pytest.warns(UserWarning, match=r"was checked with onnxruntime .* and tokenizers 0\.1;"):
        Bundle.load(copied, "onnx")


def test_what_is_loaded_in_part_is_not_saved(exported_bundle, tmp_path):
    with pytest.raises(BundleError, match="copy its folder"):
        Bundle.load(exported_bundle.model, "onnx").save(tmp_path / "again", {})
    assert not (tmp_path / "again").exists()


def test_an_output_begun_by_one_runtime_is_not_gone_on_with_by_another(
    exported_bundle, tmp_path, monkeypatch, capsys
):
    model, table, output = exported_bundle.model, exported_bundle.table, tmp_path / "p.csv"
    expected = predicted(model, table, tmp_path / "whole.csv", "--onnx")
    monkeypatch.setattr(predictions, "PART", 10)
    rows_of, parts = predictions._rows, []

    def interrupted(bundle, part, threshold):
        if len(parts) == 2:
            raise KeyboardInterrupt
        parts.append(part)
        return rows_of(bundle, part, threshold)

    with monkeypatch.context() as patch:
        patch.setattr(predictions, "_rows", interrupted)
        assert main([str(model), str(table), "-o", str(output)]) == 130
    asked = []
    monkeypatch.setattr(
        ExportedSentences, "token_ids",
        lambda self, samples, known=ExportedSentences.token_ids: (
            asked.extend(samples) or known(self, samples)
        ),
    )
    capsys.readouterr()
    assert predicted(model, table, output, "--onnx") == expected
    assert len(asked) == 36
    said = capsys.readouterr().err
    assert "begun anew: an unfinished output was there" in said
    assert "differing in runtime" in said


def test_what_was_interrupted_goes_on_with_the_same_runtime(exported_bundle, tmp_path, monkeypatch):
    model, table, output = exported_bundle.model, exported_bundle.table, tmp_path / "p.csv"
    expected = predicted(model, table, tmp_path / "whole.csv", "--onnx")
    monkeypatch.setattr(predictions, "PART", 10)
    rows_of, parts = predictions._rows, []

    def interrupted(bundle, part, threshold):
        parts.append(part)
        if len(parts) == 3:
            raise KeyboardInterrupt
        return rows_of(bundle, part, threshold)

    monkeypatch.setattr(predictions, "_rows", interrupted)
    assert main([str(model), str(table), "-o", str(output), "--onnx"]) == 130
    assert predicted(model, table, output, "--onnx") == expected
    assert [len(part) for part in parts] == [10, 10, 10, 10, 6]


def test_the_service_asks_either_runtime(exported_bundle):
    pytest.importorskip("fastapi")
    from pipeline.use.items.item import Item
    from pipeline.use.serving.prediction import predictions
    from pipeline.use.serving.reasons import reasons
    from pipeline.use.serving.service import Service

    items = [Item("first", None, "a small dog"), Item("second", None, "")]
    answers = []
    for asked in ("python", "onnx"):
        bundle = Bundle.load(exported_bundle.model, asked)
        with Service(bundle) as service:
            service.warm_up()
        given = predictions(bundle, items)
        answers.append((
            [prediction.predicted for prediction in given],
            reasons(bundle, items[0]).contributions,
        ))
    assert answers[0][0] == answers[1][0]
    assert answers[0][1] == pytest.approx(answers[1][1], abs=LARGEST)
