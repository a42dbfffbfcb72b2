"""A page printed as PDF by a Chromium that is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from reports.page.files import write_whole

# Chromium and what is built on it, as they are called where they are on the path,
NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
    "brave-browser",
)
# and where they are put where they are not.
ELSEWHERE = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
PDF = b"%PDF-"  # what a file begins with
PATIENCE = 120.0  # seconds for a page to be printed; a usual one takes three


class PrintError(Exception):
    """No browser that prints, or one that does not."""


def print_page(page: Path, target: Path, program: str | None = None) -> None:
    """Print a page as PDF by a Chromium that is there; a reader never sees half of it.

    Parameters
    ----------
    page : an HTML file that needs no network; everything collapsed in it is printed as well.
    target : the PDF, whose earlier version stays where anything fails.
    program : the Chromium; by default the first that there is.

    Raises
    ------
    PrintError
        Where there is no Chromium, or it prints nothing.
    """
    browser = program or next(_chromiums(), None)
    if browser is None or shutil.which(browser) is None:
        raise PrintError(_missing(program))
    # Beside the target, for a Chromium in a sandbox may not write anywhere else.
    with tempfile.TemporaryDirectory(prefix="printing-", dir=target.parent) as folder:
        printed = Path(folder) / "page.pdf"
        _run([browser, *_arguments(Path(folder)), f"--print-to-pdf={printed}",
              f"{page.resolve().as_uri()}#print"], printed)
        write_whole(target, lambda aside: shutil.copyfile(printed, aside))


def _chromiums() -> Iterator[str]:
    yield from filter(None, map(shutil.which, (*NAMES, *ELSEWHERE)))


def _missing(program: str | None) -> str:
    if program is not None:
        return f"there is no program {program}; --browser takes the path of a Chromium"
    return (
        "a PDF is printed by Chromium, Chrome or Edge, and none of them is here; install one, say "
        "--browser PATH, or print the page from any browser (everything collapsed is printed, too)"
    )


def _arguments(folder: Path) -> Iterator[str]:
    yield from (
        "--headless",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--no-pdf-header-footer",
        f"--user-data-dir={folder / 'profile'}",
        "--window-size=1300,900",
        "--virtual-time-budget=60000",  # milliseconds of the page's own time, for the charts
    )
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        yield "--no-sandbox"  # Chromium does not start for root with one


def _run(command: list[str], printed: Path) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PrintError(f"{command[0]} has not printed within {PATIENCE:.0f} s") from error
    except OSError as error:
        raise PrintError(f"{command[0]} does not start: {error}") from error
    if not _is_pdf(printed):
        said = done.stderr.strip().splitlines()
        why = f": {said[-1]}" if said else ""
        raise PrintError(f"{command[0]} printed nothing (exit code {done.returncode}){why}")


def _is_pdf(path: Path) -> bool:
    """Whether a file is there that begins as a PDF does."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(PDF)) == PDF
