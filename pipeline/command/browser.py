"""The browser of this machine, for a page that a person wants to look at."""

from __future__ import annotations

import argparse
import os
import webbrowser
from pathlib import Path


def add_open(parser: argparse.ArgumentParser) -> None:
    """Let a command be asked to show what it has written."""
    parser.add_argument("--open", action="store_true",
                        help="open the page in the browser when all is done")


def show(page: Path) -> None:
    """Open a page in the browser; one sentence where there is none.

    A browser for terminals is none: it would take the terminal, and draws no charts.
    """
    try:
        browser = webbrowser.get()
        opened = _has_windows(browser) and browser.open(page.resolve().as_uri())
    except webbrowser.Error:
        opened = False
    if not opened:
        print(f"There is no browser to open {page} with; it is one file, to be opened anywhere.")


def _has_windows(browser: webbrowser.BaseBrowser) -> bool:
    """Whether it is no browser for terminals, unless somebody wants that one."""
    for_terminals = type(browser) is webbrowser.GenericBrowser
    return not for_terminals or "BROWSER" in os.environ
