"""The source `easy_vqa`: its questions, their kinds, and what is said where it is not installed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pipeline.data.sources.questions.easy_vqa import EasyVqa, kind_of
from tests.support.installs import uninstall
from tests.support.source_examples import problems_of

HERE = Path()


@pytest.fixture(scope="module")
def everything():
    pytest.importorskip("easy_vqa", reason="the package easy-vqa is an optional extra")
    return EasyVqa().load(HERE)


def test_all_questions_come_with_the_official_split(everything):
    assert Counter(everything.split) == {"train": 38575, "test": 9673}
    assert len({picture.path for picture in everything.pictures}) == 5000
    assert len(set(everything.ids)) == 48248
    assert len(set(everything.labels)) == 13
    assert Counter(everything.labels)["yes"] == 14229 + 3611
    first = (everything.texts[0], everything.labels[0], everything.pictures[0].path.name)
    assert first == ("what is the blue shape?", "rectangle", "0.png")


def test_a_group_is_a_picture_and_no_picture_is_in_both_parts(everything):
    of_group = {}
    for group, picture, part in zip(
        everything.groups["picture"], everything.pictures, everything.split, strict=True
    ):
        assert of_group.setdefault(group, (picture, part)) == (picture, part)
    assert len(of_group) == 5000


def test_answers_fit_the_kind_of_their_question(everything):
    answers: dict[str, set[str]] = {}
    for kind, answer in zip(everything.breakdown["kind"], everything.labels, strict=True):
        answers.setdefault(kind, set()).add(answer)
    assert answers["what shape"] == {"circle", "rectangle", "triangle"}
    assert answers["yes or no: shape"] == answers["yes or no: colour"] == {"yes", "no"}
    colours = {"black", "blue", "brown", "gray", "green", "red", "teal", "yellow"}
    assert answers["what colour"] == colours
    assert everything.recurring == {"text"}


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("what is the blue shape?", "what shape"),
        ("what shape does the image contain?", "what shape"),
        ("what is the color of the shape?", "what colour"),
        ("is no circle present?", "yes or no: shape"),
        ("does the image not contain a gray shape?", "yes or no: colour"),
    ],
)
def test_kinds_are_read_from_the_question(question, kind):
    assert kind_of(question) == kind


def test_some_pictures_come_with_all_of_their_questions(everything):
    some = EasyVqa(pictures=50).load(HERE)
    assert some.ids != EasyVqa(pictures=50, sample_seed=1).load(HERE).ids
    parts = dict(zip(some.groups["picture"], some.split, strict=True))
    assert Counter(parts.values()) == {"train": 40, "test": 10}
    asked = Counter(group for group in everything.groups["picture"] if group in parts)
    assert Counter(some.groups["picture"]) == asked


def test_more_pictures_than_there_are_is_a_problem():
    pytest.importorskip("easy_vqa", reason="the package easy-vqa is an optional extra")
    assert problems_of(lambda: EasyVqa(pictures=5001).load(HERE)) == [
        "pictures: 5001 is more than the 5000 pictures there are"
    ]


def test_a_missing_package_is_told_with_its_install(monkeypatch):
    uninstall(monkeypatch, "easy_vqa")
    [problem] = problems_of(lambda: EasyVqa().load(HERE))
    assert problem == (
        'easy_vqa needs easy-vqa, which is not installed: pip install "modalgrid[vqa]"'
    )
