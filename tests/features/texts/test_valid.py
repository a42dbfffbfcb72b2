"""Texts of whole characters."""

from __future__ import annotations

from features.texts.valid import valid_text, valid_texts


def test_half_a_character_becomes_a_question_mark_and_whole_ones_stay() -> None:
    assert valid_text("a\ud83d b") == "a? b"
    assert valid_texts(["\U0001f600 \u7ea2", ""]) == ["\U0001f600 \u7ea2", ""]
