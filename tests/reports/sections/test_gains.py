"""Gains over one modality and maps of pairs of encoders, by value."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.testing.records import FUSION, IMAGE, SMALL_SCORES, TEXT, small_record
from reports.fold_record import CellRecord
from reports.page.render import write_report
from reports.sections import gains


def test_gains_compare_with_the_fusions_own_encoders():
    bow = CellRecord("bow / text_only", None, "bow", "text_only", "logistic")
    weak = CellRecord("cnn + bow / concat", "cnn", "bow", "concat", "logistic")
    orphan = CellRecord("vit + sbert / concat", "vit", "sbert", "concat", "logistic")
    record = small_record({**SMALL_SCORES, bow: (0.4,) * 4, weak: (0.58,) * 4, orphan: (0.61,) * 4})
    rows = {row.name: row for row in gains.facts(record).rows}
    assert list(rows) == [FUSION.name, orphan.name, weak.name]
    assert (rows[weak.name].over_half.other, rows[weak.name].overall.other) == (
        IMAGE.name,
        TEXT.name,
    )
    assert rows[weak.name].over_half.interval.mean == pytest.approx(0.05)
    assert rows[weak.name].overall.interval.mean == pytest.approx(-0.04)
    assert rows[orphan.name].over_half is None
    combined = replace(orphan, parts=(bow.name,))
    record = small_record({**SMALL_SCORES, bow: (0.4,) * 4, combined: (0.61,) * 4})
    assert {row.name: row for row in gains.facts(record).rows}[
        orphan.name
    ].over_half.other == bow.name


def test_a_further_encoder_is_compared_with_the_best_cell_of_one_fewer():
    both = CellRecord("cnn + tfidf+bow / concat", "cnn", "tfidf+bow", "concat", "logistic",
                      together=(("text", ("tfidf", "bow")),))
    bow = CellRecord("cnn + bow / concat", "cnn", "bow", "concat", "logistic")
    forest = replace(bow, name="cnn + bow / concat / forest", classifier="forest")
    other_picture = replace(bow, name="vit + bow / concat", image="vit")
    cells = {bow: (0.5,) * 4, forest: (0.9,) * 4, other_picture: (0.8,) * 4}
    rest = {**SMALL_SCORES, **cells}
    (addition,) = gains.facts(small_record({**rest, both: (0.7,) * 4})).additions
    assert (addition.name, addition.encoder, addition.gain.other) == (both.name, "bow", FUSION.name)
    assert addition.gain.interval.mean == pytest.approx(0.7 - 0.67)
    assert addition.gain.ahead == 3
    three = replace(both, name="three", text="tfidf+bow+sbert",
                    together=(("text", ("tfidf", "bow", "sbert")),))
    first, second = gains.facts(
        small_record({**rest, both: (0.7,) * 4, three: (0.72,) * 4})
    ).additions
    assert (first.name, first.encoder, first.gain.other) == ("three", "sbert", both.name)
    assert second.encoder == "bow"
    assert gains.facts(small_record(rest)).additions == ()


def test_pairs_of_encoders_are_framed_by_each_alone():
    bow = CellRecord("bow / text_only", None, "bow", "text_only", "logistic")
    pair = CellRecord("cnn + bow / concat", "cnn", "bow", "concat", "logistic")
    forest = replace(pair, name="cnn + bow / concat / forest", classifier="forest")
    late = CellRecord("cnn + bow / late", "cnn", "bow", "late", "logistic")
    pairs = gains.facts(
        small_record(
            {
                **SMALL_SCORES,
                bow: (0.4,) * 4,
                pair: (0.52,) * 4,
                forest: (0.5,) * 4,
                late: (0.3,) * 4,
            }
        )
    ).combinations
    assert (pairs.images, pairs.texts) == (("cnn",), ("tfidf", "bow"))
    assert [round(square.score, 3) for square in (*pairs.image_alone, *pairs.text_alone)] == [
        0.53,
        0.62,
        0.4,
    ]
    assert [shown.fusion for shown in pairs.maps] == ["concat", "late"]
    tfidf_pair, bow_pair = pairs.maps[0].squares[0]
    assert (tfidf_pair.score, tfidf_pair.share, tfidf_pair.above) == (
        pytest.approx(0.67),
        pytest.approx(1),
        True,
    )
    # the better of two classifiers, and below the picture alone
    assert (bow_pair.score, bow_pair.above) == (pytest.approx(0.52), False)
    assert pairs.maps[1].squares[0][0].score is None
    assert pairs.maps[1].squares[0][1].share == 0.0


def test_without_a_fusion_what_a_further_encoder_adds_is_still_told(tmp_path):
    """A grid of texts only may use several encoders together."""
    both = CellRecord(
        "tfidf+bow / text_only / logistic", None, "tfidf+bow", "text_only", "logistic",
        together=(("text", ("tfidf", "bow")),),
    )
    better = tuple(score + 0.1 for score in SMALL_SCORES[TEXT])
    record = small_record({TEXT: SMALL_SCORES[TEXT], both: better}, thumbnail=None)
    facts = gains.facts(record)
    assert (facts.rows, len(facts.additions)) == ((), 1)
    assert facts.additions[0].encoder == "bow"
    write_report(record, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "### What a further encoder adds" in text
    assert "Gain over one modality" not in text
