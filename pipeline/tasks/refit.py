"""A cell's model on one outer fold again, to ask what its stored predictions do not tell."""

from __future__ import annotations

from dataclasses import dataclass

from models.fusion import Fusion
from models.views import Views
from pipeline.metrics.metric import Probabilities
from pipeline.store.store import Store
from pipeline.tasks.context import Context
from pipeline.tasks.unit import Unit, result_of
from pipeline.tasks.views import aligned, averaged, finite, fit_on, outer_views


@dataclass(frozen=True, eq=False)
class Refitted:
    """The model behind a unit's stored predictions, and the features of all n rows to ask it about.

    Parameters
    ----------
    model : fitted on the outer training rows under the parameters that the inner folds chose.
    views : of all rows of the data set; take the unit's fold.test for those the model never saw.
    """

    unit: Unit
    model: Fusion
    views: Views
    context: Context

    def predict(self, views: Views) -> Probabilities:
        """Probabilities (m, K) of any samples, columns for all K classes of the data set."""
        predicted = aligned(self.model.predict_proba(views.for_prediction()), self.model.classes_,
                            self.context.classes)
        return finite(self.unit.cell.name, averaged(predicted, len(views)))


def refit(unit: Unit, context: Context, store: Store) -> Refitted:
    """Fit a unit's model anew, under the parameters that stand in its stored result.

    Every fit is deterministic, so its predictions for the test rows are those in the store. The
    features must be there: see `pipeline.plan.execute.encoded`.

    Raises
    ------
    FileNotFoundError
        Where the result or its features are no longer in the store.
    """
    entry = result_of(unit, store)
    views = outer_views(unit, context, store)
    outer = fit_on(views, unit.fold.outer, context)
    model = unit.estimator.with_setting(entry.facts["parameters"]).learn(outer)
    return Refitted(unit, model, views, context)
