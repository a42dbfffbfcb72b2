"""Plugins where there is no grid: whoever uses a bundle names them, installed ones come untold."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from pipeline.config.plugins.active import activate, carried
from pipeline.config.plugins.modules import PluginError


def with_named(names: Sequence[str]) -> None:
    """Register the parts of modules, importable or in the working folder, and of installed plugins.

    Raises
    ------
    PluginError
        With all that is wrong with those that are named.
    """
    problems = activate(names, Path.cwd())
    if problems:
        raise PluginError("\n".join(chain.from_iterable(problems.values())))


def with_installed() -> None:
    """Register the parts of installed plugins, where no plugins take part yet."""
    if not carried().references:
        activate((), Path.cwd())
