"""The answer of a run of retrieval as JSON has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from reports.analysis.bootstrap import PooledInterval
from reports.retrieval.answer import WAYS, Gain, RetrievalAnswer, Standing
from reports.retrieval.contrasts import Contrast
from reports.retrieval.resampled import Ways
from reports.retrieval.sentences import headline, sentences


def plain(answer: RetrievalAnswer) -> dict[str, Any]:
    """The answer, the figures that decide it, and all cells; numbers unrounded."""
    choice = answer.choice
    score = answer.expected.get(("both", answer.metric.name))
    return {
        "task": "retrieval",
        "metric": answer.metric.name,
        "answer": None if answer.gain is None else answer.gain.judged,
        "winner": answer.standings[0].name if answer.standings else None,
        "headline": headline(answer),
        "sentences": list(sentences(answer)),
        "score": None if score is None or choice is None else _interval(score),
        "expected": _by_way(answer.expected) if choice is not None else None,
        "chosen": {
            pool: {f"{repeat},{fold}": name for (repeat, fold), name in of_pool.chosen.items()}
            for pool, of_pool in answer.choices.items()
        },
        "left out": {pool: list(of_pool.left_out) for pool, of_pool in answer.choices.items()},
        "gain": None if answer.gain is None else _gain(answer.gain),
        "contrasts": [_contrast(contrast) for contrast in answer.contrasts],
        "queries": dict(answer.queries),
        "candidates": dict(answer.candidates),
        "chance of a hit": {way: dict(by_k) for way, by_k in answer.chance.items()},
        "units": answer.units,
        "not_reached": None if answer.unreached is None else asdict(answer.unreached),
        "cells": [_standing(standing) for standing in answer.standings],
    }


def _gain(gain: Gain) -> dict[str, Any]:
    scores: dict[str, Any] = {pool: _interval(score) for pool, score in gain.scores.items()}
    return _interval(gain.difference) | scores


def _contrast(contrast: Contrast) -> dict[str, Any]:
    return {
        "cell": contrast.cell,
        "other": contrast.other,
        **_interval(contrast.gain),
        "p_value": contrast.p_value,
        "p_adjusted": contrast.adjusted,
    }


def _standing(standing: Standing) -> dict[str, Any]:
    behind = None if standing.behind is None else _interval(standing.behind)
    return {
        "name": standing.name,
        "rank": standing.rank,
        "behind": behind,
        "scores": _by_way(standing.scores),
    }


def _by_way(scores: Mapping[tuple[Ways, str], PooledInterval]) -> dict[str, dict[str, Any]]:
    by_way: dict[str, dict[str, Any]] = {way: {} for way in WAYS}
    for (way, metric), interval in scores.items():
        by_way[way][metric] = _interval(interval)
    return by_way


def _interval(interval: PooledInterval) -> dict[str, Any]:
    values = asdict(interval)
    return {name: values[name] for name in ("estimate", "low", "high")}
