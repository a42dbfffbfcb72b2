"""Which stored values may be those of a fold."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.folds.fold import Fold
from pipeline.metrics.same_class import OF_RANKS
from pipeline.store.manifest import Entry
from pipeline.tasks.same_class import is_about


@pytest.mark.parametrize(("shape", "is_usable"), [
    ((4, len(OF_RANKS)), True), ((3, len(OF_RANKS)), False), ((4, len(OF_RANKS) - 1), False),
])
def test_values_are_of_the_test_rows_and_of_all_metrics(shape, is_usable):
    fold = Fold(0, 0, np.arange(4, 9), np.arange(4), ())
    assert is_about(Entry({"values": np.zeros(shape)}), fold) == is_usable
