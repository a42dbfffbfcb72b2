"""What pooled features say by themselves: softmax regression, on top of which a network learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product, starmap
from typing import NamedTuple, TypeAlias

import numpy as np

from features.block import FloatArray
from models.arrays import Codes, Probabilities
from models.classifier import ClassWeight, row_weights
from models.kept import RECENT
from models.softmax.design_matrix.principal_axes import axes_to_find, transform
from models.softmax.design_matrix.transformed_block import IndexedBlock
from models.softmax.problem import Problem, Solution
from models.softmax.solve import TOLERANCE, solve

SHARES = (0.5, 0.25, 0.75)  # of the texts
STRENGTHS = (10.0, 3.0, 30.0, 1.0, 100.0)
STEP = 0.25  # to the shares beside the one chosen
# Relative distance to the smallest objective that is near enough to choose by, and to learn on: at
# the solver's own, a fit takes a fifth longer, and no probability differs by more than .005.
NEAR = 1e-5
FOLDS = 3  # that there are, as a rule
LEAST = 1e-6  # probability, whose logarithm is finite
PROBLEMS = len(SHARES) + len(STRENGTHS) - 1  # to solve on every inner fold, at least

Folds: TypeAlias = Sequence[tuple[Codes, Codes]]


class Setting(NamedTuple):
    """The texts' share w of the squared norm, and the inverse strength C of the penalty."""

    share: float
    C: float


FIRST = Setting(SHARES[0], STRENGTHS[0])  # where too few rows choose


class LinearPart(NamedTuple):
    """Softmax regression on pooled features x: scores W x + b.

    Parameters
    ----------
    weight, bias : float32 W (K, d) and b (K,), learned from all training rows.
    scores : float32 (n, K), log-probabilities of the training rows, each by a regression on inner
        folds that it is not in.
    setting : what the inner folds chose.
    """

    weight: FloatArray
    bias: FloatArray
    scores: FloatArray
    setting: Setting


@dataclass(frozen=True, eq=False)
class PooledRows:
    """Pooled features of n training rows: what concat solves, see linear_part.

    Parameters
    ----------
    pictures, texts : blocks of each modality, float32 (n, d) each, rows of the same mean squared
        norm; those of a modality share its part equally.
    norm : the root of that norm.
    codes : (n,) classes from 0, each of which occurs.
    class_weight : see models.classifier.row_weights.
    """

    pictures: Sequence[FloatArray]
    texts: Sequence[FloatArray]
    norm: float
    codes: Codes
    class_weight: ClassWeight

    @property
    def blocks(self) -> list[FloatArray]:
        """All blocks, those of pictures first."""
        return [*self.pictures, *self.texts]

    def linear_part(self, folds: Folds) -> LinearPart:
        """Regression on [sqrt(1 - w) a, sqrt(w) b] for picture features a and text features b.

        Of norm 1, as in Concat. Inner folds choose by the log loss: C at equal parts, then w, then
        whether the w beside that one is better. C first, along a path, takes .9 of the time that w
        first takes. Where there are no folds, for want of rows, both are the middle ones, and the
        scores are of rows that the regression has seen.

        Parameters
        ----------
        folds : positions of the rows that each inner fold learns from, and of those left out.
        """
        everyone = np.arange(len(self.codes))
        if not folds:
            (solution,) = self._solved([everyone], [FIRST], TOLERANCE)
            return self._part(solution, self._probabilities(solution, everyone), FIRST)
        predicted: dict[Setting, Probabilities] = {}
        best = FIRST
        for candidates in (_of_strengths, _of_shares, _beside):
            others = [setting for setting in candidates(best) if setting not in predicted]
            predicted |= self._predicted(folds, others)
            best = min(predicted, key=lambda setting: self._loss(predicted[setting]))
        (solution,) = self._solved([everyone], [best], TOLERANCE)
        return self._part(solution, predicted[best], best)

    def _predicted(
        self, folds: Folds, settings: Sequence[Setting]
    ) -> dict[Setting, Probabilities]:
        """Probabilities (n, K) of each row by what was learned from the other folds.

        The frequencies of the classes, where the others hold a single one.
        """
        frequencies = np.bincount(self.codes) / len(self.codes)
        predicted = {
            setting: np.tile(frequencies, (len(self.codes), 1)) for setting in settings
        }
        usable = [fold for fold in folds if len(np.unique(self.codes[fold[0]])) > 1]
        solutions = iter(self._solved([train for train, _ in usable], settings, NEAR))
        for _, held_out in usable:
            for setting in settings:
                predicted[setting][held_out] = self._probabilities(next(solutions), held_out)
        return predicted

    def _solved(
        self, rows: Sequence[Codes], settings: Sequence[Setting], tolerance: float
    ) -> list[Solution]:
        """Solutions on each of some sets of rows, under each setting."""
        problems = list(starmap(self._problem, product(rows, settings)))
        if not problems:
            return []
        return solve(self._transformed, self.codes, problems, tolerance=tolerance)

    def _problem(self, rows: Codes, setting: Setting) -> Problem:
        weights = row_weights(self.codes, self.class_weight)
        shares = [
            *[(1 - setting.share) / len(self.pictures)] * len(self.pictures),
            *[setting.share / len(self.texts)] * len(self.texts),
        ]
        return Problem(
            rows,
            setting.C,
            weights=None if weights is None else weights[rows],
            factors=(np.sqrt(shares) / self.norm).tolist(),
        )

    @cached_property
    def _transformed(self) -> list[IndexedBlock]:
        classes = int(self.codes.max()) + 1
        return [_transformed(rows, classes) for rows in self.blocks]

    def _probabilities(self, solution: Solution, rows: Codes) -> Probabilities:
        classes = int(self.codes.max()) + 1
        return solution.probabilities(self.blocks, rows, classes)

    def _loss(self, probabilities: Probabilities) -> float:
        of_class = probabilities[np.arange(len(self.codes)), self.codes]
        losses = -np.log(np.maximum(of_class, LEAST))
        return float(np.average(losses, weights=row_weights(self.codes, self.class_weight)))

    def _part(
        self, solution: Solution, predicted: Probabilities, setting: Setting
    ) -> LinearPart:
        coef, bias = solution.coef, solution.intercept
        if len(solution.classes) == 2:
            coef, bias = np.vstack([0 * coef, coef]), np.append(0 * bias, bias)
        scores = np.log(np.maximum(predicted, LEAST)).astype(np.float32)
        return LinearPart(coef.astype(np.float32), bias.astype(np.float32), scores, setting)


def _of_shares(setting: Setting) -> list[Setting]:
    return [setting._replace(share=share) for share in SHARES]


def _of_strengths(setting: Setting) -> list[Setting]:
    return [setting._replace(C=C) for C in STRENGTHS]


def _beside(setting: Setting) -> list[Setting]:
    shares = (setting.share - STEP, setting.share + STEP)
    return [setting._replace(share=share) for share in shares if 0 <= share <= 1]


def _transformed(rows: FloatArray, classes: int) -> IndexedBlock:
    """The rows in their principal axes, found once for all problems, and for other encoders.

    Equal rows, such as those of a picture with many questions, are one.
    """
    numbers: dict[bytes, int] = {}
    index = np.array([numbers.setdefault(row.tobytes(), len(numbers)) for row in rows])
    distinct = rows[np.unique(index, return_index=True)[1]]
    axes = axes_to_find(len(distinct), rows.shape[1], FOLDS * PROBLEMS * (classes - 1))
    transformed = RECENT.get(
        ("transformed for a linear part", distinct, axes),
        lambda: transform(distinct, axes=axes),
        lambda block: block.bytes,
    )
    return IndexedBlock(transformed, index)
