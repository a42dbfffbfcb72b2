"""Bundles: the same predictions after as before, for everything in the registries; else refused."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from models import CLASSIFIERS, FUSIONS
from pipeline.bundle import main
from pipeline.store.manifest import sealed
from pipeline.use.bundle import MANIFEST, Bundle, read_manifest
from pipeline.use.problem import BundleError
from pipeline.use.refit import refitted
from tests.pipeline.use.conftest import OF_BOTH
from tests.support.comparisons import comparison_of
from tests.support.installs import uninstall
from tests.support.random_pair import random_pair
from tests.support.tiny import GRID, read_rows, write_grid, write_rows, write_table

# What is bundled by itself: end_to_end trains encoders, zero_shot has folds of classes, and shared
# needs encoders with a common space.
QUICK = {
    "late": "{late: {rule: [mean, max, majority, weighted, log_pool, stacking, selection]}}",
    "attention": "{attention: {epochs: 1, width: 8, reduce: 8, similarity: cosine, "
    "projection: [linear, hidden]}}",
    "cross_attention": "{cross_attention: {epochs: 1, width: 8, reduce: 8}}",
    "gated": "{gated: {epochs: 1}}",
    "co_training": "{co_training: {epochs: 1, interaction: [none, product]}}",
    "contrastive": "{contrastive: {epochs: 1}}",
}
APART = {"end_to_end", "zero_shot", "shared"}
# Classifiers that take long as they are by default.
SMALL = {
    "random_forest": "{random_forest: {trees: 5}}",
    "hist_gradient_boosting": "{hist_gradient_boosting: {iterations: 5}}",
    "mlp": "{mlp: {hidden: 8, epochs: 5}}",
    "rbf_svm": "{rbf_svm: {C: [1, 10], gamma: [1]}}",
}
OURS = "features.texts.counting:InverseFrequencies"
THEIRS = "sklearn.feature_extraction.text:TfidfTransformer"
FUSION = "[majority, image_only, text_only, concat, {late: {rule: [mean, product]}}]"


def bundled(tmp_path, grid, rows=None):
    """Every cell of a grid, fitted; and predictions before and after it was saved and moved."""
    write_table(tmp_path)
    if rows is not None:
        write_rows(tmp_path, rows)
    comparison = comparison_of(write_grid(tmp_path, grid))
    pictures = [(tmp_path / f"{row}.png").read_bytes() for row in range(9)]
    texts = [row[2] for row in read_rows(tmp_path)[:8]]
    items = {"image": [*pictures, None], "text": [*texts, None, "bark purr unheard"]}
    for number, cell in enumerate(comparison.cells):
        fitted = refitted(cell, comparison).cell
        folder = tmp_path / str(number)
        Bundle(fitted, {"cell": cell.name}).save(folder, {})
        moved = tmp_path / f"moved {number}"
        shutil.move(folder, moved)
        yield cell, fitted.predict_proba(items), Bundle.load(moved).predict_items(items)


def grid_of(fusion, classifier, text="[bow]"):
    return (
        GRID.replace("[mean_colour]", "[handcrafted]")
        .replace("text: [bow]", f"text: {text}")
        .replace(FUSION, f"[{fusion}]")
        .replace("{logistic: {C: [1, 100]}}", classifier)
    )


@pytest.mark.parametrize("fusion", sorted(FUSIONS.keys() - APART))
def test_predictions_of_every_fusion_are_the_same_after_as_before(tmp_path, fusion):
    texts = "[bow]" if fusion != "concat" else "[bow, {word2vec: {size: 4, epochs: 1}}]"
    cells = list(bundled(tmp_path, grid_of(QUICK.get(fusion, fusion), "logistic", texts)))
    assert {cell.fusion.name for cell, *_ in cells} >= {fusion}
    for cell, before, after in cells:
        assert np.array_equal(before, after), cell.name
        np.testing.assert_allclose(after.sum(axis=1), 1)


@pytest.mark.parametrize("fusion", sorted(
    name for name, cls in FUSIONS.items() if cls.takes_several and name not in APART
))
def test_predictions_from_several_encoders_are_the_same_after_as_before(tmp_path, fusion):
    grid = grid_of(
        QUICK.get(fusion, fusion), "{logistic: {C: [1]}}",
        "[[bow, {word2vec: {size: 4, epochs: 1}}]]",
    )
    cells = list(bundled(tmp_path, grid))
    names = [cell.name for cell, *_ in cells]
    assert any("bow+word2vec" in name for name in names) or fusion == "image_only"
    for cell, before, after in cells:
        assert np.array_equal(before, after), cell.name
        np.testing.assert_allclose(after.sum(axis=1), 1)


@pytest.mark.parametrize("classifier", sorted(CLASSIFIERS))
def test_predictions_of_every_classifier_are_the_same_after_as_before(tmp_path, classifier):
    grid = grid_of("concat", SMALL.get(classifier, classifier), "[tfidf]")
    for cell, before, after in bundled(tmp_path, grid):
        assert np.array_equal(before, after), cell.name


# Encoders that learn, and parameters that are groups of their own.
LEARNING = {
    "small_vgg": "{small_vgg: {width: 2, epochs: 1}}",
    "small_resnet": "{small_resnet: {width: 2, epochs: 1}}",
    "cnn": "{cnn: {size: 32, pca: 3, augment: {copies: 1, test_copies: true}}}, "
    "{cnn: {size: 32, precision: float32, finetune: {unfreeze: head, epochs: 1}}}, "
    "{cnn: {size: 32, precision: float32, finetune: {unfreeze: last_stage, epochs: 1}}}",
}


@pytest.mark.parametrize("encoder", LEARNING)
def test_encoders_that_learned_are_the_same_after_as_before(tmp_path, encoder, one_thread):
    grid = GRID.replace("[mean_colour]", f"[{LEARNING[encoder]}]").replace(FUSION, "[image_only]")
    cells = list(bundled(tmp_path, grid))
    assert cells
    for cell, before, after in cells:
        assert np.array_equal(before, after), cell.name


def test_encoders_that_were_trained_with_the_fusion_are_the_same(tmp_path, one_thread):
    grid = grid_of("{end_to_end: {epochs: 1}}", "logistic").replace(
        "[handcrafted]", "[{small_vgg: {width: 2}}]"
    )
    ((_, before, after),) = bundled(tmp_path, grid)
    assert np.array_equal(before, after)


def test_a_pair_of_encoders_is_the_same(tmp_path, one_thread):
    clip = f"[{{clip: {{model: {random_pair(tmp_path / 'pair')}}}}}]"
    grid = grid_of("shared", "logistic", clip).replace("[handcrafted]", clip)
    ((_, before, after),) = bundled(tmp_path, grid)
    assert np.array_equal(before, after)


def test_classes_that_are_known_by_their_texts_alone(tmp_path):
    """Of the classes that are described, those without rows are what it recognises."""
    texts = "{a0: whiskers purr, a1: purr meow, b0: bark tail, b1: tail fetch, c0: wheel, c1: road}"
    grid = (
        grid_of("{zero_shot: {space: [text, cca]}}", "logistic", "[word2vec: {size: 4, epochs: 1}]")
        .replace("{source: table,", f"{{source: table, class_texts: {texts},")
        .replace("inner: 2", "inner: 2, unseen_classes: true")
        .replace("text: [word2vec: {size: 4, epochs: 1}]", "text: [{word2vec: {size: 4}}]")
    )
    write_table(tmp_path)
    rows = read_rows(tmp_path)
    for number, row in enumerate(rows):
        row[3] = f"{'abc'[number // 12]}{number % 2}"
    cells = list(bundled(tmp_path, grid, rows))
    assert len(cells) == 2
    for cell, before, after in cells:
        assert np.array_equal(before, after), cell.name


def test_a_bundle_says_what_it_is_without_being_loaded(made):
    about = read_manifest(made.model)["about"]
    assert about["cell"] == "handcrafted + tfidf / concat / logistic"
    assert about["rows"] == 36
    assert about["columns"] == {
        "image": "picture", "label": "kind", "id": "sku", "quoting": "double", "text": ["words"]
    }
    assert "modalgrid" in about["versions"]
    card = (made.model / "README.md").read_text()
    assert "## Intended use and limits" in card
    assert "| dog | 12 |" in card
    assert (made.model / "grid.lock.yaml").read_text() == (
        made.run / "grid.lock.yaml"
    ).read_text()


def test_its_classifier_is_exported_where_that_is_asked_for(made, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = tmp_path / "m"
    assert main([str(made.run), "--cell", OF_BOTH, "-o", str(model), "--onnx"]) == 0
    facts = read_manifest(model)["about"]["onnx"]
    assert [part["name"] for part in facts["inputs"]] == ["image", "has_image", "text", "has_text"]
    assert facts["samples_compared"] == 36
    assert 0 <= facts["largest_difference"] < 1e-4
    card = (model / "README.md").read_text()
    assert f"differ by at most {facts['largest_difference']:.1g} from the bundle's own" in card
    assert f"| `text` | float32 | n x {facts['inputs'][2]['shape'][1]} | features" in card
    bundle = Bundle.load(model)
    items = {"image": [(made.folder / "0.png").read_bytes(), None], "text": ["purr", "bark"]}
    views = bundle.cell.models[0].views(items)
    given = {
        "image": views.image.array(), "has_image": views.image.present,
        "text": views.text.array().toarray(), "has_text": views.text.present,
    }
    session = onnxruntime.InferenceSession(model / "classifier.onnx")
    np.testing.assert_allclose(
        session.run(["probabilities"], given)[0], bundle.predict_items(items), atol=1e-4
    )
    with pytest.raises(BundleError, match="it lacks an export of the picture encoder hand"):
        Bundle.load(model, "onnx")
    (model / "classifier.onnx").write_bytes(b"another")
    with pytest.raises(BundleError, match=r"classifier\.onnx was changed"):
        Bundle.load(model)


def test_what_cannot_be_exported_is_said_before_anything_is_fitted(made, tmp_path, capsys):
    assert main([str(made.run), "--cell", "majority", "-o", str(tmp_path / "m"), "--onnx"]) == 2
    assert "majority cannot be exported: the fusion majority (it looks" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_it_needs_neither_rows_nor_grid(made, tmp_path):
    shutil.copytree(made.model, tmp_path / "alone")
    bundle = Bundle.load(tmp_path / "alone")
    picture = (made.folder / "0.png").read_bytes()
    probabilities = bundle.predict_items({"image": [picture], "text": ["whiskers purr meow"]})
    assert bundle.classes[int(probabilities.argmax())] == "cat"


def altered(model, tmp_path, alter):
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    alter(copy)
    return copy


def rewritten(change):
    """The manifest with something else in it, and a sound seal: as a stranger would make it."""

    def alter(folder):
        manifest = json.loads((folder / MANIFEST).read_text())
        del manifest["sha256"]
        change(manifest)
        (folder / MANIFEST).write_text(
            sealed(json.dumps(manifest, sort_keys=True, separators=(",", ":")))
        )

    return alter


def other_class(manifest):
    manifest["tree"]["object"][0] = "subprocess:Popen"


def other_weights(manifest):
    manifest["encoders"][0]["image"]["version"] += 1


def other_path(manifest):
    manifest["tree"]["object"][1]["temperature"] = {"array": "nowhere"}


BROKEN = {
    "it has no bundle.json": lambda folder: (folder / MANIFEST).unlink(),
    "bundle.json was changed": lambda folder: (folder / MANIFEST).write_text(
        (folder / MANIFEST).read_text().replace('"rows":36', '"rows":37')
    ),
    "arrays.safetensors was changed": lambda folder: (folder / "arrays.safetensors").write_bytes(
        (folder / "arrays.safetensors").read_bytes()[:-1] + b"?"
    ),
    "grid.lock.yaml is missing": lambda folder: (folder / "grid.lock.yaml").unlink(),
    "is no bundle's": rewritten(lambda manifest: manifest.update(kind="something else")),
    "it has format 99": rewritten(lambda manifest: manifest.update(format=99)),
    "subprocess:Popen, which no bundle of ours has": rewritten(other_class),
    "its array nowhere is missing": rewritten(other_path),
    "what it says of modules is damaged": rewritten(
        lambda manifest: manifest.update(requires=["torch", "os.path"])
    ),
    "the image encoder's version differ": rewritten(other_weights),
    "is no bundle that can be used: maximum recursion": lambda folder: (
        folder / MANIFEST
    ).write_text(sealed('{"kind":' + "[" * 100_000 + "}")),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_what_was_touched_is_incomplete_or_foreign_is_refused(made, tmp_path, reason):
    folder = altered(made.model, tmp_path, BROKEN[reason])
    with pytest.raises(BundleError, match=reason):
        Bundle.load(folder)


def test_weights_of_terms_may_be_called_as_earlier_versions_did(made, tmp_path):
    folder = tmp_path / "m"
    shutil.copytree(made.model, folder)
    text = (folder / MANIFEST).read_text()
    assert text.count(OURS) == 1
    manifest = json.loads(text.replace(OURS, THEIRS))
    del manifest["sha256"]
    (folder / MANIFEST).write_text(sealed(json.dumps(manifest)))
    items = {"image": [None, None], "text": ["bark purr", ""]}
    np.testing.assert_array_equal(
        Bundle.load(folder).predict_items(items), made.bundle.predict_items(items)
    )


def test_what_a_bundle_needs_and_is_not_installed_is_named(tmp_path, monkeypatch):
    """Before torch is asked for anything: nothing but the manifest says that it is needed."""
    made = next(bundled(tmp_path, grid_of(QUICK["attention"], "logistic")))
    folder = tmp_path / "moved 0"
    assert made[0].fusion.name == "attention"
    assert read_manifest(folder)["requires"] == ["torch"]
    uninstall(monkeypatch, "torch")
    with pytest.raises(BundleError) as refused:
        Bundle.load(folder)
    assert str(refused.value) == (
        f'{folder} needs torch, which is not installed: pip install "modalgrid[networks]"'
    )


def test_a_bundle_of_an_earlier_version_says_nothing_of_modules(made, tmp_path):
    assert read_manifest(made.model)["requires"] == []
    folder = altered(made.model, tmp_path, rewritten(lambda manifest: manifest.pop("requires")))
    assert Bundle.load(folder).classes == Bundle.load(made.model).classes


def test_other_packages_are_warned_of(made, tmp_path):
    def other(manifest):
        manifest["encoders"][0]["image"]["identity"]["libraries"]["pillow"] = "1.0"

    folder = altered(made.model, tmp_path, rewritten(other))
    with pytest.warns(UserWarning, match="used with other packages"):
        Bundle.load(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Bundle.load(made.model)


def test_a_cell_without_pretrained_encoders_stands_alone_as_it_is(made, tmp_path):
    assert main([str(made.run), "-o", str(tmp_path / "m"), "--standalone"]) == 0
    Bundle.load(tmp_path / "m")
    assert not (tmp_path / "m" / "weights").exists()


@pytest.mark.parametrize("refuses", [False, True])
def test_a_bundle_comes_to_its_folder_at_once_or_its_manifest_last(
    made, tmp_path, monkeypatch, refuses
):
    moved, replace = [], Path.replace

    def watched(self, target):
        moved.append(Path(target).relative_to(tmp_path).as_posix())
        if refuses and self.is_dir() and self.parent == tmp_path:
            raise OSError(16, "Device or resource busy")
        return replace(self, target)

    (tmp_path / "m").mkdir()
    monkeypatch.setattr(Path, "replace", watched)
    made.bundle.save(tmp_path / "m", {"README.md": b"a card"})
    assert (moved[0], moved[-1]) == (("m", "m/bundle.json") if refuses else ("m", "m"))
    monkeypatch.undo()
    assert Bundle.load(tmp_path / "m").classes == made.bundle.classes
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_no_bundle_goes_over_another(made, capsys):
    assert main([str(made.run), "-o", str(made.model)]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_an_unknown_cell_is_named_with_the_nearest(made, tmp_path, capsys):
    assert main([str(made.run), "--cell", "tfidf / text_only", "-o", str(tmp_path / "m")]) == 2
    assert "'tfidf / text_only / logistic'" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_what_is_no_run_is_said(tmp_path, capsys):
    assert main([str(tmp_path), "-o", str(tmp_path / "m")]) == 2
    assert "is not the folder of a finished run" in capsys.readouterr().err


def test_rows_that_changed_since_are_refused(made, tmp_path, capsys):
    folder = tmp_path / "copy"
    shutil.copytree(made.folder, folder, ignore=shutil.ignore_patterns("store", "model"))
    rows = read_rows(folder)
    rows[0][2] = "another text"
    write_rows(folder, rows)
    assert main([str(folder / "run"), "-o", str(tmp_path / "m")]) == 2
    assert "has changed since it was compared" in capsys.readouterr().err
