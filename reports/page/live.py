"""The page of a run that goes on: what progress.json says, in the report's dress."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports.page.compiled import compiled_templates
from reports.units import elapsed, rough_duration
from reports.wording import clean, count, figure, metric_label, short


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
        said=said, scores=_best_first(said["scores"])
    )


def _best_first(scores: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Scores that are not defined come last."""

    def rank(score: Mapping[str, Any]) -> tuple[bool, float]:
        value = score["value"]
        if value is None:
            return True, 0.0
        return False, -value if score["greater_is_better"] else value

    return sorted(scores, key=rank)


def capitalize_first(text: str) -> str:
    """Text that begins a line; the rest of it is left as it is."""
    return text[:1].upper() + text[1:]


def moment(seconds: float) -> str:
    """Seconds since 1970 as a clock on the wall shows them."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        finalize=lambda value: value if hasattr(value, "__html__") else clean(str(value)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        bytecode_cache=compiled_templates(),
    )
    filters = (
        capitalize_first, count, elapsed, figure, metric_label, moment, rough_duration, short,
    )
    environment.filters.update({filter_.__name__: filter_ for filter_ in filters})
    return environment
