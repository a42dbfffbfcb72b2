"""Trees in PyTorch: every row goes down all of them at once, a level a step."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.use.exporting.preparation import constant


class Tree(NamedTuple):
    """Nodes of a tree, the root first; a leaf's branches lead back to itself.

    Parameters
    ----------
    left, right : (m,), where a row goes whose value is at most the threshold, or above it.
    column, threshold : (m,), what a node asks.
    values : (m, V), what a leaf answers.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    column: NDArray[np.int64]
    threshold: NDArray[np.float64]
    values: NDArray[np.float64]

    def depth(self) -> int:
        """Steps from the root to the farthest leaf."""
        level, steps = np.array([0]), 0
        while len(level := level[self.left[level] != level]):
            level, steps = np.concatenate([self.left[level], self.right[level]]), steps + 1
        return steps


class Trees(nn.Module):
    """Sums of what trees answer (n, K) to rows (n, d), times a share.

    Parameters
    ----------
    scores : of how many sums the trees are parts, in turn.
    """

    roots: Tensor
    left: Tensor
    right: Tensor
    column: Tensor
    threshold: Tensor
    values: Tensor

    def __init__(self, trees: Sequence[Tree], scores: int = 1, share: float = 1.0) -> None:
        super().__init__()
        sizes = [len(tree.left) for tree in trees]
        roots = np.cumsum([0, *sizes[:-1]])
        self.register_buffer("roots", constant(roots))
        moved = [
            tree._replace(left=tree.left + root, right=tree.right + root)
            for tree, root in zip(trees, roots, strict=True)
        ]
        for name, parts in zip(Tree._fields, zip(*moved, strict=True), strict=True):
            self.register_buffer(name, constant(np.concatenate(parts)))
        self.depth = max(tree.depth() for tree in trees)
        self.rounds, self.share = len(trees) // scores, share

    def forward(self, rows: Tensor) -> Tensor:
        """Thresholds are compared in double precision, as scikit-learn does."""
        x = rows.double()
        nodes = self.roots.expand(x.shape[0], -1)
        for _ in range(self.depth):
            goes_left = x.gather(1, self.column[nodes]) <= self.threshold[nodes]
            nodes = torch.where(goes_left, self.left[nodes], self.right[nodes])
        answers = self.values[nodes].reshape(x.shape[0], self.rounds, -1)
        return answers.sum(dim=1) * self.share

    @classmethod
    def of_forest(cls, trees: Sequence[Any]) -> Self:
        """The mean of a random forest's trees."""
        return cls([_of_forest(fitted.tree_) for fitted in trees], share=1 / len(trees))

    @classmethod
    def of_boosting(cls, rounds: Sequence[Sequence[Any]]) -> Self:
        """The sum of boosted trees, of which each round has one a score."""
        trees = [_of_boosting(predictor.nodes) for predictor in chain.from_iterable(rounds)]
        return cls(trees, len(rounds[0]))


def _of_forest(tree: Any) -> Tree:
    itself, is_leaf = np.arange(tree.node_count), tree.children_left < 0
    return Tree(
        np.where(is_leaf, itself, tree.children_left),
        np.where(is_leaf, itself, tree.children_right),
        np.maximum(tree.feature, 0).astype(np.int64),
        tree.threshold,
        tree.value[:, 0, :],
    )


def _of_boosting(nodes: NDArray[Any]) -> Tree:
    itself, is_leaf = np.arange(len(nodes)), nodes["is_leaf"].astype(bool)
    return Tree(
        np.where(is_leaf, itself, nodes["left"].astype(np.int64)),
        np.where(is_leaf, itself, nodes["right"].astype(np.int64)),
        np.where(is_leaf, 0, nodes["feature_idx"]).astype(np.int64),
        np.where(is_leaf, 0, nodes["num_threshold"]),
        nodes["value"][:, None].astype(np.float64),
    )
