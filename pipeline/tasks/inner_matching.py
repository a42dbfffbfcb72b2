"""Match pictures and texts on the inner folds of an outer one, for a choice among spaces.

Where inner folds choose a setting, the result of a unit holds the ranks there. A space of one
setting has none, nor have results that an earlier version stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from pipeline.store.store import Store
from pipeline.tasks.combination import Combination
from pipeline.tasks.context import Context
from pipeline.tasks.inner import InnerTask
from pipeline.tasks.matching import InnerFolds, inner_arrays
from pipeline.tasks.unit import Unit, result_of
from pipeline.tasks.views import loaded_blocks


@dataclass(frozen=True, eq=False)
class InnerMatchTask(InnerTask):
    """A space on the inner folds of an outer one, under the setting of its result."""

    stage: ClassVar[str] = "Inner ranks"
    kind: ClassVar[str] = "inner ranks"

    def arrays(
        self, piece: Unit | Combination, context: Context, store: Store
    ) -> dict[str, NDArray[Any]]:
        """See InnerTask."""
        assert isinstance(piece, Unit)  # no space combines others
        folds = InnerFolds(piece, context, loaded_blocks(piece, context, store))
        return inner_arrays(folds.ranked(_setting(piece, store)))


def _setting(unit: Unit, store: Store) -> Mapping[str, Any]:
    """The only setting of a unit, or the one that its stored result was made under."""
    if len(unit.settings) < 2:
        return unit.settings[0]
    chosen: Mapping[str, Any] = result_of(unit, store).facts["parameters"]
    return chosen
