"""Trees: random forest and histogram gradient boosting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from features.block import Block, FloatArray
from models.classifier import Array, Classifier, ClassWeight, FittedModel, Positive, Whole
from models.preparation.scaling import ReducedScaler


@dataclass(kw_only=True, eq=False, repr=False)
class RandomForest(Classifier):
    """Random forest (Breiman 2001); probabilities are the mean class shares of the trees' leaves.

    Parameters
    ----------
    trees : number of trees.
    min_samples_leaf : fewest training rows in a leaf.
    class_weight : balanced weighs each class's rows so that all classes count alike.
    random_state : seed of the bootstrap and of the columns tried at each split.
    """

    version: ClassVar[int] = 1
    dear: ClassVar[bool] = True

    trees: Whole = 300
    min_samples_leaf: Whole = 1
    class_weight: ClassWeight = "none"
    random_state: int = 0

    def _model(self, X: Array, y: NDArray[Any]) -> FittedModel:
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(
            n_estimators=self.trees,
            min_samples_leaf=self.min_samples_leaf,
            random_state=self.random_state,
            class_weight=None if self.class_weight == "none" else self.class_weight,
        )
        fitted: FittedModel = forest.fit(X, y)
        return fitted


@dataclass(kw_only=True, eq=False, repr=False)
class HistGradientBoosting(Classifier):
    """Gradient boosting of trees over binned columns (Friedman 2001; Ke et al. 2017, LightGBM).

    Each block wider than `components` is reduced to its principal components first (CSR without
    making it dense): a tree splits one column at a time, and thousands of them take minutes and say
    little each. Boosting stops when a tenth of the training rows, drawn by class, has had no
    smaller loss for 10 iterations; where a class has a single row, or a tenth is fewer rows than
    classes, it runs to the end.

    Parameters
    ----------
    iterations : most iterations; each grows one tree for every class.
    learning_rate : share of each tree's answer that is added.
    leaves : most leaves of a tree.
    components : width of a reduced block.
    class_weight : balanced weighs each class's rows so that all classes count alike.
    random_state : seed of the early-stopping rows.
    """

    version: ClassVar[int] = 1
    dear: ClassVar[bool] = True

    iterations: Whole = 200
    learning_rate: Positive = 0.1
    leaves: Annotated[int, Field(ge=2)] = 15
    components: Whole = 64
    class_weight: ClassWeight = "none"
    random_state: int = 0

    def _learn_inputs(self, X: Array) -> None:
        self.scalers_ = [ReducedScaler(self.components).fit(block) for block in self._blocks(X)]

    def _inputs(self, X: Array) -> FloatArray:
        parts = [
            scaler.transform(block)
            for scaler, block in zip(self.scalers_, self._blocks(X), strict=True)
        ]
        return np.hstack([
            part if isinstance(part, np.ndarray) else part.toarray() for part in parts
        ])

    def _blocks(self, X: Array) -> list[Block]:
        ends = np.cumsum(self.widths_)
        return [Block.of(X[:, start:end]) for start, end in zip([0, *ends[:-1]], ends, strict=True)]

    def _model(self, X: Array, y: NDArray[Any]) -> FittedModel:
        from sklearn.ensemble import HistGradientBoostingClassifier

        counts = np.unique(y, return_counts=True)[1]
        boosting = HistGradientBoostingClassifier(
            max_iter=self.iterations,
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.leaves,
            early_stopping=bool(counts.min() > 1 and int(0.1 * len(y)) >= len(counts)),
            class_weight=None if self.class_weight == "none" else self.class_weight,
            random_state=self.random_state,
        )
        fitted: FittedModel = boosting.fit(X, y)
        return fitted
