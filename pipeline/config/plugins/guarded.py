"""Metrics of plugins: every run scores by them, and a failing one is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, TypeAlias

from pipeline.config.plugins.modules import PluginError
from pipeline.metrics.metric import Metric
from pipeline.metrics.retrieval import RetrievalMetric
from reports.wording import in_a_line

AnyMetric: TypeAlias = Metric | RetrievalMetric


def guarded(metric: AnyMetric, name: str) -> AnyMetric:
    """The metric, which raises PluginError with its name where it fails.

    Parameters
    ----------
    name : what messages call it.
    """
    given: Callable[..., Any] = metric.function

    @wraps(given)
    def function(*arguments: Any) -> Any:
        try:
            value = given(*arguments)
            return float(value) if isinstance(metric, Metric) else value
        except Exception as error:
            said = in_a_line(error)
            raise PluginError(f"{name} fails: {said}") from error

    either: Any = metric
    made: AnyMetric = replace(either, function=function)
    return made
