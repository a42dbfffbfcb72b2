"""A run of one modality is asked which cell is best, and its report speaks of nothing else."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from pipeline.testing.records import IMAGE, MAJORITY, SMALL_SCORES, TEXT, small_record
from reports.fold_record import CellRecord
from reports.follow_up_record import LabelsRecord
from reports.page.render import write_report
from reports.page.terminal import closing
from reports.record import RunRecord
from reports.sections.verdict import facts
from reports.unreached_record import UnreachedRecord
from tests.support.page import Page
from tests.support.probed import probed_record

BOW = CellRecord("bow / text_only / logistic", None, "bow", "text_only", "logistic")
RIDGE = CellRecord("tfidf / text_only / ridge", None, "tfidf", "text_only", "ridge")
OF_TWO = re.compile(
    r"(?:second|single|one) modality|both modalities|\bfusions?\b|disagree|picture"
)


def of_texts(*others: tuple[CellRecord, tuple[float, ...]], **changes) -> RunRecord:
    """A run of texts: TEXT at .60 to .64, further cells, and the baseline at .25."""
    scores = {TEXT: SMALL_SCORES[TEXT], **dict(others), MAJORITY: SMALL_SCORES[MAJORITY]}
    return small_record(scores, thumbnail=None, **changes)


def of_pictures() -> RunRecord:
    scores = {cell: SMALL_SCORES[cell] for cell in (IMAGE, MAJORITY)}
    return small_record(scores, texts=[None] * 12)


def test_the_headline_names_the_best_cell_and_how_surely_it_leads():
    behind = of_texts((BOW, (0.40, 0.42, 0.44, 0.41)))
    assert facts(behind).headline == (
        "“tfidf / text_only / logistic” is best: balanced accuracy 0.620"
    )
    level = of_texts((BOW, (0.61, 0.61, 0.63, 0.62)), (RIDGE, (0.60, 0.63, 0.60, 0.62)))
    said = facts(level)
    assert said.headline == (
        "“tfidf / text_only / logistic” leads, “bow / text_only / logistic” may do as well: "
        "balanced accuracy 0.625"
    )
    assert said.evidence.startswith("95 % interval 0.")
    assert "+0.375 over the baseline (+0.3" in said.evidence
    assert "P(better than it) > .99" in said.evidence
    sure = dict(said.lines)["How sure"]
    assert "ahead of the next, “bow / text_only / logistic” (" in sure
    assert "not told apart from it, nor is it from 1 other cell." in sure
    assert "By accuracy it is the best, too." in sure
    assert said.headline in closing(level)
    assert sure.split(" By accuracy")[0] in closing(level)


def test_encoders_and_classifiers_are_compared_and_drawn():
    said = facts(of_texts((BOW, (0.40, 0.42, 0.44, 0.42)), (RIDGE, (0.50, 0.52, 0.54, 0.52))))
    assert [(bar.label, round(bar.mean, 2)) for bar in said.bars] == [
        ("tfidf", 0.62), ("bow", 0.42), ("Baseline", 0.25)
    ]
    assert said.bars_of == "text encoder"
    assert any("Of 2 text encoders “tfidf” does best, ahead of “bow” by +0.200" in sentence
               for sentence in said.further)
    assert any("Of 2 classifiers “logistic” does best, ahead of “ridge” by +0.100" in sentence
               for sentence in said.further)
    of_classifiers = facts(of_texts((RIDGE, (0.50, 0.52, 0.54, 0.52))))
    assert [bar.label for bar in of_classifiers.bars] == ["logistic", "ridge", "Baseline"]


def test_what_does_not_beat_guessing_is_said_in_the_headline():
    record = of_texts()
    level = replace(record, folds=tuple(
        replace(fold, scores={**fold.scores, "balanced_accuracy": 0.25 + 0.01 * (-1) ** fold.fold})
        if fold.cell == TEXT.name else fold
        for fold in record.folds
    ))
    assert facts(level).headline == (
        "Not shown that any cell is better than guessing: balanced accuracy 0.250, and 0.250 by "
        "the baseline “majority”"
    )


def test_one_fold_and_few_groups_are_sure_of_nothing():
    scores = {TEXT: (0.62,), BOW: (0.55,), MAJORITY: (0.25,)}
    said = facts(small_record(scores, thumbnail=None))
    assert said.evidence is None
    assert "which one fold cannot tell from chance" in dict(said.lines)["How sure"]
    few = of_texts(groups=np.array([0, 1, 2, 3] * 3), group_name="brand")
    assert facts(few).evidence is None


def test_too_little_time_says_what_was_asked():
    record = of_texts(unreached=UnreachedRecord("10m", 0, 5, decides=False))
    assert facts(record).answer == "not reached"
    assert "too little is whole to say which cell is best" in facts(record).headline


@pytest.mark.parametrize("modality", ["text", "picture"])
def test_the_report_speaks_of_no_second_modality(modality, tmp_path):
    record = of_texts((BOW, (0.61, 0.61, 0.63, 0.62))) if modality == "text" else of_pictures()
    cell = TEXT if modality == "text" else IMAGE
    probes = tuple(probe for probe in probed_record().probes if probe.cell == cell.name)
    doubted = LabelsRecord(cell.name, 12, np.array([4]), np.array([[0.7, 0.1, 0.2]]))
    write_report(replace(record, probes=probes, label_issues=doubted), tmp_path)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    scripts = {text for _, text in page.scripts}
    shown = " ".join(word for word in page.words if word not in scripts)
    shown = shown[shown.index("Verdict"):]
    for text in (shown, markdown):
        words = set(OF_TWO.findall(text))
        assert words <= ({"picture"} if modality == "picture" else set())
        assert "Mistakes, row by row" in text
        assert "Not what the label says: 1 row" in text
        assert f"In the altered rows the {modality} is marked missing." in text
        assert "no picture" not in text
        assert modality == "text" or "no text" not in text
    headings = [line for line in markdown.splitlines() if line.startswith("| id |")]
    text_column = " text |" if modality == "text" else ""
    assert headings == [f"| id |{text_column} label | by {modality} |"]
