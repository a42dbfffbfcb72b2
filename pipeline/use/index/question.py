"""Questions to an index: words and pictures that are added and taken away."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from features.block import Modality
from features.pictures.decoding import UnreadablePicture, check
from pipeline.data.reading.regular_files import read_regular
from pipeline.use.problem import BundleError

# A plus or minus with white space on both sides, outside of quotes.
SIGNED = re.compile(r"""("[^"]*")|\s([+-])\s""")


@dataclass(frozen=True)
class Term:
    """Words or a picture, added (sign 1) or taken away (-1).

    Parameters
    ----------
    content : the words, or the picture's file.
    label : how it was written.
    """

    modality: Modality
    content: str | bytes
    sign: int
    label: str


def question(text: str, pictures: Sequence[Path] = ()) -> tuple[Term, ...]:
    """The terms of a question such as `"bird" + sky.jpg - cage`, and pictures that are added.

    A term whose name ends like a picture's is a picture, unless it stands in quotes.

    Raises
    ------
    BundleError
        With every picture that cannot be read, and where nothing is asked.
    """
    problems: list[str] = []
    terms = [
        term for sign, written in _signed(text) if (term := _term(written, sign, problems))
    ]
    for path in pictures:
        added = _picture(str(path), 1, problems)
        terms += [added] if added else []
    if not terms and not problems:
        problems.append("nothing is asked: give words, or a picture with --image")
    elif terms and all(term.sign < 0 for term in terms):
        problems.append("everything is taken away: add words or a picture")
    if problems:
        raise BundleError("\n".join(problems))
    return tuple(terms)


def _signed(text: str) -> list[tuple[int, str]]:
    """What stands between the signs, with the sign before it."""
    parts, sign, start = [], 1, 0
    stripped = text.strip()
    if stripped[:2] in ("- ", "+ "):
        sign, stripped = (-1 if stripped[0] == "-" else 1), stripped[2:]
    for match in SIGNED.finditer(stripped):
        if match[2]:
            parts.append((sign, stripped[start : match.start()]))
            sign, start = (-1 if match[2] == "-" else 1), match.end()
    return [*parts, (sign, stripped[start:])]


def _term(written: str, sign: int, problems: list[str]) -> Term | None:
    words = written.strip()
    if len(words) > 1 and words[0] == words[-1] == '"':
        words = words[1:-1].strip()
    elif Path(words).suffix.lower() in Image.registered_extensions():
        return _picture(words, sign, problems)
    return Term("text", words, sign, words) if words else None


def _picture(path: str, sign: int, problems: list[str]) -> Term | None:
    try:
        content = read_regular(Path(path))
        check(content)
    except OSError as error:
        problems.append(f"picture {path}: {error.strerror or error}; words go in quotes")
    except UnreadablePicture as error:
        problems.append(f"picture {path}: {error}")
    else:
        return Term("image", content, sign, path)
    return None
