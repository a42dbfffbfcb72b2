"""Charts bundled and drawn once for all tests of reports."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="package")
def drawn_once() -> Iterator[None]:
    """Bundling the charts' script and drawing take seconds: each is done once for all reports."""
    import vl_convert

    vegalite_to_svg = vl_convert.vegalite_to_svg

    @functools.cache
    def draw(spec: str) -> str:
        return str(vegalite_to_svg(json.loads(spec), allowed_base_urls=[]))

    bundle = functools.cache(vl_convert.javascript_bundle)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vl_convert, "javascript_bundle", bundle)
        patch.setattr(
            vl_convert, "vegalite_to_svg", lambda spec, **_: draw(json.dumps(spec, sort_keys=True))
        )
        yield
