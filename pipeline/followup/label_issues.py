"""Labels that may be wrong: rows whose out-of-fold probabilities speak for another class."""

from __future__ import annotations

from importlib.metadata import version
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.attempts import failure
from pipeline.metrics.metric import Probabilities
from pipeline.store.keys import key_of
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from reports.analysis.ranking import rank_cells
from reports.analysis.votes import mean_probabilities
from reports.follow_up_record import LabelsRecord
from reports.record import ScoredRecord
from reports.wording import count

CHECK = 1  # raised when other rows come out


class LabelIssues(NamedTuple):
    """Doubtful labels, where they could be looked for, and why they could not be."""

    record: LabelsRecord | None
    problems: tuple[str, ...]


def label_issues(record: ScoredRecord, store: Store) -> LabelIssues:
    """Rows whose label the best cell doubts, the most doubtful first; kept in the store.

    Confident learning (Northcutt, Jiang and Chuang 2021, JAIR 70; cleanlab): a row is doubtful
    where another class's probability exceeds what rows of that class have of it on average. Nothing
    without a complete cell, and where classes are held out: their rows have other candidates.
    """
    best = rank_cells(record).best("image", "text", "fusion")
    if best is None or record.unseen_classes:
        return LabelIssues(None, ())
    means = mean_probabilities(best.folds.values(), len(record.labels), len(record.classes))
    rows = np.flatnonzero(np.isfinite(means).all(axis=1) & (record.labels >= 0))
    if len(np.unique(record.labels[rows])) < 2:
        return LabelIssues(None, ("Doubtful labels were not looked for: the rows that were tested "
                                  "are of a single class.",))
    try:
        chosen = rows[_doubtful(record.labels[rows], means[rows], store)]
    except Exception as error:  # whatever is odd about the data: the comparison is done and stands
        problem = f"Doubtful labels could not be looked for: {failure(error).error}"
        return LabelIssues(None, (problem,))
    return LabelIssues(LabelsRecord(best.cell.name, len(rows), chosen, means[chosen]), ())


def _doubtful(
    labels: NDArray[np.int64], probabilities: Probabilities, store: Store
) -> NDArray[np.int64]:
    """Positions of doubtful labels, those with the least probability of their own label first."""
    rounded = np.round(probabilities, 9)  # sums over repeats differ in the last digits
    ingredients = {
        "kind": "label issues",
        "check": CHECK,
        "labels": key_of({"labels": labels.tolist()}),
        "probabilities": key_of({"probabilities": rounded.tolist()}),
        "library": version("cleanlab"),
    }

    def compute() -> Entry:
        from cleanlab.filter import find_label_issues

        ranked = find_label_issues(
            labels, rounded, return_indices_ranked_by="self_confidence", n_jobs=1
        )
        positions = np.asarray(ranked, dtype=np.int64)
        return Entry({"positions": positions}, {"label": count(len(positions), "doubtful label")})

    return np.asarray(store.get(ingredients, compute).arrays["positions"], dtype=np.int64)
