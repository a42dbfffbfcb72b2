"""Lines of a grid within sentences, such as `repeats: 7`, shown as code."""

from __future__ import annotations

import re
from collections.abc import Callable

from markupsafe import Markup

# A key and its value between two marks. Names of cells and files may hold marks, too.
LINE = re.compile(r"`([a-z_]+: [\w .,:{}\[\]-]{1,60})`")


def coded(
    sentence: str, plain: Callable[[str], object], code: Callable[[str], Markup]
) -> Markup:
    """A sentence for a page, with the lines of a grid that it names as code.

    Parameters
    ----------
    plain, code : make what stands outside of such a line, and such a line, safe for the page.
    """
    pieces = LINE.split(sentence)
    return Markup("").join(
        code(piece) if number % 2 else Markup("{}").format(plain(piece))
        for number, piece in enumerate(pieces)
    )
