"""Texts as tokenisers take them: of whole characters."""

from __future__ import annotations

from collections.abc import Sequence


def valid_text(text: str) -> str:
    """The text with a question mark for each lone surrogate.

    Half a character, from a cut UTF-16 text, is no text that a tokeniser takes.
    """
    return text.encode("utf-8", "replace").decode()


def valid_texts(texts: Sequence[str]) -> list[str]:
    """See `valid_text`, of each."""
    return list(map(valid_text, texts))
