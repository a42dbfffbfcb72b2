"""The page of a run that goes on: what progress.json says, in the report's dress."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from reports.page.environment import environment
from reports.page.steps import steps_of
from reports.units import elapsed, moment, rough_duration
from reports.wording import (
    capitalize_first,
    clean,
    count,
    figure,
    metric_label,
    noun_of,
    short,
)


def page(said: Mapping[str, Any]) -> str:
    """The whole page, with what is known now.

    Parameters
    ----------
    said : what progress.json holds; see `pipeline.engine.showing.snapshot`.
    """
    template = _environment().get_template("page/progress.html")
    return template.render(said=said, state=Markup(_state(said)))


def script(said: Mapping[str, Any]) -> str:
    """What the page loads anew: the state as it would be written into the page now."""
    beat = {"heartbeat": said["heartbeat"], "running": said["state"] == "running"}
    values = (json.dumps(value) for value in (_state(said), beat))
    # nothing in it can end a script, wherever it is put
    return f"modalgrid({', '.join(values)});\n".replace("<", "\\u003c")


def _state(said: Mapping[str, Any]) -> str:
    return _environment().get_template("page/progress_state.html").render(
        said=said, steps=steps_of(said["stages"]), scores=_best_first(said["scores"])
    )


def _best_first(scores: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Scores that are not defined come last."""

    def rank(score: Mapping[str, Any]) -> tuple[bool, float]:
        value = score["value"]
        if value is None:
            return True, 0.0
        return False, -value if score["greater_is_better"] else value

    return sorted(scores, key=rank)


@cache
def _environment() -> Environment:
    """Without what draws charts, which a run whose report stands has no use for."""
    return environment(
        PackageLoader("reports"),
        lambda value: value if hasattr(value, "__html__") else clean(str(value)),
        (
            capitalize_first, count, elapsed, figure, metric_label, moment, noun_of,
            rough_duration, short,
        ),
    )
