"""Each learned space against the simplest one of the same encoders, tested together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reports.analysis.bootstrap import Pooled, PooledInterval
from reports.analysis.statistics import holm
from reports.retrieval_record import RetrievalRecord


@dataclass(frozen=True)
class Contrast:
    """A learned space against the simplest one, on the same queries of the same folds.

    Parameters
    ----------
    gain : how much better `cell` is than `other` by the run's metric, both ways.
    p_value : two-sided, of no difference; None where there are too few pictures for intervals.
    adjusted : Holm's p value over all contrasts of the run.
    """

    cell: str
    other: str
    gain: PooledInterval
    p_value: float | None
    adjusted: float | None


def contrasts(record: RetrievalRecord, scores: Pooled, ranked: Sequence[str]) -> list[Contrast]:
    """A contrast for each learned space, best first; they were declared before the run.

    What a space is worth is seen by the same encoders: the other side is the best of the simplest
    spaces that have these. Without one there is none.

    Parameters
    ----------
    scores : of the run's metric, both ways.
    ranked : the complete cells, best first.
    """
    pairs = list(_declared(record, ranked))
    tested = [scores.p_value(cell, other) for cell, other in pairs]
    adjusted = iter(holm([p_value for p_value in tested if p_value is not None]))
    return [
        Contrast(
            cell,
            other,
            scores.difference(cell, other),
            p_value,
            None if p_value is None else next(adjusted),
        )
        for (cell, other), p_value in zip(pairs, tested, strict=True)
    ]


def _declared(record: RetrievalRecord, ranked: Sequence[str]) -> Iterator[tuple[str, str]]:
    encoders = {cell.name: (cell.image, cell.text) for cell in record.cells}
    best: dict[tuple[str | None, str | None], str] = {}
    for name in ranked:
        if name in record.simplest:
            best.setdefault(encoders[name], name)
    for name in ranked:
        if name not in record.simplest and encoders[name] in best:
            yield name, best[encoders[name]]
