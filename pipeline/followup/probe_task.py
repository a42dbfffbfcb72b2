"""The second phase's work: what a fitted model says of altered test rows of one fold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from features.block import modality_of
from models.views import Views
from pipeline.data.rows import Rows
from pipeline.engine.attempts import attempt
from pipeline.engine.task import Outcome, Shown
from pipeline.followup.alterations import alterations, altered_views
from pipeline.followup.probe import Probe, crossed, paired
from pipeline.followup.probe_combination import ask_combination
from pipeline.metrics.metric import Probabilities
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from pipeline.tasks.context import Context, context_at
from pipeline.tasks.refit import Refitted, refit
from pipeline.tasks.unit import Unit

PORTION = 512  # pairs predicted at once: sequences of thousands of rows would not fit into memory


@dataclass(frozen=True, eq=False)
class ProbeTask(Shown):
    """A probe, put to a model that is fitted once more.

    Parameters
    ----------
    probe : without its rows.
    context : key of the Context that holds its fold.
    """

    stage: ClassVar[str] = "Altered rows"
    together: ClassVar[None] = None
    all_cores: ClassVar[bool] = False

    probe: Probe
    context: str
    memory: float

    @property
    def keys(self) -> tuple[str, ...]:
        """See Task."""
        return (self.probe.key,)

    @property
    def needs(self) -> tuple[str, ...]:
        """See Task: what its parts say."""
        return tuple(part.key for part in self.probe.parts)

    @property
    def label(self) -> str:
        """See Task."""
        return self.probe.target.cell.name

    @property
    def doing(self) -> str:
        """See Task."""
        return f"{self.label}, {self.probe.target.fold.in_words}"

    def compute(self, store: Store) -> dict[str, Outcome]:
        """See Task."""
        context = context_at(store, self.context)
        numbers = self.probe.target.fold.repeat, self.probe.target.fold.fold
        probe = self.probe.with_fold(context.fold(*numbers))
        ask = ask_combination if probe.parts else _ask_unit
        work = partial(ask, probe, context, store)
        return {probe.key: attempt(lambda: store.get(probe.ingredients, work))}


def _ask_unit(probe: Probe, context: Context, store: Store) -> Entry:
    """See Probe.entry: of a model that is fitted once more."""
    assert isinstance(probe.target, Unit)
    again, fold = refit(probe.target, context, store), probe.target.fold
    test = again.views.take(fold.test)
    answers = [
        again.predict(altered_views(test, alteration, fold, probe.seed))
        for alteration in alterations(probe.modalities)
    ]
    pairs = _pairs(again, test, paired(probe, context)) if len(probe.modalities) == 2 else None
    return probe.entry(answers, pairs)


def _pairs(again: Refitted, test: Views, rows: Rows) -> Probabilities:
    first, second = crossed(rows)
    taken = {"image": first, "text": second}
    blocks = test.blocks().items()
    both = Views.of({name: block.take(taken[modality_of(name)]) for name, block in blocks})
    portions = [
        again.predict(both.take(np.arange(start, min(start + PORTION, len(first)))))
        for start in range(0, len(first), PORTION)
    ]
    flat = np.concatenate(portions) if portions else np.zeros((0, again.context.classes))
    return flat.reshape(len(rows), len(rows), again.context.classes)
