"""What compiled code of scikit-learn takes on trust, checked before it reads anything by it.

Trees hold the numbers of nodes, columns and rows. scikit-learn reads memory wherever these point,
and goes down a tree without looking whether it comes to an end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.use.trusted import ESTIMATORS, SKLEARN

LEAF = -1  # the branch of a leaf in a tree of a forest


def check_compiled(part: object) -> None:
    """Check what a fitted part of scikit-learn consists of, and all trees within.

    Raises
    ------
    ValueError
        Where an object of it is none that bundles have, and where the indices of a tree lead
        outside of it, or round in a circle.
    """
    for owner in _objects(part):
        _check_class(type(owner))
        held = vars(owner)
        if "tree_" in held:
            _check_tree(held["tree_"], _columns(owner))
        for member in _as_list(held.get("estimators_")):
            _check_columns(owner, member)
        if held.get("_preprocessor") is not None:
            raise ValueError("it changes columns before its trees see them, which no bundle does")
        for predictors in _as_list(held.get("_predictors")):
            for predictor in _as_list(predictors):
                _check_predictor(vars(predictor), _columns(owner))
        if held.get("_tree") is not None:
            _check_neighbours(owner)


def _check_class(cls: type) -> None:
    name = f"{cls.__module__}.{cls.__qualname__}"
    if name not in ESTIMATORS and name not in SKLEARN:
        raise ValueError(f"it holds an object of class {name}, which no bundle of ours has")


def _objects(part: object) -> Iterator[object]:
    """Everything with attributes within a part, itself first, each once."""
    waiting, seen = [part], set[int]()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple | set):
            waiting += value
        elif isinstance(value, np.ndarray):
            waiting += value.ravel().tolist() if value.dtype.hasobject else []
        elif hasattr(value, "__dict__") and not isinstance(value, type):
            yield value
            waiting += vars(value).values()


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, np.ndarray):
        return list(value.ravel()) if value.dtype.hasobject else []
    return list(value) if isinstance(value, list | tuple) else []


def _columns(owner: object) -> int:
    """Columns of the rows that an estimator takes: it asks for so many before it looks at them."""
    columns = vars(owner).get("n_features_in_")
    if not isinstance(columns, int | np.integer) or columns < 1:
        raise ValueError(f"its {type(owner).__name__} does not say how many columns it takes")
    return int(columns)


def _check_columns(owner: object, member: object) -> None:
    if _columns(owner) != _columns(member):
        raise ValueError(
            f"its {type(owner).__name__} takes {_columns(owner)} columns, a part of it "
            f"{_columns(member)}"
        )


def _check_tree(tree: Any, columns: int) -> None:
    """A tree of a forest: see sklearn.tree._tree.Tree."""
    left, right = np.asarray(tree.children_left), np.asarray(tree.children_right)
    inner = left != LEAF
    if tree.n_features != columns:
        raise ValueError(f"a tree of it has {tree.n_features} columns in place of {columns}")
    _check_nodes(left[inner], right[inner], np.flatnonzero(inner), len(left))
    _check_between(np.asarray(tree.feature)[inner], columns, "columns")


def _check_predictor(held: dict[str, Any], columns: int) -> None:
    """A boosted tree: see sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor."""
    nodes = held["nodes"]
    inner = ~nodes["is_leaf"].astype(bool)
    rows = nodes[inner]
    left, right = rows["left"].astype(np.int64), rows["right"].astype(np.int64)
    _check_nodes(left, right, np.flatnonzero(inner), len(nodes))
    _check_between(rows["feature_idx"].astype(np.int64), columns, "columns")
    if rows["is_categorical"].any():
        raise ValueError("a tree of it asks for categories, which no bundle has")


def _check_nodes(
    left: NDArray[Any], right: NDArray[Any], parents: NDArray[np.int64], count: int
) -> None:
    """Branches lead to later nodes: so they are in the tree, and every way comes to an end."""
    branches = np.concatenate([left, right])
    if not count or not (branches > np.tile(parents, 2)).all() or not (branches < count).all():
        raise ValueError("a tree of it has branches that lead nowhere")


def _check_between(indices: NDArray[Any], end: int, noun: str) -> None:
    if len(indices) and not (indices.min() >= 0 and indices.max() < end):
        raise ValueError(f"a tree of it asks for {noun} that there are not")


def _check_neighbours(owner: object) -> None:
    """A KD tree (see sklearn.neighbors._binary_tree), each node of which has two after it."""
    tree: Any = vars(owner)["_tree"]
    data, order, nodes, bounds = map(np.asarray, tree.get_arrays())
    count, columns = data.shape
    if not count or not len(nodes) or columns != _columns(owner) or len(order) != count:
        raise ValueError("its tree of neighbours is not of its rows")
    if bounds.shape != (2, len(nodes), columns):
        raise ValueError("its tree of neighbours has bounds of other nodes")
    _check_between(order, count, "rows")
    start, end = nodes["idx_start"], nodes["idx_end"]
    if not ((start >= 0) & (start <= end) & (end <= count)).all():
        raise ValueError("its tree of neighbours has nodes of rows that there are not")
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    if len(inner) and 2 * inner.max() + 2 >= len(nodes):
        raise ValueError("its tree of neighbours has branches that lead nowhere")
