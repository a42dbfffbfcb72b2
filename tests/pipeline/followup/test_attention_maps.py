"""What attention models looked at: asked of a refitted model once, kept, and shown safely."""

from __future__ import annotations

import re

import numpy as np
import pytest

from models.neural.attention import Attention
from pipeline.followup import attention_task
from pipeline.followup.attention_maps import _varied
from pipeline.tasks import fit
from pipeline.testing.records import small_record
from reports.fold_record import FoldRecord
from reports.follow_up_record import AttentionRecord, MatchRecord
from reports.page.render import html_page, markdown_page, report_parts
from reports.record import RunRecord
from reports.sections import attention
from tests.support.tiny import GRID, register, run_grid, write_grid, write_table

FUSIONS = "fusion: [text_only, {attention: {epochs: 3, width: 8}}, {gated: {epochs: 3}}]"
TINY = (
    re.sub("fusion: .*", FUSIONS, GRID)
    .replace("text: [bow]", "text: [{word2vec: {size: 8, epochs: 1}}]")
    .replace("[1, 100]", "[1]")
)


@pytest.fixture
def record_of(tmp_path, monkeypatch):
    """Runs the tiny grid and gives the record that the report is made from."""
    register(monkeypatch)
    write_table(tmp_path)
    records = []
    monkeypatch.setattr(
        "reports.page.render.write_report", lambda record, folder: records.append(record)
    )

    def run(grid: str = TINY) -> RunRecord:
        write_grid(tmp_path, grid)
        assert run_grid(tmp_path) == 0
        return records[-1]

    return run


def first_fold(record: RunRecord, cell: str) -> FoldRecord:
    return next(result for result in record.folds if (result.cell, result.fold) == (cell, 0))


def test_regions_and_words_of_test_rows_are_kept_with_what_the_model_predicted(record_of):
    record = record_of()
    pairs, gated = record.attention
    result = first_fold(record, pairs.cell)
    assert "attention" in pairs.cell
    assert {match.row for match in pairs.matches} <= set(result.rows)
    for match in pairs.matches:
        where = list(result.rows).index(match.row)
        np.testing.assert_allclose(match.probabilities, result.probabilities[where], atol=1e-6)
        assert len(match.tokens) >= 4  # its own number is a word that no training text has
        assert list(match.tokens) == [
            word for word in record.texts[match.row].split() if word in match.tokens
        ]
        assert match.alpha.shape == (4, len(match.tokens))
        assert match.alpha.sum() == pytest.approx(1, abs=1e-5)
    assert gated.cell.startswith("mean_colour + word2vec")
    assert set(gated.rows) == set(first_fold(record, gated.cell).rows)
    assert np.all((gated.picture_weights > 0) & (gated.picture_weights < 1))


def test_a_second_run_fits_and_encodes_nothing_for_it(record_of, monkeypatch):
    first = record_of()
    monkeypatch.setattr(attention_task, "refit", None)
    monkeypatch.setattr(fit, "_result", None)
    monkeypatch.setattr(Attention, "fit", None)
    second = record_of()
    for before, after in zip(first.attention, second.attention, strict=True):
        assert before.cell == after.cell
        for match, again in zip(before.matches, after.matches, strict=True):
            assert (match.row, match.tokens) == (again.row, again.tokens)
            np.testing.assert_array_equal(match.alpha, again.alpha)


def test_courses_of_training_are_kept_with_the_results(record_of):
    record = record_of()
    courses = {result.cell: result.training for result in record.folds}
    assert courses.pop("word2vec(size=8, epochs=1) / text_only / logistic") is None
    for course in courses.values():
        assert 1 <= course["kept"] <= len(course["fitted"]) <= 3
        assert len(course["held_out"]) == len(course["fitted"])


def test_an_encoder_that_cannot_name_its_tokens_gives_regions_only(record_of):
    record = record_of(TINY.replace("{word2vec: {size: 8, epochs: 1}}", "bow"))
    assert all(
        match.tokens is None and match.alpha.shape == (4, 1)
        for match in record.attention[0].matches
    )
    facts = attention.facts(record)
    assert facts.matches[0].side == 2
    assert facts.matches[0].words == ()
    assert "words" not in facts.matches[0].sentence


def test_what_goes_wrong_is_a_remark_and_the_results_stand(record_of, monkeypatch):
    def fail(*_):
        raise RuntimeError("the lights went out")

    monkeypatch.setattr(attention_task, "refit", fail)
    record = record_of()
    assert record.attention == ()
    remark = "cannot be shown: RuntimeError: the lights went out"
    assert sum(remark in warning for warning in record.warnings) == 2
    assert not record.failures


def test_the_shown_rows_are_the_first_of_each_class():
    labels = np.array([0, 0, 0, 1, 2, 2])
    np.testing.assert_array_equal(
        _varied(np.array([2, 1, 0, 3, 5]), labels, 4), [0, 3, 5, 1]
    )


def shown() -> RunRecord:
    alpha = np.zeros((4, 2))
    alpha[3, 1], alpha[0, 0] = 0.75, 0.25
    match = MatchRecord(
        0, np.array([0.2, 0.7, 0.1]), alpha, ("<script>alert(1)</script>", "dog"), b"\xff\xd8jpeg"
    )
    pairs = AttentionRecord("cnn + sbert / attention", 0, 0, (match,))
    gated = AttentionRecord("cnn + sbert / gated", 0, 0, rows=np.array([0, 1, 4]),
                            picture_weights=np.array([0.2, 0.4, 0.9]))
    return small_record(attention=(pairs, gated))


def test_facts_by_value():
    facts = attention.facts(shown())
    match = facts.matches[0]
    assert (match.label, match.predicted, match.right, match.side) == ("cat", "dog", False, 2)
    assert [(part.name, part.weight) for part in match.regions] == [
        ("row 1, column 1", 0.25),
        ("row 1, column 2", 0),
        ("row 2, column 1", 0),
        ("row 2, column 2", 0.75),
    ]
    assert [part.weight for part in match.words] == [0.25, 0.75]
    assert match.sentence.startswith(
        "Heaviest words: “dog” (75 %) and “<script>alert(1)</script>” (25 %); an even"
    )
    assert [(gate.name, pytest.approx(gate.weight), gate.rows) for gate in facts.gates] == [
        ("dog", 0.9, 1), ("cat", 0.3, 2)]
    assert attention.facts(small_record()) is None


def test_the_page_shows_weights_in_words_too_and_runs_nothing_a_text_says():
    record = shown()
    parts = [part for part in report_parts(record) if part.name == "attention"]
    page, text = html_page(record, parts, ""), markdown_page(record, parts)
    for content in (page, text):
        assert "<script>alert" not in content
        assert "row 2, column 2 (75 %)" in content.replace("\N{NO-BREAK SPACE}", " ")
    assert 'role="img" aria-label="Picture of row row-0. Heaviest words:' in page
    assert page.count('<i style="opacity:') == 4
    assert "data:image/jpeg;base64," in page


def test_even_weights_look_pale():
    match = MatchRecord(0, np.array([1.0, 0, 0]), np.full((49, 10), 1 / 490), ("word",) * 10, None)
    facts = attention.facts(small_record(attention=(AttentionRecord("a", 0, 0, (match,)),)))
    assert {round(part.strength, 6) for part in facts.matches[0].regions} == {0.25}
