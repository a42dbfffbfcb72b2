"""Exported classifiers: the bundle's own probabilities, for everything in the registries."""

from __future__ import annotations

import inspect
from dataclasses import replace
from functools import cache
from typing import ClassVar, get_args

import numpy as np
import pytest

from features import IMAGE_ENCODERS
from features.block import modality_of
from models import CLASSIFIERS, FUSIONS
from models.classifiers.logistic import Logistic
from models.combining import InnerPredictions, MemberPredictions
from models.early.concat import Concat
from models.fusion import TakesClassifier
from models.late.late import Late, Rule
from models.matching import ComparesAsEncoded
from models.views import Views
from pipeline.config.cells import Cell
from pipeline.config.components import Component
from pipeline.testing.views import views, without
from pipeline.use.exporting import exported as module
from pipeline.use.exporting import writing
from pipeline.use.exporting.exported import LARGEST, check_exportable, exportable, exported
from pipeline.use.exporting.inputs import arrays, inputs_of
from pipeline.use.fitted import FittedCell, FittedModel
from pipeline.use.problem import BundleError
from tests.support.installs import uninstall

pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

FAST = {"trees": 8, "epochs": 3, "hidden": 8, "iterations": 8, "landmarks": 20}
NAMES = ("apple", "boat", "cat")
NOT_EXPORTED = {
    "majority": "looks at no features",
    "end_to_end": "trains its encoders",
    "kernel_cca": "not written down for ONNX",
}
RULES = get_args(Rule)


def built(cls, **parameters):
    known = inspect.signature(cls).parameters
    fast = {name: value for name, value in FAST.items() if name in known}
    if issubclass(cls, TakesClassifier):
        fast["classifier"] = Logistic()
    return cls(**(fast | parameters))


def incomplete(form):
    """Views some of whose samples lack the picture, the text or both, and their classes."""
    whole, y = views(form)
    holes = Views(
        without(whole.image, np.r_[0:5, 55:60]), without(whole.text, np.r_[3:10, 55:60])
    )
    return holes, np.unique(y, return_inverse=True)[1]


def asked(content, cell_views):
    """What the exported cell answers."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    inputs = inputs_of(cell_views)
    assert [part.name for part in session.get_inputs()] == [part.name for part in inputs]
    assert [part.shape for part in session.get_inputs()] == [list(part.shape) for part in inputs]
    return session.run(["probabilities"], dict(arrays(inputs, cell_views)))[0]


def form_of(cls):
    if issubclass(cls, ComparesAsEncoded) and built(cls).needs_shared_space:
        return "shared"
    return "sequence" if "sequence" in cls.needs.values() else "sparse"


def with_fit(fusion, form, temperature=1.3):
    known, y = incomplete(form)
    model = FittedModel({}, fusion.fit(known, y))
    return FittedCell((model,), None, temperature, NAMES), [known]


@cache
def of_fusion(name):
    """A fitted cell of a fusion, its views, and the export of it."""
    cls = FUSIONS[name]
    cell, known = with_fit(built(cls), form_of(cls))
    return cell, known, exported(cell, known)


@pytest.mark.parametrize("name", sorted(FUSIONS.keys() - {"late"}))
def test_every_fusion_is_exported_or_refused(name):
    if name in NOT_EXPORTED:
        with pytest.raises(BundleError, match=NOT_EXPORTED[name]):
            check_exportable(Cell(Component(name)))
        return
    cell, known, export = of_fusion(name)
    fewer = [known[0].take(np.r_[0, 4, 8, 20:31])]
    np.testing.assert_allclose(asked(export.content, fewer), cell.of_views(fewer), atol=LARGEST)
    assert export.facts["largest_difference"] < LARGEST
    assert export.facts["samples_compared"] == 60


SEVERAL = sorted(
    name
    for name, cls in FUSIONS.items()
    if cls.takes_several and cls.needs and name not in {"late", *NOT_EXPORTED}
)


def of_several(name):
    """A cell of a fusion that learned from two blocks of each modality, and these."""
    cls = FUSIONS[name]
    known, y = incomplete(form_of(cls))
    further = {
        f"{modality}_2": replace(block, index=known.blocks()[modality].index)
        for modality, block in views("pooled", seed=3)[0].blocks().items()
    }
    several = Views.of(
        {
            name: block for name, block in (known.blocks() | further).items()
            if modality_of(name) in cls.needs
        }
    )
    return FittedCell((FittedModel({}, built(cls).fit(several, y)),), None, 1.3, NAMES), several


@pytest.mark.parametrize("name", SEVERAL)
def test_a_fusion_of_several_encoders_is_the_same_as_a_network(name):
    cell, several = of_several(name)
    np.testing.assert_allclose(of_torch(cell, [several]), cell.of_views([several]), atol=1e-5)


@pytest.mark.parametrize("name", ["attention", "concat"])  # of sequences, and of rows
def test_a_fusion_of_several_encoders_is_exported_with_numbered_inputs(name):
    cell, several = of_several(name)
    export = exported(cell, [several])
    assert [part["name"] for part in export.facts["inputs"] if part["type"] == "float32"] == list(
        several.blocks()
    )
    fewer = [several.take(np.r_[0, 4, 8, 20:31])]
    np.testing.assert_allclose(asked(export.content, fewer), cell.of_views(fewer), atol=LARGEST)


@pytest.mark.parametrize("name", sorted(CLASSIFIERS))
def test_every_classifier_is_exported(name):
    cell, known = with_fit(Concat(built(CLASSIFIERS[name]), components=4), "sparse")
    assert exported(cell, known).facts["largest_difference"] < LARGEST


def of_torch(cell, cell_views):
    """What the network answers that is written down."""
    import torch

    from pipeline.use.exporting.network import CellNetwork

    inputs = inputs_of(cell_views)
    tensors = [torch.from_numpy(array) for array in arrays(inputs, cell_views).values()]
    with torch.no_grad():
        return CellNetwork(cell, inputs).eval()(*tensors).numpy()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", sorted(CLASSIFIERS))
def test_two_classes_and_missing_samples_are_as_in_the_bundle(name, classes):
    known, y = incomplete("pooled")
    rows = np.flatnonzero(y < classes)
    known, y = known.take(rows), y[rows]
    fusion = Concat(built(CLASSIFIERS[name])).fit(known, y)
    cell = FittedCell((FittedModel({}, fusion),), None, None, NAMES)
    np.testing.assert_allclose(of_torch(cell, [known]), cell.of_views([known]), atol=1e-6)


VARIANTS = {
    "cca": [{"join": "mean"}, {"direction": "image_to_text"}, {"direction": "text_to_image"}],
    "zero_shot": [
        {"recognised_by": "image"}, {"space": "cca"}, {"space": "shared"}, {"temperature": 0.01}
    ],
    "attention": [{"similarity": "cosine"}, {"pooled": False}],
    "image_only": [{"classifier": CLASSIFIERS["ridge"]()}],
}


@pytest.mark.parametrize("name", VARIANTS)
def test_parameters_of_fusions_make_no_difference_to_the_network(name):
    cls = FUSIONS[name]
    for variant in VARIANTS[name]:
        forms = {"shared"} if variant.get("space") == "shared" else {form_of(cls), "pooled"}
        for form in forms:
            cell, known = with_fit(built(cls, **variant), form)
            np.testing.assert_allclose(
                of_torch(cell, known), cell.of_views(known), atol=1e-5, err_msg=str(variant)
            )


def combined(rule, seed=0):
    """A late rule over three models, two of them of pictures, and their views."""
    known, y = incomplete("pooled")
    parts = [Views(image=known.image), Views(text=known.text), Views(image=known.image)]
    kinds = ("image_only", "text_only", "image_only")
    models = tuple(
        FittedModel({}, built(FUSIONS[kind]).fit(part, y))
        for kind, part in zip(kinds, parts, strict=True)
    )
    of_models = [
        model.of_views(part, 3) for model, part in zip(models, parts, strict=True)
    ]
    members = MemberPredictions(
        np.concatenate([predicted.probabilities for predicted in of_models]) ** 0.3,
        np.concatenate([predicted.present for predicted in of_models]),
    )
    inner = InnerPredictions(members, y, np.arange(len(y)) % 3)
    late = Late(Logistic(), rule=rule).fit_combination(np.bincount(y) / len(y), inner)
    return FittedCell(models, late, 0.8, NAMES), parts


@pytest.mark.parametrize("rule", RULES)
def test_every_late_rule_combines_as_the_bundle_does(rule):
    cell, parts = combined(rule)
    np.testing.assert_allclose(of_torch(cell, parts), cell.of_views(parts), atol=1e-6)


def test_a_late_rule_is_exported_with_numbered_inputs():
    cell, parts = combined("stacking")
    export = exported(cell, parts)
    names = [part["name"] for part in export.facts["inputs"]]
    assert names == ["image", "has_image", "text", "has_text", "image_2"]
    np.testing.assert_allclose(asked(export.content, parts), cell.of_views(parts), atol=LARGEST)


def test_what_stands_for_a_missing_sample_is_not_looked_at():
    cell, known, export = of_fusion("attention")
    inputs = inputs_of(known)
    given = dict(arrays(inputs, known))
    lacking = ~given["has_image"]
    given["image"][lacking] = 7.0
    given["image_mask"][lacking] = True
    session = onnxruntime.InferenceSession(export.content)
    probabilities = session.run(None, given)[0]
    np.testing.assert_allclose(probabilities, cell.of_views(known), atol=LARGEST)


def test_other_probabilities_are_refused(monkeypatch):
    cell, known, export = of_fusion("concat")
    cell = replace(cell, temperature=3.0)
    monkeypatch.setattr(module, "_written", lambda *_: export.content)
    with pytest.raises(BundleError, match=r"differ by .* from the bundle's own"):
        exported(cell, known)


def test_what_is_not_written_down_is_refused_with_the_names_of_all_that_is(monkeypatch):
    class Unknown(FUSIONS["concat"]):
        version: ClassVar[int] = 1

    monkeypatch.setitem(FUSIONS, "unknown", Unknown)
    cell = Cell(Component("unknown"), Component("cnn"), Component("bow"), Component("logistic"))
    with pytest.raises(BundleError) as raised:
        check_exportable(cell)
    fusions, classifiers = exportable()
    assert str(raised.value) == (
        "--onnx: cnn + bow / unknown / logistic cannot be exported: the fusion unknown (it is not "
        f"written down for ONNX). What can be: the fusions {', '.join(fusions)}, with the "
        f"classifiers {', '.join(classifiers)}"
    )
    assert set(fusions) == FUSIONS.keys() - NOT_EXPORTED.keys() - {"unknown"}
    assert set(classifiers) == CLASSIFIERS.keys()


def test_averaged_copies_are_refused():
    from features.pictures.augmentation import Augment

    averaging = Component("cnn", {"augment": Augment(copies=1, test_copies=True)})
    assert "cnn" in IMAGE_ENCODERS
    with pytest.raises(BundleError, match="averaged over changed copies"):
        check_exportable(Cell(Component("image_only"), averaging, None, Component("logistic")))


def test_more_numbers_than_a_file_holds_are_refused(monkeypatch):
    monkeypatch.setattr(writing, "MOST_BYTES", 100)
    cell, known = with_fit(Concat(built(CLASSIFIERS["knn"])), "pooled")
    with pytest.raises(BundleError, match="a file of ONNX holds at most"):
        exported(cell, known)


def test_a_package_that_is_missing_is_named(monkeypatch):
    uninstall(monkeypatch, "onnx")
    with pytest.raises(BundleError, match=r'--onnx needs onnx, which is .*"modalgrid\[onnx\]"$'):
        check_exportable(Cell(Component("text_only")))
