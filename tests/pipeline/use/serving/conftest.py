"""Applications of bundles, as tests ask for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from pipeline.use.serving.app import app_of
from pipeline.use.serving.limits import Limits
from pipeline.use.serving.service import Service
from tests.support.served import HOSTS, MadeUp


@pytest.fixture
def served() -> Iterator[Callable[..., Any]]:
    """A function that gives the application of a bundle and limits; all are closed afterwards."""
    with ExitStack() as stack:

        def application(bundle: Any = None, limits: Limits | None = None) -> Any:
            service = Service(bundle or MadeUp(), "# A card\n", limits)
            return app_of(stack.enter_context(service), HOSTS)

        yield application
