"""What a time limit left out is named, and answers nothing that it may yet change."""

from __future__ import annotations

import pytest

from pipeline.testing.records import FUSION, IMAGE, SMALL_SCORES, TEXT, small_record
from reports.answer.verdict import verdict
from reports.sections.verdict import facts
from reports.sentences.unreached import all_unreached, not_reached
from reports.unreached_record import UnreachedRecord

NETWORK = UnreachedRecord("10m", 4, 5, ("a + b / gated",), ("fusion",))


@pytest.mark.parametrize(
    ("unreached", "sentence"),
    [
        (NETWORK, "Not reached within 10m: repeat 5 of 5; 1 cell, “a + b / gated”. "),
        (UnreachedRecord("90s", 2, 5), "Not reached within 90s: repeats 3 to 5 of 5. "),
        (
            UnreachedRecord("2h", 5, 5, follow_ups=("altered rows of “a”",)),
            "Not reached within 2h: altered rows of “a”. ",
        ),
        (
            UnreachedRecord("2h", 1, 1, tuple("abcde"), ("text",), decides=False),
            "Not reached within 2h: a whole repeat of the cells that come first; 5 cells, “a”, "
            "“b”, “c” and 2 more. ",
        ),
    ],
)
def test_the_sentence_says_what_is_missing(unreached, sentence):
    assert list(not_reached(unreached)) == [f"{sentence}The same command goes on from here."]


def test_a_file_names_every_cell():
    unreached = UnreachedRecord("2h", 1, 2, tuple("abcde"))
    assert all_unreached(unreached) == (
        "not reached within 2h: repeat 2 of 2; 5 cells, a, b, c, d and e"
    )


def test_all_there_says_nothing():
    assert list(not_reached(None)) == []
    assert facts(small_record()).cautions == facts(small_record(unreached=None)).cautions


def test_an_answer_that_is_there_stands_and_says_what_it_does_not_rest_on():
    record = small_record(unreached=NETWORK)
    said = facts(record)
    assert said.answer == facts(small_record()).answer == "probably pays"
    assert said.gain == facts(small_record()).gain
    assert said.cautions[0] == next(not_reached(NETWORK))


def test_nothing_is_concluded_from_less_than_a_repeat():
    record = small_record(unreached=UnreachedRecord("10m", 1, 5, decides=False))
    reached = verdict(record)
    assert (reached.answer, reached.gain, dict(reached.procedures)) == ("not reached", None, {})
    assert facts(record).headline.startswith("The time did not suffice for an answer")


@pytest.mark.parametrize(
    ("lacking", "kinds", "answer"),
    [
        ((FUSION,), ("fusion",), "not reached"),
        ((IMAGE, TEXT), ("image", "text"), "not reached"),
        ((IMAGE,), ("image",), "not reached"),
        ((IMAGE,), ("fusion",), "half compared"),  # more time would not mend that
        ((IMAGE, TEXT, FUSION), ("text",), "not reached"),
    ],
)
def test_what_more_time_may_answer_is_not_reached(lacking, kinds, answer):
    scores = {cell: row for cell, row in SMALL_SCORES.items() if cell not in lacking}
    unreached = UnreachedRecord("10m", 1, 5, tuple(cell.name for cell in lacking), kinds)
    assert verdict(small_record(scores, unreached=unreached)).answer == answer
    assert verdict(small_record(scores)).answer != "not reached"
