"""Where a cell stands: its score over the folds, its kind and its rank."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite, nan
from statistics import fmean, stdev
from typing import Literal

from reports.fold_record import CellRecord, FoldKey, FoldRecord

Kind = Literal["image", "text", "fusion", "baseline"]
Modality = Literal["image", "text"]
NOUNS: dict[str, str] = {"image": "picture", "text": "text"}


@dataclass(frozen=True)
class Spread:
    """Mean of a score over folds and its sample standard deviation (None below two folds)."""

    mean: float
    deviation: float | None
    folds: int


@dataclass(frozen=True, eq=False)
class Standing:
    """Where one cell stands among the others.

    Parameters
    ----------
    cell : the cell; `kind` says which modalities it uses.
    folds : (repeat, fold) -> its record, only those that were computed.
    score : the ranking metric over its folds.
    complete : scored on every fold that any cell is scored on, and without a failure.
    rank : 1 for the best among complete cells, shared by equal means; None for an incomplete one.
    """

    cell: CellRecord
    kind: Kind
    folds: Mapping[FoldKey, FoldRecord]
    score: Spread
    complete: bool
    rank: int | None

    def mean_of(self, metric: str) -> float:
        """Mean of any metric over its folds; nan where it was not measured, or not defined."""
        return spread(fold.scores.get(metric, nan) for fold in self.folds.values()).mean


def spread(values: Iterable[float]) -> Spread:
    """Mean and sample standard deviation of the values that are defined (nan where none is)."""
    known = [value for value in values if isfinite(value)]
    if not known:
        return Spread(nan, None, 0)
    return Spread(fmean(known), stdev(known) if len(known) > 1 else None, len(known))


def kind_of(cell: CellRecord) -> Kind:
    """Which modalities a cell judges samples by; a cell that uses none is a baseline."""
    if cell.recognised_by is not None:
        return cell.recognised_by
    if cell.image is not None and cell.text is not None:
        return "fusion"
    if cell.image is None and cell.text is None:
        return "baseline"
    return "image" if cell.image is not None else "text"
