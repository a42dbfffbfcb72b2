"""The option --plugin of commands that use a bundle, or scores that a plugin's metric gave."""

from __future__ import annotations

import argparse

from pipeline.config.plugins.named import with_installed, with_named


def add_plugins(parser: argparse.ArgumentParser) -> None:
    """Let a command be told which modules with parts of a bundle are trusted."""
    parser.add_argument(
        "--plugin", action="append", default=[], metavar="MODULE",
        help="a module with parts that it holds, which you trust: in the working folder, or "
        "importable (installed packages need no naming)",
    )


def take_plugins(options: argparse.Namespace) -> None:
    """Register the parts of the plugins that are named, and of those that are installed.

    Raises
    ------
    PluginError
        With what is wrong with those that are named.
    """
    if options.plugin:
        with_named(options.plugin)
    else:
        with_installed()
