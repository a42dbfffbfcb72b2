"""Parts of scikit-learn whose indices point outside are refused before anything reads by them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import LabelEncoder

from pipeline.use.checks.compiled import check_compiled
from pipeline.use.state import State, put_together

X = np.random.default_rng(0).normal(size=(90, 3))
Y = (X[:, 0] > 0).astype(int) + 2 * (X[:, 1] > 0)
FAR = 10**9


def forest():
    return RandomForestClassifier(n_estimators=2, random_state=0).fit(X, Y)


def boosting():
    model = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=5, early_stopping=False)
    return model.fit(X, Y)


def neighbours():
    return KNeighborsClassifier(5, algorithm="kd_tree", leaf_size=4).fit(X, Y)


def with_nodes(model, change):
    """The forest with something else in the nodes of its last tree, as a file may have it."""
    tree = model.estimators_[-1].tree_
    kind, arguments, state = tree.__reduce__()
    state = {**state, "nodes": state["nodes"].copy()}
    change(state)
    changed = kind(*arguments)
    changed.__setstate__(state)
    model.estimators_[-1].tree_ = changed
    return model


def with_predictor(model, change):
    change(model._predictors[-1][-1].nodes)
    return model


def with_neighbours(model, position, change):
    tree = model._tree
    state = list(tree.__getstate__())
    state[position] = np.array(state[position])
    change(state[position])
    tree.__setstate__(tuple(state))
    return model


def setting(field, row, value):
    def change(nodes):
        nodes = nodes["nodes"] if isinstance(nodes, dict) else nodes
        nodes[field][row] = value

    return change


def with_columns(model, count):
    model.n_features_in_ = count
    return model


def with_preprocessor(model):
    model._preprocessor = LabelEncoder()
    return model


def without(model, name):
    delattr(model, name)
    return model


WILD = {
    "a forest's left branch": lambda: with_nodes(forest(), setting("left_child", 0, FAR)),
    "a forest's right branch": lambda: with_nodes(forest(), setting("right_child", 0, -7)),
    "a forest's circle": lambda: with_nodes(forest(), setting("left_child", 0, 0)),
    "a forest's column": lambda: with_nodes(forest(), setting("feature", 0, 3)),
    "a forest's column before the first": lambda: with_nodes(forest(), setting("feature", 0, -2)),
    "a forest that takes fewer columns": lambda: with_columns(forest(), 2),
    "a forest that does not say": lambda: without(forest(), "n_features_in_"),
    "a boosted branch": lambda: with_predictor(boosting(), setting("left", 0, FAR)),
    "a boosted circle": lambda: with_predictor(boosting(), setting("right", 0, 0)),
    "a boosted column": lambda: with_predictor(boosting(), setting("feature_idx", 0, 3)),
    "a boosted category": lambda: with_predictor(boosting(), setting("is_categorical", 0, 1)),
    "boosting that changes columns": lambda: with_preprocessor(boosting()),
    "a row of neighbours": lambda: with_neighbours(
        neighbours(), 1, lambda rows: rows.__setitem__(5, FAR)
    ),
    "a node of neighbours": lambda: with_neighbours(
        neighbours(), 2, setting("idx_end", 0, FAR)
    ),
    "a last node that branches": lambda: with_neighbours(
        neighbours(), 2, setting("is_leaf", -1, 0)
    ),
}


@pytest.mark.parametrize("name", WILD)
def test_what_points_outside_is_refused(name):
    with pytest.raises(ValueError, match=r"^(its|it changes|a tree of it) "):
        check_compiled(WILD[name]())


def test_estimators_that_no_classifier_of_ours_has_are_refused():
    from sklearn.svm import SVC

    with pytest.raises(ValueError, match=r"class sklearn\.svm\._classes\.SVC, which no bundle"):
        check_compiled([SVC(kernel="rbf").fit(X, Y)])


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", skops.io.dumps(X)[:90]], ids=["empty", "start", "cut off"]
)
def test_what_is_no_part_of_skops_is_refused(content):
    with pytest.raises(ValueError, match="its part a is refused: "):
        put_together(State({"sklearn": "a"}, {}, {"a": content}))


@pytest.mark.parametrize("make", [forest, boosting, neighbours])
def test_what_was_fitted_is_sound(make):
    model = make()
    check_compiled(model)
    check_compiled({"within": [(model,)]})
    check_compiled(pickle.loads(pickle.dumps(model)))


def test_a_bundle_s_part_is_checked_when_it_is_read():
    state = State({"sklearn": "part"}, {}, {"part": skops.io.dumps(WILD["a forest's circle"]())})
    with pytest.raises(ValueError, match="branches that lead nowhere"):
        put_together(state)
