"""Pages that are complete in themselves, and the one on which a person asks."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.use.serving.service import Service
from reports.wording import clean, count, metric_label, short

POLICY = (
    "default-src 'none'; script-src {script}; style-src {style}; img-src blob: data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class HtmlPage:
    """A page that is complete in itself.

    Parameters
    ----------
    policy : its Content-Security-Policy, by which only its own script and style are heeded.
    """

    text: str
    policy: str


def question_page(service: Service) -> HtmlPage:
    """The page at /."""
    bundle, limits = service.bundle, service.limits
    return rendered(
        "page.html", "page.js",
        about=bundle.about,
        score=_score(bundle.about),
        classes=count(len(bundle.classes), "class", "classes"),
        modalities=bundle.cell.modalities,
        has_index=service.index is not None,
        limits=limits,
        megabytes=limits.request_bytes // 2**20,
    )


def _score(about: Mapping[str, Any]) -> str:
    """What to expect of the model."""
    metric, score = metric_label(str(about.get("metric", ""))), about.get("score")
    if score:
        return (
            f"{metric} {score['mean']:.3f} (95 % interval {score['low']:.3f} to "
            f"{score['high']:.3f})"
        )
    return f"{metric} {about['mean']:.3f}" if isinstance(about.get("mean"), float) else ""


def rendered(template: str, script: str | None, **facts: Any) -> HtmlPage:
    """A template with its style and script inside; everything else in it is escaped."""
    environment = Environment(
        loader=PackageLoader("pipeline.use.serving"),
        autoescape=True,
        finalize=lambda value: value if hasattr(value, "__html__") else clean(str(value)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["short"] = short
    style_text = _source(environment, "page.css")
    script_text = _source(environment, script) if script else ""
    text = environment.get_template(template).render(
        style=Markup(style_text), script=Markup(script_text), **facts
    )
    policy = POLICY.format(
        script=_digest(script_text) if script else "'none'", style=_digest(style_text)
    )
    return HtmlPage(text, policy)


def _source(environment: Environment, name: str) -> str:
    """A file of ours as it stands: no template, or its digest would not be that of its text."""
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
