"""What attention models looked at, on the page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.testing.records import FUSION, small_record
from reports.follow_up_record import AttentionRecord, MatchRecord
from reports.page.render import html_page, report_parts
from reports.sections import attention


def test_a_match_whose_regions_cover_the_whole_picture_shows_the_rows_thumbnail():
    alpha = np.full((4, 1), 0.25)
    matches = tuple(
        MatchRecord(row, np.array([0.2, 0.5, 0.3]), alpha, ("word",), None) for row in (0, 1)
    )
    record = replace(small_record(), attention=(AttentionRecord(FUSION.name, 0, 0, matches),))
    parts = [part for part in report_parts(record) if part.name == "attention"]
    page = html_page(record, parts, "")
    assert page.count('<img src="data:image/jpeg;base64,') == 1  # row 1 has no picture
    assert '<span class="absent">no picture</span>' in page


def test_marks_of_a_tokenizer_are_left_out_and_pieces_are_put_together():
    tokens = ("[CLS]", "rain", "##drop", "[UNK]", "<b>", "[SEP]")
    alpha = np.array([[0.2, 0.1, 0.1, 0.1, 0.1, 0.4]])
    match = MatchRecord(0, np.array([0.2, 0.5, 0.3]), alpha, tokens, None)
    record = replace(small_record(), attention=(AttentionRecord(FUSION.name, 0, 0, (match,)),))
    facts = attention.facts(record)
    (shown,) = facts.matches
    assert [(part.name, round(part.weight, 6)) for part in shown.words] == [
        ("raindrop", 0.5), ("[UNK]", 0.25), ("<b>", 0.25)
    ]
    assert facts.marks == pytest.approx(0.6)
    assert "“raindrop” (50 %)" in shown.sentence


@pytest.mark.parametrize("tokens", [("<s>", "</s>"), ("<|startoftext|>", "<end_of_text>")])
def test_a_text_of_marks_alone_has_no_words(tokens):
    alpha = np.array([[0.5, 0.5]])
    match = MatchRecord(0, np.array([0.2, 0.5, 0.3]), alpha, tokens, None)
    record = replace(small_record(), attention=(AttentionRecord(FUSION.name, 0, 0, (match,)),))
    facts = attention.facts(record)
    assert (facts.matches[0].words, facts.marks) == ((), None)
