"""Estimators are scikit-learn's in all but the import."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Annotated, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import Field
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score

from features.encoders.bag_of_words import BagOfWords
from models.classifiers.logistic import Logistic
from models.early.concat import Concat
from models.preparation.scaling import BlockScaler
from pipeline.config.components import variants
from pipeline.config.parameters import model_of, parameters_of
from reports.analysis.mean_ranks import mean_ranks


class Theirs(BaseEstimator):
    """Concat's constructor under scikit-learn's own base class."""

    def __init__(self, classifier, weight=0.5, encoder_shares=(), components=None):
        self.classifier = classifier
        self.weight = weight
        self.encoder_shares = encoder_shares
        self.components = components


@pytest.mark.parametrize("deep", [True, False])
def test_parameters_are_those_of_scikit_learns_base_class(deep):
    classifier = Logistic(3.0)
    ours, theirs = Concat(classifier, weight=0.3), Theirs(classifier, weight=0.3)
    assert ours.get_params(deep=deep) == theirs.get_params(deep=deep)
    assert BlockScaler().get_params() == {}


def test_parameters_are_set_at_both_levels():
    concat = Concat(Logistic()).set_params(classifier__C=7.0, weight=0.2)
    assert (concat.classifier.C, concat.weight) == (7.0, 0.2)
    concat.set_params(classifier=Logistic(1.0), classifier__class_weight="balanced")
    assert (concat.classifier.C, concat.classifier.class_weight) == (1.0, "balanced")


@pytest.mark.parametrize("name", ["strength", "strength__C"])
def test_an_unknown_parameter_is_named_with_those_there_are(name):
    with pytest.raises(
        ValueError, match="Logistic has no parameter 'strength'; it has C, class_weight"
    ):
        Logistic().set_params(**{name: 1})


def test_copies_are_unfitted_and_share_no_inner_estimator():
    concat = Concat(Logistic(3.0), weight=0.4)
    for copy in (concat.unfitted(), clone(concat)):
        assert repr(copy) == repr(concat) == (
            "Concat(classifier=Logistic(C=3.0, class_weight='none', device='cpu'), "
            "components=None, encoder_shares=(), weight=0.4)")
        assert copy.classifier is not concat.classifier
    X, y = np.eye(4, dtype=np.float32), np.array([0, 1, 0, 1])
    with pytest.raises(NotFittedError):
        Logistic().fit(X, y).unfitted().predict_proba(X)


def test_scikit_learn_takes_classifiers_for_classifiers():
    assert is_classifier(Logistic())
    assert is_classifier(Concat(Logistic()))
    assert not is_classifier(BagOfWords())
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 20)
    X = (rng.normal(size=(40, 3)) + 3 * y[:, None]).astype(np.float32)
    assert cross_val_score(Logistic(), X, y, scoring="accuracy").mean() > 0.9


@given(
    arrays(
        float,
        st.tuples(st.integers(0, 12), st.integers(1, 3)),
        elements=st.sampled_from([-1.0, 0.0, 0.5, 2.0]),
    )
)
def test_ranks_are_scipys_with_ties_shared(values):
    np.testing.assert_array_equal(mean_ranks(values), rankdata(values, axis=0))
    np.testing.assert_array_equal(mean_ranks(values[:, 0]), rankdata(values[:, 0]))


@dataclass(kw_only=True, eq=False, repr=False)
class Phrases(BagOfWords):
    """Keyword parameters of another module's class, whose types this module does not import."""

    ngrams: tuple[int, int] = (2, 3)
    weight: Annotated[float, Field(gt=0)] = 1.0


def test_a_keyword_dataclass_is_an_estimator_like_any_other():
    phrases = Phrases(weight=0.5, stem=True)
    assert list(phrases.get_params()) == [
        "language", "max_df", "max_features", "min_df", "ngrams", "stem", "stop_words", "weight"]
    assert repr(phrases) == (
        "Phrases(language='en', max_df=1.0, max_features=None, min_df=1, ngrams=(2, 3), stem=True, "
        "stop_words='none', weight=0.5)")
    for copy in (clone(phrases), phrases.unfitted(), pickle.loads(pickle.dumps(phrases))):
        assert repr(copy) == repr(phrases)
        assert copy != phrases
    assert phrases.set_params(weight=2.0).weight == 2.0
    with pytest.raises(ValueError, match="Phrases has no parameter 'C'; it has language, max_df"):
        phrases.set_params(C=1)
    with pytest.raises(TypeError):
        Phrases((1, 2))  # type: ignore[misc]


def test_a_keyword_dataclass_tells_the_grid_its_parameters_in_the_order_of_its_fields():
    parameters = parameters_of(Phrases)
    assert list(parameters) == [*parameters_of(BagOfWords), "weight"]
    assert parameters["ngrams"] == (tuple[int, int], (2, 3))
    assert "zh" in get_args(parameters["language"][0])
    schema = model_of(Phrases).model_json_schema()["properties"]
    assert schema["weight"]["exclusiveMinimum"] == schema["min_df"]["exclusiveMinimum"] == 0
    _, problems = variants("phrases", Phrases, {"weight": -1, "language": "zz"}, ("text",), {})
    assert [problem.path for problem in problems] == [("text", "weight"), ("text", "language")]
    (component,), problems = variants("phrases", Phrases, {"weight": 3, "min_df": 2}, ("text",), {})
    assert (component.label, problems) == ("phrases(min_df=2, weight=3.0)", [])
