"""Scores of what the second phase found, as the record keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import nan
from typing import Any

import numpy as np
import scipy

from pipeline.data.dataset import Dataset
from pipeline.data.rows import Rows
from pipeline.engine.attempts import Done, Failed
from pipeline.followup.alterations import alterations
from pipeline.followup.probes import Probe, paired, probe_all, read
from pipeline.metrics import METRICS
from pipeline.metrics.metric import Metric, Probabilities
from pipeline.plan.plan import Plan
from pipeline.tasks.combination import Combination
from pipeline.tasks.context import Context, store_at
from reports.record import AdditiveRecord, FoldKey, ProbeRecord, RunRecord

LEAST = 1e-12


def with_probes(
    record: RunRecord,
    plan: Plan,
    combined: Sequence[Combination],
    dataset: Dataset,
    context: Context,
    seed: int,
    jobs: int,
    progress: Any,
) -> tuple[RunRecord, list[Done | Failed]]:
    """The record with its second phase, and what came of each piece of work: done now where the store lacks it."""
    probes, outcomes, problems = probe_all(
        record, plan, combined, dataset, context, seed, jobs, progress
    )
    altered, additive = probe_records(probes, record, context)
    return replace(
        record, probes=altered, additive=additive, warnings=(*record.warnings, *problems)
    ), outcomes


def probe_records(
    probes: Sequence[Probe], record: RunRecord, context: Context
) -> tuple[tuple[ProbeRecord, ...], tuple[AdditiveRecord, ...]]:
    """Scores of the altered rows, and of each fusion's additive projection, cell by cell."""
    store, metric = store_at(context.store), METRICS[record.metric]
    folds = {(fold.cell, fold.repeat, fold.fold): fold for fold in record.folds}
    cells: dict[str, list[Probe]] = {}
    for probe in probes:
        cells.setdefault(probe.target.cell.name, []).append(probe)
    altered_rows: list[ProbeRecord] = []
    additive: list[AdditiveRecord] = []
    for name, many in cells.items():
        answers = [read(probe.ingredients, store) for probe in many]
        keys = [(probe.target.fold.repeat, probe.target.fold.fold) for probe in many]
        labels = [context.labels[probe.target.fold.test] for probe in many]
        whole = tuple((key, folds[name, *key].scores[record.metric]) for key in keys)
        altered_rows.append(ProbeRecord(name, "none", (), 0.0, whole))
        for place, one in enumerate(alterations(many[0].modalities)):
            scores = [
                metric(y, answer["altered"][place])
                for y, answer in zip(labels, answers, strict=True)
            ]
            altered_rows.append(ProbeRecord(name, one.change, one.modalities, one.share,
                                            tuple(zip(keys, scores, strict=True))))
        if "pairs" in answers[0]:
            own = [y[paired(probe, context)] for probe, y in zip(many, labels, strict=True)]
            additive.append(
                _additive(name, keys, own, [answer["pairs"] for answer in answers], metric)
            )
    return tuple(altered_rows), tuple(additive)


def _additive(
    name: str,
    keys: Sequence[FoldKey],
    labels: Sequence[Rows],
    pairs: Sequence[Probabilities],
    metric: Metric,
) -> AdditiveRecord:
    """The predictions of matching pairs against what is left of them without interactions."""
    full = [np.asarray(one[np.arange(len(one)), np.arange(len(one))]) for one in pairs]
    projected = [additive_projection(one) for one in pairs]
    gains = tuple(
        (key, metric(y, one) - metric(y, other))
        for key, y, one, other in zip(keys, labels, full, projected, strict=True)
        if len(y)
    )
    y, one, other = np.concatenate(labels), np.concatenate(full), np.concatenate(projected)
    if not len(y):
        return AdditiveRecord(name, 0, nan, nan, (), nan)
    changed = float(np.mean(one.argmax(axis=1) != other.argmax(axis=1)))
    return AdditiveRecord(name, len(y), metric(y, one), metric(y, other), gains, changed)


def additive_projection(pairs: Probabilities) -> Probabilities:
    """What a fusion predicts of s samples if it may only add what their pictures and their texts say (EMAP).

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
