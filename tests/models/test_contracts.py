"""The contracts of fusions and classifiers, over the registries: a new one is tested untold."""

from __future__ import annotations

import importlib
import inspect
import json
import pickle
import pkgutil
import subprocess
import sys
import typing
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import models
from features.block import Block
from models import CLASSIFIERS, FUSIONS
from models.classifier import ArrayFit, Classifier, SolvesJointly
from models.classifiers.logistic import Logistic
from models.combining import CombinesPredictions, MemberPredictions
from models.course import TrainsNetwork
from models.fusion import ClassTexts, Fit, Fusion, TakesClassifier
from models.groups import UsesGroups
from models.kept import RECENT
from models.matching import ComparesAsEncoded
from models.neural.attending import Attending, AttendsToPairs, WeighsModalities
from models.unlabelled import LearnsFromUnlabelled
from models.unseen_classes import RecognisesUnseenClasses
from models.views import BlocksFit, ScaledBlock, Views
from tests.support.model_views import CLASSES, labels, pooled, views, without

FAST = {"trees": 20, "epochs": 40, "hidden": 16, "iterations": 20}


def built(cls: type, **parameters):
    """An estimator with few trees and epochs; logistic regression is its classifier, if any."""
    known = inspect.signature(cls).parameters
    chosen = {name: value for name, value in FAST.items() if name in known}
    if issubclass(cls, TakesClassifier):
        chosen["classifier"] = Logistic()
    return cls(**(chosen | parameters))


def parameter_types(cls: type) -> dict[str, Any]:
    """Types of a constructor's parameters; fields are read in the module that declares them."""
    defining: Any = next(base for base in cls.__mro__ if "__init__" in vars(base))
    is_dataclass = "__dataclass_fields__" in vars(defining)
    return typing.get_type_hints(
        defining if is_dataclass else defining.__init__, include_extras=True
    )


def suited(cls: type[Fusion]) -> tuple[Views, np.ndarray]:
    if shared(cls):
        return views("shared")
    return views(next(iter({"sequence", "inputs"} & set(cls.needs.values())), "pooled"))


def shared(cls: type[Fusion]) -> bool:
    """Whether it needs both modalities in one space."""
    return issubclass(cls, ComparesAsEncoded) and built(cls).needs_shared_space


def subclasses(base: type) -> set[type]:
    for module in pkgutil.walk_packages(models.__path__, "models."):
        importlib.import_module(module.name)
    classes = set()
    for cls in base.__subclasses__():
        classes |= {cls} | subclasses(cls)
    return classes


every_fusion = pytest.mark.parametrize("cls", FUSIONS.values(), ids=FUSIONS)
every_classifier = pytest.mark.parametrize("cls", CLASSIFIERS.values(), ids=CLASSIFIERS)
every_estimator = pytest.mark.parametrize(
    "cls", [*FUSIONS.values(), *CLASSIFIERS.values()], ids=[*FUSIONS, *CLASSIFIERS])


@pytest.mark.parametrize(("base", "registry"), [(Fusion, FUSIONS), (Classifier, CLASSIFIERS)])
def test_no_estimator_is_missing_from_its_registry(base, registry):
    complete = {cls for cls in subclasses(base) if isinstance(getattr(cls, "version", None), int)
                # other tests make estimators of their own
                and cls.__module__.startswith("models.")}
    assert complete == set(registry.values())


@every_estimator
def test_constructor_stores_typed_parameters_that_scikit_learn_can_clone(cls):
    parameters = dict(list(inspect.signature(cls).parameters.items()))
    hints = parameter_types(cls)
    for name, parameter in parameters.items():
        if name == "classifier":
            continue
        assert parameter.default is not parameter.empty, name
        assert TypeAdapter(hints[name]).validate_python(parameter.default) == parameter.default
    estimator = built(cls)
    copy = clone(estimator)
    assert set(copy.get_params(deep=False)) == set(parameters)
    assert not [name for name in vars(copy) if name.endswith("_")]
    assert repr(copy) == repr(estimator)


@every_estimator
def test_tuned_parameters_exist_and_their_candidates_are_valid(cls):
    hints = parameter_types(cls)
    for name, candidates in cls.tuned.items():
        adapter = TypeAdapter(hints[name])
        assert len(set(candidates)) == len(candidates) > 1
        assert all(adapter.validate_python(value) == value for value in candidates)


@every_fusion
def test_fusion_gives_probabilities_in_the_order_of_its_classes(cls):
    train, y = suited(cls)
    fitted = built(cls).fit(train, y)
    probabilities = fitted.predict_proba(train)
    assert list(fitted.classes_) == sorted(CLASSES)
    assert probabilities.shape == (len(y), 3)
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-9)
    if cls.needs:
        assert np.mean(fitted.predict(train) == y) > 0.9


@every_fusion
def test_fusion_is_deterministic_and_predicts_each_sample_by_itself(cls):
    train, y = suited(cls)
    RECENT.clear()  # the second fit may find what the first one left in memory
    first, second = built(cls).fit(train, y), built(cls)
    np.random.default_rng(3).random()
    np.random.seed(3)  # the global state must make no difference
    probabilities = first.predict_proba(train)
    np.testing.assert_array_equal(probabilities, second.fit(train, y).predict_proba(train))
    some = np.array([7, 3, 41])
    np.testing.assert_allclose(
        first.predict_proba(train.take(some)), probabilities[some], atol=1e-6
    )
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(first)).predict_proba(train), probabilities
    )
    assert first.predict_proba(train.take(np.array([], dtype=np.int64))).shape == (0, 3)


@every_fusion
def test_missing_modalities_are_legal_in_training_and_prediction(cls):
    train, y = suited(cls)
    assert train.image is not None
    assert train.text is not None
    holes = Views(without(train.image, np.r_[0:10, 55:60]), without(train.text, np.r_[8:20, 55:60]))
    fitted = built(cls).fit(holes, y)
    probabilities = fitted.predict_proba(holes)
    assert np.all(np.isfinite(probabilities))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-9)
    seen = np.arange(20, 55)
    if cls.needs:
        assert np.mean(fitted.predict(holes.take(seen)) == y[seen]) > 0.9


@every_fusion
def test_a_fusion_that_says_so_takes_several_blocks_of_a_modality(cls):
    train, y = suited(cls)
    assert train.text is not None
    noise = np.random.default_rng(5).normal(size=(len(y), 3)).astype(np.float32)
    several = Views.of(train.blocks() | {"text_2": Block.of(noise), "image_2": Block.of(noise)})
    if not cls.takes_several and cls.needs:
        with pytest.raises(ValueError, match="takes a single block of each modality"):
            built(cls).fit(several, y)
        return
    fitted = built(cls).fit(several, y)
    probabilities = fitted.predict_proba(several)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-9)
    if not cls.needs:
        return
    assert np.mean(fitted.predict(several) == y) > 0.9
    assert not np.array_equal(probabilities, built(cls).fit(train, y).predict_proba(train))
    again = Views.of({name: several.blocks()[name] for name in ("text", "image_2", "image")}
                     | {"text_2": several.blocks()["text_2"]})
    np.testing.assert_allclose(fitted.predict_proba(again), probabilities, atol=1e-6)
    modality = next(iter(cls.needs))
    with pytest.raises(ValueError, match=rf"have 0 {modality}_2 features instead of 3"):
        fitted.predict_proba(train)


@every_fusion
def test_shares_of_several_encoders_are_tried_together_and_give_what_single_fits_give(cls):
    encoders = dict.fromkeys(cls.needs, 2)
    assert cls.tuned_with(dict.fromkeys(cls.needs, 1)) == {}
    (name, candidates), *_ = [*cls.tuned_with(encoders).items(), ("", ())]
    for parts in candidates:
        assert sum(parts) == pytest.approx(len(cls.needs))
        assert min(parts) > 0
    if not candidates:
        return
    train, y = suited(cls)
    blocks = train.blocks()
    several = Views.of(blocks | {f"{modality}_2": block for modality, block in blocks.items()})
    fits = [Fit(several, y, several)]
    settings = [{name: parts} for parts in candidates]
    (together,) = built(cls).predict_many(fits, settings)
    (alone,) = Fusion.predict_many(built(cls), fits, settings)
    for jointly, by_itself in zip(together, alone, strict=True):
        np.testing.assert_allclose(jointly, by_itself, atol=5e-4)


@every_fusion
def test_a_modality_that_nobody_has_is_legal(cls):
    train, y = suited(cls)
    assert train.text is not None
    fitted = built(cls).fit(Views(train.image, without(train.text, slice(None))), y)
    assert np.all(np.isfinite(fitted.predict_proba(train)))


@every_fusion
def test_a_single_class_is_predicted_with_certainty(cls):
    train, y = suited(cls)
    fitted = built(cls).fit(train, np.full(len(y), "cat"))
    np.testing.assert_array_equal(fitted.predict_proba(train), np.ones((len(y), 1)))
    assert set(fitted.predict(train)) == {"cat"}


@every_fusion
def test_fitting_changes_neither_the_samples_nor_the_labels(cls):
    train, y = suited(cls)
    train = Views(
        without(train.image, slice(0, 4)), without(train.text, slice(2, 6)), np.arange(len(y)) // 2
    )
    views_before, y_before = pickle.loads(pickle.dumps((train, y)))
    built(cls).fit(train, y).predict_proba(train)
    np.testing.assert_array_equal(y, y_before)
    np.testing.assert_array_equal(train.groups, views_before.groups)
    blocks_before = views_before.blocks().values()
    for block, before in zip(train.blocks().values(), blocks_before, strict=True):
        np.testing.assert_array_equal(block.values, before.values)
        np.testing.assert_array_equal(block.index, before.index)


@every_fusion
def test_a_second_fit_forgets_the_first(cls):
    train, y = suited(cls)
    other = Views(
        *(
            Block.of(
                block.values[:30, ..., :4],
                None if block.mask is None else block.mask[:30],
                block.encoder,
            )
            for block in train.blocks().values()
        )
    )
    twice = built(cls).fit(other, np.arange(30) % 2).fit(train, y)
    np.testing.assert_array_equal(
        twice.predict_proba(train), built(cls).fit(train, y).predict_proba(train)
    )
    single = built(cls).fit(train, y).fit(other, np.zeros(30))
    np.testing.assert_array_equal(single.predict_proba(other), np.ones((30, 1)))


@every_fusion
@pytest.mark.parametrize("names", [
    np.array([7, -3, 40]), np.array([0.0, 2.0, 5.0]), np.array([False, True]),
    np.array(["b", "a"], dtype=object)], ids=["integers", "whole floats", "booleans", "objects"])
def test_classes_may_be_of_any_type(cls, names):
    train, y = suited(cls)
    codes = np.searchsorted(CLASSES, y) % len(names)
    fitted = built(cls).fit(train, names[codes])
    assert fitted.classes_.dtype == names.dtype
    assert list(fitted.classes_) == sorted(names)
    if cls.needs:
        assert np.mean(fitted.predict(train) == names[codes]) > 0.8


@every_fusion
def test_one_sample_can_be_learned_from_and_asked_about(cls):
    train, y = suited(cls)
    single = train.take(np.array([4]))
    assert list(built(cls).fit(single, y[[4]]).predict(single)) == [y[4]]
    fitted = built(cls).fit(train, y)
    np.testing.assert_allclose(
        fitted.predict_proba(single), fitted.predict_proba(train)[[4]], atol=1e-6
    )


@every_fusion
def test_what_cannot_be_asked_or_learned_is_an_error_that_says_why(cls):
    train, y = suited(cls)
    with pytest.raises(NotFittedError):
        built(cls).predict_proba(train)
    with pytest.raises(ValueError, match="59 labels for 60 training samples"):
        built(cls).fit(train, y[1:])
    with pytest.raises(ValueError, match="0 labels for 0 training samples"):
        built(cls).fit(train.take(np.array([], dtype=np.int64)), y[:0])
    with pytest.raises(ValueError, match="continuous"):
        built(cls).fit(train, np.linspace(0, 1, len(y)))
    fitted = built(cls).fit(train, y)
    for modality in cls.needs:
        whole = train.blocks()[modality]
        narrow = Block.of(whole.values[..., 1:], whole.mask, whole.encoder)
        with pytest.raises(
            ValueError,
            match=rf"have {narrow.width} {modality} features instead of {narrow.width + 1}",
        ):
            fitted.predict_proba(Views(**(train.blocks() | {modality: narrow})))
        others = {name: block for name, block in train.blocks().items() if name != modality}
        for call in (fitted.predict_proba, lambda views: built(cls).fit(views, y)):
            with pytest.raises(
                ValueError, match=rf"needs {modality} features; the samples have only"
            ):
                call(Views(**others))


@every_fusion
def test_many_settings_at_once_give_what_one_by_one_gives(cls):
    train, y = suited(cls)
    holes = Views(without(train.image, slice(0, 4)), without(train.text, slice(2, 6)))
    half = np.arange(len(y)) % 2 == 0
    more = holes.take(np.arange(0, len(y), 5)) if issubclass(cls, LearnsFromUnlabelled) else None
    fits = [
        Fit(holes.take(half), y[half], holes.take(~half), more),
        Fit(holes.take(~half), y[~half], holes.take(half)),
    ]
    settings = [
        dict(zip(cls.tuned, values, strict=True))
        for values in zip(*cls.tuned.values(), strict=True)
    ] or [{}]
    if issubclass(cls, TakesClassifier):
        strong, weak = (
            [setting | {"classifier__C": C} for setting in settings] for C in (3.0, 0.1)
        )
        settings = strong + weak
    # Logistic regressions are solved together: objectives agree to 2e-7, so probabilities to its
    # square root.
    tolerance = 5e-4 if issubclass(cls, TakesClassifier) else 1e-6
    together = built(cls).predict_many(fits, settings)
    plain = Fusion.predict_many(built(cls), fits, settings)
    assert [len(row) for row in together] == [len(settings)] * 2
    for row, expected in zip(together, plain, strict=True):
        for jointly, alone in zip(row, expected, strict=True):
            np.testing.assert_allclose(jointly, alone, atol=tolerance)


@every_fusion
def test_only_a_fusion_that_says_so_takes_samples_without_a_label(cls):
    train, y = suited(cls)
    learns = issubclass(cls, LearnsFromUnlabelled)
    assert ("unlabelled" in inspect.signature(cls.fit).parameters) == learns
    few = np.arange(0, len(y), 5)
    hidden = built(cls).fit(train.take(few), y[few])
    given = built(cls).learn(Fit(train.take(few), y[few], train, unlabelled=train))
    assert (not learns) == np.array_equal(
        given.predict_proba(train), hidden.predict_proba(train)
    )


@every_fusion
def test_a_fusion_that_combines_names_single_modalities_and_implements_it(cls):
    assert ("combine" in vars(cls)) == issubclass(cls, CombinesPredictions)
    if issubclass(cls, CombinesPredictions):
        assert cls.combines
        for name in cls.combines:
            assert len(FUSIONS[name].needs) == 1


@every_fusion
def test_a_fusion_over_a_classifier_fits_copies_of_it_and_tries_its_settings(cls):
    assert ("classifier" in inspect.signature(cls).parameters) == issubclass(cls, TakesClassifier)
    if not issubclass(cls, TakesClassifier):
        return
    train, y = suited(cls)
    fusion = built(cls)
    fusion.fit(train, y)
    assert not [name for name in vars(fusion.classifier) if name.endswith("_")]
    stronger = fusion.with_setting({"classifier__C": 0.01})
    assert stronger.classifier.C == 0.01
    assert fusion.classifier.C == Logistic().C
    shares = [model.fit(train, y).predict_proba(train) for model in (fusion, stronger)]
    assert not np.array_equal(*shares)


@every_fusion
def test_a_fusion_that_combines_gives_what_its_members_predictions_give(cls):
    if not issubclass(cls, CombinesPredictions):
        return
    train, y = suited(cls)
    frequencies = np.unique(y, return_counts=True)[1] / len(y)
    predicted = [built(FUSIONS[name]).fit(train, y).predict_proba(train) for name in cls.combines]
    members = MemberPredictions(np.stack(predicted), np.ones((len(predicted), len(y)), bool))
    combined = built(cls).fit_combination(frequencies, None).combine(members)
    assert combined.shape == (len(y), 3)
    np.testing.assert_allclose(combined.sum(axis=1), 1, atol=1e-9)
    if not built(cls).learns_combination:
        fitted = built(cls).fit(train, y)
        np.testing.assert_allclose(combined, fitted.predict_proba(train), atol=5e-4)


@every_fusion
def test_only_a_fusion_that_recognises_unseen_classes_is_told_of_them(cls):
    recognises = issubclass(cls, RecognisesUnseenClasses)
    assert ("class_texts" in inspect.signature(cls.fit).parameters) == recognises
    train, y = suited(cls)
    seen = y != CLASSES[-1]
    described = ClassTexts(y, train.text)
    fit = Fit(train.take(seen), y[seen], train, class_texts=described)
    fitted = built(cls).learn(fit)
    assert list(fitted.classes_) == list(built(cls).classes_of(fit))
    assert list(fitted.classes_) == list(CLASSES[-1:] if recognises else CLASSES[:-1])
    assert fitted.predict_proba(train).shape == (len(y), len(fitted.classes_))
    plain = built(cls).learn(fit._replace(class_texts=None))
    assert list(plain.classes_) == list(CLASSES[:-1])


@every_fusion
def test_a_fusion_that_trains_a_network_has_epochs_and_a_course_as_plain_data(cls):
    assert ("epochs" in inspect.signature(cls).parameters) == issubclass(cls, TrainsNetwork)
    if not issubclass(cls, TrainsNetwork):
        return
    train, y = suited(cls)
    course = built(cls).fit(train, y).course()
    assert course is None or json.loads(json.dumps(course)).keys() == course.keys()


@every_fusion
def test_only_a_fusion_that_says_so_depends_on_groups(cls):
    train, y = suited(cls)
    if issubclass(cls, UsesGroups):
        return
    grouped = Views(train.image, train.text, np.arange(len(y)) // 3)
    np.testing.assert_array_equal(
        built(cls).fit(train, y).predict_proba(train),
        built(cls).fit(grouped, y).predict_proba(grouped),
    )


@every_classifier
def test_only_a_classifier_that_says_so_depends_on_groups(cls):
    y = labels(90)
    X, groups = pooled(y, noise=1.5), np.arange(90) // 9
    plain, grouped = (
        built(cls).fit(X, y, groups=given).predict_proba(X) for given in (None, groups)
    )
    assert np.array_equal(plain, grouped) != issubclass(cls, UsesGroups)


@every_classifier
def test_a_classifier_that_solves_jointly_gives_what_rows_give(cls):
    if not issubclass(cls, SolvesJointly):
        return
    y = labels()
    rows, test = np.arange(0, 60, 2), np.arange(1, 60, 2)
    block = Block.of(pooled(y))
    mean, factor = block.values[rows].mean(axis=0), 0.5
    X = (block.values - mean) * np.float32(factor)
    fit = BlocksFit((ScaledBlock(block.take(rows), mean, factor),), y[rows], (block.take(test),))
    alone = built(cls).fit(X[rows], y[rows]).predict_proba(X[test])
    together = built(cls).predict_jointly([fit, fit], [[{}], [{}, {}]])
    assert [len(settings) for settings in together] == [1, 2]
    for probabilities in (together[0][0], *together[1]):
        np.testing.assert_allclose(probabilities, alone, atol=5e-4)
    fitted = built(cls).fit_jointly(fit)
    np.testing.assert_allclose(fitted.predict_proba(X[test]), alone, atol=5e-4)


@every_fusion
def test_attention_weighs_pairs_or_modalities_of_each_sample(cls):
    if not issubclass(cls, Attending):
        return
    assert issubclass(cls, AttendsToPairs) != issubclass(cls, WeighsModalities)
    train, y = suited(cls)
    fitted = built(cls).fit(train, y)
    weights = fitted.attention(train)
    lengths = [block.values.shape[1] for block in train.blocks().values()]
    assert weights.shape[1:] == (tuple(lengths) if issubclass(cls, AttendsToPairs) else (2,))
    np.testing.assert_allclose(weights.reshape(len(y), -1).sum(axis=1), 1, atol=1e-5)
    with pytest.raises(ValueError, match="no attention was learned"):
        built(cls).fit(train, np.full(len(y), "cat")).attention(train)


@every_classifier
def test_classifier_learns_from_dense_and_sparse_rows_alike(cls):
    y = labels(240)
    X = pooled(y)
    X[np.abs(X) < 0.3] = 0
    X /= np.sqrt((X**2).sum(axis=1).mean())
    dense = built(cls).fit(X, y)
    thin = built(cls).fit(sparse.csr_matrix(X), y)
    assert list(dense.classes_) == sorted(CLASSES)
    np.testing.assert_allclose(dense.predict_proba(X).sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(
        dense.predict_proba(X), thin.predict_proba(sparse.csr_matrix(X)), atol=2e-3
    )
    assert np.mean(dense.predict(X) == y) > 0.9


@every_classifier
def test_classifier_is_deterministic_and_solves_many_as_one_by_one(cls):
    y = labels()
    X, other = pooled(y), pooled(y, seed=5)
    alone = built(cls).fit(X, y).predict_proba(other)
    np.testing.assert_array_equal(alone, built(cls).fit(X, y).predict_proba(other))
    name, value = next(iter(cls.tuned.items()), ("random_state", (0, 1)))
    settings = [{name: value[0]}, {name: value[-1]}]
    tolerance = 5e-4 if issubclass(cls, SolvesJointly) else 1e-6
    together = built(cls).predict_many(iter([ArrayFit(X, y, other)]), settings)
    for setting, jointly in zip(settings, together[0], strict=True):
        expected = built(cls, **setting).fit(X, y).predict_proba(other)
        np.testing.assert_allclose(jointly, expected, atol=tolerance)


@every_classifier
@pytest.mark.parametrize("counts", [(20, 1), (20, 1, 1), (1, 1, 1), (3, 2)])
def test_classifier_bears_classes_of_one_row(cls, counts):
    y = np.repeat(CLASSES[: len(counts)], counts)
    fitted = built(cls).fit(pooled(y), y)
    probabilities = fitted.predict_proba(pooled(y))
    assert probabilities.shape == (len(y), len(counts))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


@every_classifier
def test_classifier_with_one_class_is_certain(cls):
    X = pooled(labels(6))
    fitted = built(cls).fit(X, np.full(6, 2))
    np.testing.assert_array_equal(fitted.predict_proba(X), np.ones((6, 1)))


@pytest.mark.parametrize("C", [1e-3, 1e4])
def test_logistic_regression_ends_at_the_minimum_without_a_warning(C):
    """Where the gradient vanishes W_k = C sum_i (y_ik - p_ik) x_i; the residuals add up to 0."""
    y = labels(90)
    X = pooled(y, width=40, noise=1.5)
    X /= np.sqrt((X**2).sum(axis=1).mean())
    fitted = Logistic(C=C).fit(X, y)
    residuals = (y[:, None] == CLASSES) - fitted.predict_proba(X)
    np.testing.assert_allclose(
        fitted.model_.solution.coef, C * residuals.T @ X, atol=1e-4 * C * len(y)
    )
    np.testing.assert_allclose(residuals.mean(axis=0), 0, atol=1e-3)


def test_importing_the_models_loads_no_heavy_package():
    heavy = ["torch", "torchvision", "timm", "gensim", "sentence_transformers", "transformers",
             "sklearn", "scipy.stats", "pandas"]
    code = f"import sys, models; print([name for name in {heavy} if name in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "[]\n"
    )


def test_a_pooled_block_may_have_identical_samples_stored_once():
    y = labels()
    plain = Views(Block.of(pooled(y)), Block.of(pooled(y, 5)))
    shared = Views(Block(pooled(y)[:6], np.arange(len(y)) % 6), Block.of(pooled(y, 5)))
    assert plain.image is not None
    repeated = Views(Block.of(plain.image.values[np.arange(len(y)) % 6]), plain.text)
    concat = FUSIONS["concat"](classifier=Logistic())
    np.testing.assert_allclose(clone(concat).fit(shared, y).predict_proba(shared),
                               clone(concat).fit(repeated, y).predict_proba(repeated), atol=1e-4)
