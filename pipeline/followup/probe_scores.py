"""Scores of what the second phase found, as the record keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import nan
from typing import NamedTuple

import numpy as np
import scipy

from pipeline.followup.alterations import alterations
from pipeline.followup.probe import Probe, paired, read
from pipeline.metrics import METRICS
from pipeline.metrics.metric import Metric, Probabilities
from pipeline.plan.comparison import Comparison
from reports.follow_up_record import AdditiveRecord, ProbeRecord
from reports.record import ScoredRecord

LEAST = 1e-12


class ProbeScores(NamedTuple):
    """Scores of the second phase, cell by cell."""

    altered: tuple[ProbeRecord, ...]
    additive: tuple[AdditiveRecord, ...]


def score_probes(
    probes: Sequence[Probe], record: ScoredRecord, comparison: Comparison
) -> ProbeScores:
    """Scores of the altered rows, and of each fusion's additive projection, cell by cell."""
    folds = {(fold.cell, fold.repeat, fold.fold): fold for fold in record.folds}
    cells: dict[str, list[Probe]] = {}
    for probe in probes:
        cells.setdefault(probe.target.cell.name, []).append(probe)
    altered_rows: list[ProbeRecord] = []
    additive: list[AdditiveRecord] = []
    for name, of_cell in cells.items():
        asked = _Asked(name, of_cell, comparison, METRICS[record.metric])
        whole = tuple((key, folds[name, *key].scores[record.metric]) for key in asked.keys)
        altered_rows.append(ProbeRecord(name, "none", (), 0.0, whole))
        altered_rows += asked.altered()
        additive += asked.additive()
    return ProbeScores(tuple(altered_rows), tuple(additive))


class _Asked:
    """What one cell said of altered rows, on the folds of the first repeat."""

    def __init__(
        self, name: str, probes: Sequence[Probe], comparison: Comparison, metric: Metric
    ) -> None:
        self._name, self._probes, self._metric = name, probes, metric
        self._context = comparison.context
        self._answers = [read(probe.ingredients, comparison.store) for probe in probes]
        self._labels = [self._context.labels[probe.target.fold.test] for probe in probes]
        self.keys = [(probe.target.fold.repeat, probe.target.fold.fold) for probe in probes]

    def altered(self) -> Iterator[ProbeRecord]:
        """Scores under each alteration."""
        for position, alteration in enumerate(alterations(self._probes[0].modalities)):
            scores = [
                self._metric(y, answer["altered"][position])
                for y, answer in zip(self._labels, self._answers, strict=True)
            ]
            yield ProbeRecord(
                self._name,
                alteration.change,
                alteration.modalities,
                alteration.share,
                tuple(zip(self.keys, scores, strict=True)),
            )

    def additive(self) -> Iterator[AdditiveRecord]:
        """The predictions of matching pairs against what is left of them without interactions.

        Nothing for a cell that uses one modality only.
        """
        if "pairs" not in self._answers[0]:
            return
        labels = [
            y[paired(probe, self._context)]
            for probe, y in zip(self._probes, self._labels, strict=True)
        ]
        pairs = [answer["pairs"] for answer in self._answers]
        matching = [np.asarray(p[np.arange(len(p)), np.arange(len(p))]) for p in pairs]
        projected = [additive_projection(p) for p in pairs]
        gains = tuple(
            (key, self._metric(y, p) - self._metric(y, q))
            for key, y, p, q in zip(self.keys, labels, matching, projected, strict=True)
            if len(y)
        )
        y, p, q = np.concatenate(labels), np.concatenate(matching), np.concatenate(projected)
        if not len(y):
            yield AdditiveRecord(self._name, 0, nan, nan, (), nan)
            return
        changed = float(np.mean(p.argmax(axis=1) != q.argmax(axis=1)))
        yield AdditiveRecord(
            self._name, len(y), self._metric(y, p), self._metric(y, q), gains, changed
        )


def additive_projection(pairs: Probabilities) -> Probabilities:
    """What a fusion predicts of s samples if it may only add what picture and text say (EMAP).

    With l(i, j) the log-probabilities (logits up to what is the same for all classes) of picture i
    with text j, the additive function nearest to l over all pairs gives sample i

        mean_j l(i, j) + mean_j l(j, i) - mean_jk l(j, k)

    whose softmax is returned (s, K). Probabilities below 1e-12 are raised to it.

    Parameters
    ----------
    pairs : (s, s, K), the probabilities of every picture with every text.

    References ---------- Hessel and Lee (2020), Does my multimodal model learn cross-modal
    interactions? It's harder to tell than you might think!, EMNLP: empirical multimodally-additive
    function projection.
    """
    if not len(pairs):
        return np.zeros((0, pairs.shape[2]))
    logs = np.log(np.maximum(pairs, LEAST))
    return np.asarray(
        scipy.special.softmax(
            logs.mean(axis=1) + logs.mean(axis=0) - logs.mean(axis=(0, 1)), axis=1
        )
    )
