"""A real browser: headless Chromium through Playwright; tests of it skip without Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]


def chromium_program() -> str:
    """The path of a Chromium; tests skip without one."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        if os.environ.get("MODALGRID_BROWSER") == "required":
            pytest.fail("a Chromium was to be installed, but there is none")
        pytest.skip(f"no Chromium: none of {', '.join(PROGRAMS)} is installed")
    return program


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser that was started, and is ended afterwards."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = chromium_program()
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            yield started
        finally:  # else its profile stays in the folder for temporary files
            started.close()


def luminance(colour: str) -> float:
    """How bright a colour of CSS is, 0 to 1 (WCAG's relative luminance)."""
    channels = (
        np.array([float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]) / 255
    )
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(colour: str, other: str) -> float:
    """WCAG's contrast of two colours, 1 to 21."""
    darker, lighter = sorted((luminance(colour), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def texts(page: Any, root: str = "main") -> list[list[str]]:
    """Colour, ground and source of every element with a text of its own."""
    pairs: list[list[str]] = page.evaluate("""root => {
            const colour = element => getComputedStyle(element).backgroundColor;
            const shade = element => colour(element).startsWith('rgb(') ? colour(element) : '';
            const behind = parent => parent ? ground(parent) : 'rgb(255, 255, 255)';
            const ground = element => shade(element) || behind(element.parentElement);
            const isText = node => node.nodeType === 3 && node.data.trim();
            const words = element => [...element.childNodes].some(isText);
            return [...document.querySelectorAll(root + ' *')]
              .filter(element => !element.closest('svg, script') && words(element))
              .filter(element => !element.closest('td[style]'))
              .map(element => [getComputedStyle(element).color, ground(element),
                               element.outerHTML.slice(0, 100)]); }""", root)
    return pairs


def faint(pairs: list[list[str]]) -> list[list[str]]:
    """Those of `texts` that cannot be read well."""
    return [
        pair for pair in pairs if pair[0].startswith("rgb(") and contrast(pair[0], pair[1]) < 4.5
    ]


def unnamed(page: Any) -> list[str]:
    """Controls of which a screen reader could not say what they are for."""
    controls = page.locator("a, button, input, textarea, summary, .scroll, pre[tabindex]")
    return [
        controls.nth(position).evaluate("control => control.outerHTML.slice(0, 100)")
        for position in range(controls.count())
        if not controls.nth(position).evaluate(
            "control => (control.getAttribute('aria-label') || control.textContent || "
            "(control.labels && control.labels[0].textContent) || '').trim()"
        )
    ]
