"""No page may name a folder of the machine that it was built on: a build that does so fails."""

from __future__ import annotations

import html
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the tests do without it
    from sphinx.application import Sphinx

SHOWN = frozenset({".html", ".js", ".txt", ".json", ".ipynb", ".xml", ".md"})
MOST = 20  # that are named
ROOT = Path(__file__).resolve().parents[2]


class LocalPath(Exception):
    """Pages that name folders of this machine."""


def here() -> set[Path]:
    """Folders of this machine: of the source, of Python, of its user, of temporary files."""
    folders = (ROOT, Path(sys.prefix), Path(sys.base_prefix), Path.home(),
               Path(tempfile.gettempdir()))
    return {path for folder in folders for path in (folder, folder.resolve())} - {Path("/")}


def paths_in(text: str, folders: Iterable[Path]) -> list[str]:
    """The paths in a text that lead into one of the folders, each once."""
    starts = "|".join(re.escape(str(folder)) for folder in sorted(folders, key=str, reverse=True))
    named = re.findall(rf"(?<![\w/.-])(?:{starts})[/\\][^\s\"'<>&)]*", html.unescape(text))
    return list(dict.fromkeys(named))


def problems(site: Path, folders: Iterable[Path]) -> Iterator[str]:
    """Each page of a site that names such a path, with it."""
    folders = set(folders)
    for page in sorted(site.rglob("*")):
        if page.suffix not in SHOWN or not page.is_file() or ".doctrees" in page.parts:
            continue
        for path in paths_in(page.read_text(encoding="utf-8", errors="replace"), folders):
            yield f"{page.relative_to(site)}: {path}"


def check(app: Sphinx, error: Exception | None) -> None:
    """Refuse a site that was built with such paths in it."""
    broken = [] if error is not None else list(problems(Path(app.outdir), here()))
    if broken:
        raise LocalPath("\n".join(["pages name folders of this machine:", *broken[:MOST]]))


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at what was built when it was."""
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
