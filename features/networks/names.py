"""Names of torchvision's and timm's networks, read from their source: importing them takes seconds.

A name that is mistyped is then refused at once.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

# A network is a function with this decorator, maybe among others.
REGISTERED = re.compile(r"^@register_model\b[^\n]*\n(?:@[^\n]*\n|[ )][^\n]*\n)*def (\w+)", re.M)
FUNCTION = re.compile(r"^def (\w+)\(", re.M)


@cache
def written_names(library: str) -> tuple[tuple[str, ...], frozenset[str]]:
    """Networks that a library registers, and all functions beside them; none where it is not there.

    Whatever is no function there is no network of it.
    """
    spec = find_spec(library)
    if spec is None or spec.origin is None:
        return (), frozenset()
    registered: list[str] = []
    functions: set[str] = set()
    for path in sorted((Path(spec.origin).parent / "models").glob("*.py")):
        text = path.read_text(encoding="utf-8", errors="replace")
        registered += REGISTERED.findall(text)
        functions.update(FUNCTION.findall(text))
    return tuple(dict.fromkeys(registered)), frozenset(functions)


def cannot_be(library: str, name: str) -> bool:
    """Whether a library has no network of that name, as its source tells without an import."""
    registered, functions = written_names(library)
    return bool(registered) and name not in functions
