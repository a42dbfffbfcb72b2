"""What every fusion must do: the contract of models/fusion.py, a function for each of its rules."""

from __future__ import annotations

import inspect
import itertools
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError

from features.block import Block
from models import FUSIONS
from models.classifiers.logistic import Logistic
from models.combining import CombinesPredictions, MemberPredictions
from models.course import TrainsNetwork
from models.cross_fitted import CrossFitted
from models.fusion import ClassTexts, Fit, Fusion, TakesClassifier
from models.groups import UsesGroups
from models.kept import RECENT
from models.matching import ComparesAsEncoded
from models.neural.attending import Attending, AttendsToPairs, WeighsModalities
from models.unlabelled import LearnsFromUnlabelled
from models.unseen_classes import RecognisesUnseenClasses
from models.views import Views, stacked
from pipeline.testing.estimators import built
from pipeline.testing.views import CLASSES, sequence, views, without

NAMES: tuple[NDArray[Any], ...] = (
    np.array([7, -3, 40]),
    np.array([0.0, 2.0, 5.0]),
    np.array([False, True]),
    np.array(["b", "a"], dtype=object),
)


def suited(cls: type[Fusion]) -> tuple[Views, NDArray[Any]]:
    """Samples in the form that a fusion asks for, and their classes."""
    if shared(cls):
        return views("shared")
    return views(next(iter({"sequence", "inputs"} & set(cls.needs.values())), "pooled"))


def holed(
    samples: Views,
    image: slice | NDArray[Any],
    text: slice | NDArray[Any],
    groups: NDArray[Any] | None = None,
) -> Views:
    """The samples, some without their picture, some without their text."""
    assert samples.image is not None
    assert samples.text is not None
    return Views(without(samples.image, image), without(samples.text, text), groups)


def shared(cls: type[Fusion]) -> bool:
    """Whether it needs both modalities in one space."""
    return issubclass(cls, ComparesAsEncoded) and built(cls).needs_shared_space


def fusion_gives_probabilities_in_the_order_of_its_classes(cls: type[Fusion]) -> None:
    """Fusion gives probabilities in the order of its classes."""
    train, y = suited(cls)
    fitted = built(cls).fit(train, y)
    probabilities = fitted.predict_proba(train)
    assert list(fitted.classes_) == sorted(CLASSES)
    assert probabilities.shape == (len(y), 3)
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-9)
    if cls.needs:
        assert np.mean(fitted.predict(train) == y) > 0.9


def fusion_is_deterministic_and_predicts_each_sample_by_itself(cls: type[Fusion]) -> None:
    """Fusion is deterministic and predicts each sample by itself."""
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


def missing_modalities_are_legal_in_training_and_prediction(cls: type[Fusion]) -> None:
    """Missing modalities are legal in training and prediction."""
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


def a_fusion_that_says_so_takes_several_blocks_of_a_modality(cls: type[Fusion]) -> None:
    """A fusion that says so takes several blocks of a modality."""
    train, y = suited(cls)
    assert train.text is not None
    noise = np.random.default_rng(5).normal(size=(len(y), 3)).astype(np.float32)
    several = Views.of(train.blocks() | {"text_2": Block.of(noise), "image_2": Block.of(noise)})
    if not cls.takes_several and cls.needs:
        with np.testing.assert_raises_regex(ValueError, "takes a single block of each modality"):
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
    with np.testing.assert_raises_regex(ValueError, rf"have 0 {modality}_2 features instead of 3"):
        fitted.predict_proba(train)


def shares_of_several_encoders_tried_together_give_what_each_gives(cls: type[Fusion]) -> None:
    """Shares of several encoders, tried together, give what each gives."""
    encoders = dict.fromkeys(cls.needs, 2)
    assert cls.tuned_with(dict.fromkeys(cls.needs, 1)) == {}
    start = {name: values[0] for name, values in cls.tuned_with(encoders).items()}
    settings = [start, *cls.steps_from(start, encoders)] if start else []
    for parts in itertools.chain(*(setting.values() for setting in settings)):
        assert abs(sum(parts) - len(cls.needs)) < 1e-6
        assert min(parts) > 0
    if not settings:
        return
    train, y = suited(cls)
    blocks = train.blocks()
    several = Views.of(blocks | {f"{modality}_2": block for modality, block in blocks.items()})
    fits = [Fit(several, y, several)]
    (together,) = built(cls).predict_many(fits, settings)
    (alone,) = Fusion.predict_many(built(cls), fits, settings)
    for jointly, by_itself in zip(together, alone, strict=True):
        np.testing.assert_allclose(jointly, by_itself, atol=5e-4)


def a_modality_that_nobody_has_is_legal(cls: type[Fusion]) -> None:
    """A modality that nobody has is legal."""
    train, y = suited(cls)
    assert train.text is not None
    fitted = built(cls).fit(Views(train.image, without(train.text, slice(None))), y)
    assert np.all(np.isfinite(fitted.predict_proba(train)))


def a_single_class_is_predicted_with_certainty(cls: type[Fusion]) -> None:
    """A single class is predicted with certainty."""
    train, y = suited(cls)
    fitted = built(cls).fit(train, np.full(len(y), "cat"))
    np.testing.assert_array_equal(fitted.predict_proba(train), np.ones((len(y), 1)))
    assert set(fitted.predict(train)) == {"cat"}


def fitting_changes_neither_the_samples_nor_the_labels(cls: type[Fusion]) -> None:
    """Fitting changes neither the samples nor the labels."""
    train, y = suited(cls)
    train = holed(train, slice(0, 4), slice(2, 6), np.arange(len(y)) // 2)
    views_before, y_before = pickle.loads(pickle.dumps((train, y)))
    built(cls).fit(train, y).predict_proba(train)
    np.testing.assert_array_equal(y, y_before)
    np.testing.assert_array_equal(train.groups, views_before.groups)
    blocks_before = views_before.blocks().values()
    for block, before in zip(train.blocks().values(), blocks_before, strict=True):
        np.testing.assert_array_equal(block.values, before.values)
        np.testing.assert_array_equal(block.index, before.index)


def a_second_fit_forgets_the_first(cls: type[Fusion]) -> None:
    """A second fit forgets the first."""
    train, y = suited(cls)
    other = Views.of({
        name: Block.of(
            block.values[:30, ..., :4],
            None if block.mask is None else block.mask[:30],
            block.encoder,
        )
        for name, block in train.blocks().items()
    })
    twice = built(cls).fit(other, np.arange(30) % 2).fit(train, y)
    np.testing.assert_array_equal(
        twice.predict_proba(train), built(cls).fit(train, y).predict_proba(train)
    )
    single = built(cls).fit(train, y).fit(other, np.zeros(30))
    np.testing.assert_array_equal(single.predict_proba(other), np.ones((30, 1)))


def classes_may_be_of_any_type(cls: type[Fusion]) -> None:
    """Classes may be of any type."""
    for names in NAMES:
        train, y = suited(cls)
        codes = np.searchsorted(CLASSES, y) % len(names)
        fitted = built(cls).fit(train, names[codes])
        assert fitted.classes_.dtype == names.dtype
        assert list(fitted.classes_) == sorted(names)
        if cls.needs:
            assert np.mean(fitted.predict(train) == names[codes]) > 0.8


def one_sample_can_be_learned_from_and_asked_about(cls: type[Fusion]) -> None:
    """One sample can be learned from and asked about."""
    train, y = suited(cls)
    single = train.take(np.array([4]))
    assert list(built(cls).fit(single, y[[4]]).predict(single)) == [y[4]]
    fitted = built(cls).fit(train, y)
    np.testing.assert_allclose(
        fitted.predict_proba(single), fitted.predict_proba(train)[[4]], atol=1e-6
    )


def what_cannot_be_asked_or_learned_is_an_error_that_says_why(cls: type[Fusion]) -> None:
    """What cannot be asked or learned is an error that says why."""
    train, y = suited(cls)
    with np.testing.assert_raises(NotFittedError):
        built(cls).predict_proba(train)
    with np.testing.assert_raises_regex(ValueError, "59 labels for 60 training samples"):
        built(cls).fit(train, y[1:])
    with np.testing.assert_raises_regex(ValueError, "0 labels for 0 training samples"):
        built(cls).fit(train.take(np.array([], dtype=np.int64)), y[:0])
    with np.testing.assert_raises_regex(ValueError, "continuous"):
        built(cls).fit(train, np.linspace(0, 1, len(y)))
    fitted = built(cls).fit(train, y)
    for modality in cls.needs:
        whole = train.blocks()[modality]
        narrow = Block.of(whole.values[..., 1:], whole.mask, whole.encoder)
        said = rf"have {narrow.width} {modality} features instead of {narrow.width + 1}"
        with np.testing.assert_raises_regex(ValueError, said):
            fitted.predict_proba(Views.of(train.blocks() | {modality: narrow}))
        others = {name: block for name, block in train.blocks().items() if name != modality}
        for call in (fitted.predict_proba, lambda views: built(cls).fit(views, y)):
            with np.testing.assert_raises_regex(
                ValueError, rf"needs {modality} features; the samples have only"
            ):
                call(Views.of(others))


def many_settings_at_once_give_what_one_by_one_gives(cls: type[Fusion]) -> None:
    """Many settings at once give what one by one gives."""
    train, y = suited(cls)
    holes = holed(train, slice(0, 4), slice(2, 6))
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


def only_a_fusion_that_says_so_takes_samples_without_a_label(cls: type[Fusion]) -> None:
    """Only a fusion that says so takes samples without a label."""
    train, y = suited(cls)
    learns = issubclass(cls, LearnsFromUnlabelled)
    assert ("unlabelled" in inspect.signature(cls.fit).parameters) == learns
    few = np.arange(0, len(y), 5)
    hidden = built(cls).fit(train.take(few), y[few])
    given = built(cls).learn(Fit(train.take(few), y[few], train, unlabelled=train))
    assert (not learns) == np.array_equal(
        given.predict_proba(train), hidden.predict_proba(train)
    )


def a_fusion_that_combines_names_single_modalities_and_implements_it(cls: type[Fusion]) -> None:
    """A fusion that combines names single modalities and implements it."""
    assert ("combine" in vars(cls)) == issubclass(cls, CombinesPredictions)
    if issubclass(cls, CombinesPredictions):
        assert cls.combines
        for name in cls.combines:
            assert len(FUSIONS[name].needs) == 1


def a_fusion_over_a_classifier_fits_copies_of_it_and_tries_its_settings(cls: type[Fusion]) -> None:
    """A fusion over a classifier fits copies of it and tries its settings."""
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


def a_fusion_that_combines_gives_what_its_members_predictions_give(cls: type[Fusion]) -> None:
    """A fusion that combines gives what its members predictions give."""
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


def only_a_fusion_that_recognises_unseen_classes_is_told_of_them(cls: type[Fusion]) -> None:
    """Only a fusion that recognises unseen classes is told of them."""
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


def a_fusion_that_trains_a_network_has_epochs_and_a_course_as_plain_data(cls: type[Fusion]) -> None:
    """A fusion that trains a network has epochs and a course as plain data."""
    assert ("epochs" in inspect.signature(cls).parameters) == issubclass(cls, TrainsNetwork)
    if not issubclass(cls, TrainsNetwork):
        return
    train, y = suited(cls)
    course = built(cls).fit(train, y).course()
    assert course is None or json.loads(json.dumps(course)).keys() == course.keys()


def only_a_fusion_that_says_so_depends_on_groups(cls: type[Fusion]) -> None:
    """Only a fusion that says so depends on groups."""
    train, y = suited(cls)
    if issubclass(cls, UsesGroups):
        return
    grouped = Views(train.image, train.text, np.arange(len(y)) // 3)
    np.testing.assert_array_equal(
        built(cls).fit(train, y).predict_proba(train),
        built(cls).fit(grouped, y).predict_proba(grouped),
    )


def attention_weighs_pairs_or_modalities_of_each_sample(cls: type[Fusion]) -> None:
    """Attention weighs pairs or modalities of each sample."""
    if not issubclass(cls, Attending):
        return
    assert issubclass(cls, AttendsToPairs) != issubclass(cls, WeighsModalities)
    train, y = suited(cls)
    fitted = built(cls).fit(train, y)
    weights = fitted.attention(train)
    lengths = [block.values.shape[1] for block in train.blocks().values()]
    assert weights.shape[1:] == (tuple(lengths) if issubclass(cls, AttendsToPairs) else (2,))
    np.testing.assert_allclose(weights.reshape(len(y), -1).sum(axis=1), 1, atol=1e-5)
    with np.testing.assert_raises_regex(ValueError, "no attention was learned"):
        built(cls).fit(train, np.full(len(y), "cat")).attention(train)


def what_is_out_of_fold_was_predicted_by_models_that_had_not_seen_it(cls: type[Fusion]) -> None:
    """What is out of fold was predicted by models that had not seen it."""
    if not issubclass(cls, CrossFitted):
        return
    train, y = suited(cls)
    fitted = built(cls).fit(train, y)
    assert fitted.out_of_fold_.shape == (len(y), len(fitted.classes_))
    np.testing.assert_allclose(fitted.out_of_fold_.sum(axis=1), 1, atol=1e-6)
    assert np.mean(fitted.classes_[fitted.out_of_fold_.argmax(axis=1)] == y) > 0.9
    # Twice the same wide samples, with classes drawn at random: whoever has seen a sample's twin
    # knows its class, and whoever has seen neither can but guess.
    pictures, texts = (Block.of(*sequence(y, width=60, seed=seed)) for seed in (0, 50))
    wide = Views(pictures, texts)
    twins = stacked(wide, wide)
    drawn = np.tile(np.random.default_rng(1).permutation(y), 2)
    grouped = replace(twins, groups=np.tile(np.arange(len(y)), 2))
    hits = {}
    for name, given in (("together", grouped), ("apart", twins)):
        model = built(cls).fit(given, drawn)
        hits[name] = np.mean(model.classes_[model.out_of_fold_.argmax(axis=1)] == drawn)
    assert hits["together"] < 0.5
    assert hits["apart"] > 0.7
    alone = built(cls).fit(train, np.full(len(y), "cat"))
    np.testing.assert_array_equal(alone.out_of_fold_, np.ones((len(y), 1)))


CHECKS: tuple[Callable[[type[Fusion]], None], ...] = (
    fusion_gives_probabilities_in_the_order_of_its_classes,
    fusion_is_deterministic_and_predicts_each_sample_by_itself,
    missing_modalities_are_legal_in_training_and_prediction,
    a_fusion_that_says_so_takes_several_blocks_of_a_modality,
    shares_of_several_encoders_tried_together_give_what_each_gives,
    a_modality_that_nobody_has_is_legal,
    a_single_class_is_predicted_with_certainty,
    fitting_changes_neither_the_samples_nor_the_labels,
    a_second_fit_forgets_the_first,
    classes_may_be_of_any_type,
    one_sample_can_be_learned_from_and_asked_about,
    what_cannot_be_asked_or_learned_is_an_error_that_says_why,
    many_settings_at_once_give_what_one_by_one_gives,
    only_a_fusion_that_says_so_takes_samples_without_a_label,
    a_fusion_that_combines_names_single_modalities_and_implements_it,
    a_fusion_over_a_classifier_fits_copies_of_it_and_tries_its_settings,
    a_fusion_that_combines_gives_what_its_members_predictions_give,
    only_a_fusion_that_recognises_unseen_classes_is_told_of_them,
    a_fusion_that_trains_a_network_has_epochs_and_a_course_as_plain_data,
    only_a_fusion_that_says_so_depends_on_groups,
    attention_weighs_pairs_or_modalities_of_each_sample,
    what_is_out_of_fold_was_predicted_by_models_that_had_not_seen_it,
)
