"""What attention models looked at, on the page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reports.follow_up_record import AttentionRecord, MatchRecord
from reports.page.render import html_page, report_parts
from tests.support.records import FUSION, small_record


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
