"""Lines of a grid within sentences are code on the page, in Markdown too, and nothing else is."""

from __future__ import annotations

import pytest

from reports.page.render import templates


def shown(kind: str, sentence: str) -> str:
    return templates(kind).from_string("{{ sentence|coded }}").render(sentence=sentence)


@pytest.mark.parametrize(
    ("sentence", "html", "markdown"),
    [
        ("Try `repeats: 7`, or 5 %.", "Try <code>repeats: 7</code>, or 5\u00a0%.",
         "Try `repeats: 7`, or 5 %."),
        ("`rope: {f1_macro: 0.02}` and `repeats: 7`",
         "<code>rope: {f1_macro: 0.02}</code> and <code>repeats: 7</code>",
         "`rope: {f1_macro: 0.02}` and `repeats: 7`"),
        ("a cell `<b>: x` and a mark `", "a cell `&lt;b&gt;: x` and a mark `",
         "a cell \\`&lt;b&gt;: x\\` and a mark \\`"),
        ("`a` of *b*", "`a` of *b*", "\\`a\\` of \\*b\\*"),
        ("", "", ""),
    ],
)
def test_a_key_and_its_value_between_marks_are_code(sentence, html, markdown):
    assert shown("html", sentence) == html
    assert shown("md", sentence) == markdown
