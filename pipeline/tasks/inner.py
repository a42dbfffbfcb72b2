"""Work on the inner folds of an outer one: choosing a setting, predicting for a choice of cells.

Where inner folds choose a setting, the result of a unit holds these predictions. A cell of one
setting has none, and a rule that learned from its parts' has learned from the very rows: here it
learns from the other inner folds. (Its parts' predictions for these come from models that knew the
labels of the fold left out; the outer test rows have no part in anything.)
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from features.block import Block, BlockName
from models.fusion import Fit
from pipeline.config.cells import WIDENINGS
from pipeline.engine.attempts import attempt
from pipeline.engine.task import Outcome, Shown
from pipeline.metrics import METRICS
from pipeline.metrics.metric import Probabilities
from pipeline.store.keys import Ingredients, key_of
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from pipeline.tasks.choice import best_of, losses_of, mean_scores, simplest_of
from pipeline.tasks.combination import Combination, inner_predictions
from pipeline.tasks.context import Context, context_at
from pipeline.tasks.unit import Unit, result_of
from pipeline.tasks.views import aligned, averaged, finite, fit_of, loaded_blocks

STEPS = 12  # most rounds of settings a step from the best, where some are chosen by steps


@dataclass(frozen=True, eq=False)
class InnerTask(Shown):
    """A cell on the inner folds of an outer one.

    Parameters
    ----------
    piece : without its rows; a unit of one setting, or a combination that learns.
    context : key of the Context that holds its fold.
    memory, together : see Task; cells of a fold that reduce the same regions share that.
    """

    stage: ClassVar[str] = "Inner folds"
    kind: ClassVar[str] = "inner predictions"  # of its entry
    all_cores: ClassVar[bool] = False

    piece: Unit | Combination
    context: str
    memory: float
    together: Hashable = None

    @property
    def keys(self) -> tuple[str, ...]:
        """See Task."""
        return (key_of(inner_ingredients(self.piece, self.kind)),)

    @property
    def needs(self) -> tuple[str, ...]:
        """See Task."""
        if isinstance(self.piece, Unit):
            return self.piece.needs
        return tuple(unit.key for unit in self.piece.units)

    @property
    def label(self) -> str:
        """See Task."""
        return f"{self.piece.cell.name}, inner folds"

    @property
    def doing(self) -> str:
        """See Task."""
        return f"{self.piece.cell.name}, inner folds of {self.piece.fold.in_words}"

    def compute(self, store: Store) -> dict[str, Outcome]:
        """See Task."""
        context = context_at(store, self.context)
        fold = context.fold(self.piece.fold.repeat, self.piece.fold.fold)
        piece = self.piece.with_fold(fold)
        ingredients = inner_ingredients(piece, self.kind)

        def work() -> Entry:
            return Entry(self.arrays(piece, context, store), {"label": self.label})

        return {key_of(ingredients): attempt(lambda: store.get(ingredients, work))}

    def arrays(
        self, piece: Unit | Combination, context: Context, store: Store
    ) -> dict[str, NDArray[Any]]:
        """What comes of the piece, with its rows, on the inner folds."""
        predicted = _predicted(piece, context, store)
        return {"inner": finite(piece.cell.name, predicted).astype(np.float32)}


def inner_ingredients(
    piece: Unit | Combination, kind: str = InnerTask.kind
) -> Ingredients:
    """Everything that decides what comes of it on inner folds: what decides the result does."""
    return {**piece.ingredients, "kind": kind}


def _predicted(piece: Unit | Combination, context: Context, store: Store) -> Probabilities:
    if isinstance(piece, Unit):
        piece.estimator.warm_up()
        return choose(piece, context, loaded_blocks(piece, context, store))[2]
    return inner_predictions(piece, [result_of(unit, store) for unit in piece.units], context)


def choose(
    unit: Unit, context: Context, blocks: Mapping[BlockName, Sequence[Block]]
) -> tuple[Mapping[str, Any], list[float | None], Probabilities]:
    """The setting with the best mean score over the inner folds (the first of equals).

    While it lies at an end of candidates that the grid does not give, further ones are tried beyond
    that end, WIDENINGS times at most; where some of it is chosen by steps, until none is better,
    STEPS rounds at most. In the end a simple setting is preferred that may be as good
    (Fusion.is_simple, pipeline.tasks.choice).

    Also all mean scores, and the chosen setting's predictions for the training rows (n_train, K),
    each by the fold that left it out; (0, K) without inner folds.
    """
    inner = unit.fold.inner
    if not inner:
        return unit.settings[0], [], np.zeros((0, context.classes))
    labels = [context.labels[test] for _, test in inner]
    fits = [fit_of(unit, number, blocks, context) for number in range(1, len(inner) + 1)]
    settings = list(unit.settings)
    further: Sequence[Mapping[str, Any]] = unit.settings
    predictions: list[list[Probabilities]] = [[] for _ in inner]
    metric, losses = METRICS[context.tuning_metric], np.zeros((0, 0))
    rounds = STEPS if unit.cell.takes_steps else WIDENINGS
    for number in range(1 + rounds):
        for by_setting, more in zip(
            predictions, _predictions(unit, context, fits, further), strict=True
        ):
            by_setting.extend(more)
        losses = losses_of(metric, labels, predictions)
        best = settings[best_of(losses)]
        further = unit.cell.further(settings, best)
        if not further or number == rounds:
            break
        settings += further
    simple = [at for at, setting in enumerate(settings) if unit.estimator.is_simple(setting)]
    chosen = simplest_of(losses, simple)
    left_out = np.zeros((len(unit.fold.train), context.classes))
    for (_, test), by_setting in zip(inner, predictions, strict=True):
        left_out[np.searchsorted(unit.fold.train, test)] = by_setting[chosen]
    means = mean_scores(metric, losses) if len(settings) > 1 else []
    return settings[chosen], means, left_out


def _predictions(
    unit: Unit, context: Context, fits: Sequence[Fit], settings: Sequence[Mapping[str, Any]]
) -> list[list[Probabilities]]:
    """Of each inner fold, under each setting: (n_test, K)."""
    answers = unit.estimator.predict_many(fits, settings)
    predictions = []
    for (_, test), fit, by_setting in zip(unit.fold.inner, fits, answers, strict=True):
        columns = unit.estimator.classes_of(fit)
        predictions.append([
            averaged(aligned(probabilities, columns, context.classes), len(test))
            for probabilities in by_setting
        ])
    return predictions
