"""The report: facts by value, words by golden file, and what must never break the page.

The golden files are written anew by `MODALGRID_GOLDEN=write pytest tests/reports`; read the
difference before committing it.
"""

from __future__ import annotations

import functools
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import SECTIONS
from reports.analysis.ranking import rank_cells
from reports.analysis.statistics import corrected_resampled_interval
from reports.page import markdown
from reports.page.render import report_parts, write_report
from reports.record import CellRecord, FailureRecord, FoldRecord, StepRecord
from reports.sections import calibration, cost, gains, leaderboard, method, verdict, winner
from reports.sections import leaderboard_latex as latex
from reports.wording import clean, distinct, duration, figure, short, signed
from tests.support.paths import ROOT
from tests.support.records import (
    FUSION,
    IMAGE,
    MAJORITY,
    SMALL_SCORES,
    TEXT,
    eventful_record,
    hostile,
    realistic_record,
    small_record,
)

# what the small record does not have
SECOND_PHASE = {"attention", "robustness", "training", "learning_curve"}
GOLDEN = Path(__file__).parent / "golden"
@pytest.fixture(autouse=True, scope="module")
def bundled_once() -> Iterator[None]:
    """Bundling the charts' script and drawing take seconds: each is done once for all reports of this file."""
    import vl_convert

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            vl_convert, "javascript_bundle", functools.cache(vl_convert.javascript_bundle)
        )
        draw = functools.cache(lambda spec: vl_convert_draw(json.loads(spec), allowed_base_urls=[]))
        vl_convert_draw = vl_convert.vegalite_to_svg
        patch.setattr(
            vl_convert, "vegalite_to_svg", lambda spec, **_: draw(json.dumps(spec, sort_keys=True))
        )
        yield


# --- statistics
# ---------------------------------------------------------------------------------------

def test_corrected_interval_by_hand():
    # mean .05; squared deviations .0001 .0009 .0001 .0009, so s^2 = .002 / 3; t(3, .975) =
    # 3.18244631; factor 1/4 + 25/75 = .583333; half = 3.18244631 * sqrt(.583333 * .000666667) =
    # .06275869
    interval = corrected_resampled_interval([0.06, 0.02, 0.04, 0.08], [75] * 4, [25] * 4)
    assert interval.mean == pytest.approx(0.05)
    assert interval.low == pytest.approx(0.05 - 0.06275869, abs=1e-7)
    assert interval.high == pytest.approx(0.05 + 0.06275869, abs=1e-7)
    assert (interval.folds, interval.direction) == (4, 0)


def test_corrected_interval_is_wider_than_the_naive_one():
    differences = [0.06, 0.02, 0.04, 0.08]
    corrected = corrected_resampled_interval(differences, [75] * 4, [25] * 4)
    naive = 3.18244631 * np.std(differences, ddof=1) / math.sqrt(4)
    ratio = (corrected.high - corrected.low) / (2 * naive)
    assert ratio == pytest.approx(math.sqrt(1 + 4 * 25 / 75))


def test_one_fold_has_no_interval_and_no_direction():
    interval = corrected_resampled_interval([0.3], [75], [25])
    assert (interval.mean, interval.low, interval.high, interval.direction) == (
        0.3,
        None,
        None,
        None,
    )


def test_equal_differences_give_a_point():
    assert corrected_resampled_interval([0.0] * 5, [8] * 5, [2] * 5).direction == 0
    assert corrected_resampled_interval([-0.5] * 5, [8] * 5, [2] * 5).direction == -1


@pytest.mark.parametrize(("differences", "n_train", "n_test", "rule"), [
    ([], [], [], "finite"), ([math.nan], [8], [2], "finite"), ([0.1, 0.2], [8], [2, 2], "every difference"),
    ([0.1], [0], [2], "at least 1")])
def test_interval_refuses_what_it_cannot_use(differences, n_train, n_test, rule):
    with pytest.raises(ValueError, match=rule):
        corrected_resampled_interval(differences, n_train, n_test)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=20), st.floats(-1, 1))
def test_interval_moves_with_its_differences(differences, shift):
    sizes = ([80] * len(differences), [20] * len(differences))
    first = corrected_resampled_interval(differences, *sizes)
    second = corrected_resampled_interval([value + shift for value in differences], *sizes)
    assert second.low == pytest.approx(first.low + shift, abs=1e-9)
    assert first.low <= first.mean + 1e-12
    assert first.mean <= first.high + 1e-12


# --- facts
# --------------------------------------------------------------------------------------------

def test_ranking_by_value():
    ranking = rank_cells(small_record())
    assert [(s.cell.name, s.rank) for s in ranking.standings] == [
        (FUSION.name, 1), (TEXT.name, 2), (IMAGE.name, 3), (MAJORITY.name, 4)]
    assert ranking.standings[0].score.mean == pytest.approx(0.67)
    assert ranking.standings[0].score.deviation == pytest.approx(math.sqrt(0.002 / 3))


def test_equal_means_share_a_rank():
    ranking = rank_cells(small_record({IMAGE: (0.5, 0.5), TEXT: (0.5, 0.5), MAJORITY: (0.2, 0.2)}))
    assert [s.rank for s in ranking.standings] == [1, 1, 3]


def test_gain_is_paired_by_fold_whatever_the_order_of_records():
    record = small_record()
    shuffled = replace(record, folds=tuple(reversed(record.folds)))
    for given_record in (record, shuffled):
        comparison = verdict.facts(given_record).gain
        assert [round(gain, 10) for _, gain in comparison.gains] == [0.06, 0.02, 0.04, 0.08]
        assert (comparison.cell, comparison.other, comparison.ahead) == (FUSION.name, TEXT.name, 4)
        # n_train 9, n_test 3: the factor of the hand-computed example above
        assert comparison.interval.low == pytest.approx(0.05 - 0.06275869, abs=1e-7)


def test_verdict_of_the_small_record():
    facts = verdict.facts(small_record())
    assert facts.answer == "unclear"
    assert [(bar.kind, round(bar.mean, 3), round(bar.share, 3)) for bar in facts.bars] == [
        ("image", 0.53, 0.53),
        ("text", 0.62, 0.62),
        ("fusion", 0.67, 0.67),
        ("baseline", 0.25, 0.25),
    ]
    assert "adding the picture" in facts.headline
    assert any("Only 4 folds" in caution for caution in facts.cautions)


@pytest.mark.parametrize(("gain", "answer", "words"), [
    ((0.10, 0.11, 0.12, 0.11), "pays", "pays: it raises balanced accuracy by 0.110"),
    ((-0.10, -0.11, -0.12, -0.11), "costs", "does not pay: it lowers balanced accuracy by 0.110"),
    ((0.1, -0.1, 0.1, -0.1), "unclear", "do not show"),
    ((0, 0, 0, 0), "equivalent", "makes no difference in practice")])
def test_verdict_follows_the_interval(gain, answer, words):
    fusion = tuple(text + by for text, by in zip(SMALL_SCORES[TEXT], gain, strict=True))
    facts = verdict.facts(small_record({**SMALL_SCORES, FUSION: fusion}))
    assert facts.answer == answer
    assert words in facts.headline


def test_the_first_sentence_holds_both_scores_the_interval_and_the_probability():
    words = verdict.facts(small_record()).headline
    assert (
        "by 0.050, from 0.620 to 0.670 (95 % interval of the gain \N{MINUS SIGN}0.013 to +0.113"
        in words
    )
    assert "; P(better) .93)" in words


def test_many_comparisons_make_a_gain_unclear_that_its_own_interval_shows():
    gains = (0.05, 0.09, 0.06, 0.04)
    fusion = tuple(text + by for text, by in zip(SMALL_SCORES[TEXT], gains, strict=True))
    others = {
        CellRecord(f"late {number}", "cnn", "tfidf", f"late {number}", None): (0.5, 0.6, 0.62, 0.52)
        for number in range(6)
    }
    assert verdict.facts(small_record({**SMALL_SCORES, FUSION: fusion})).answer == "pays"
    facts = verdict.facts(small_record({**SMALL_SCORES, FUSION: fusion, **others}))
    assert (facts.answer, facts.gain.interval.direction) == ("unclear", 1)
    assert facts.adjusted > 0.05 > facts.gain.test.p_value
    assert any("after Holm's correction" in sentence for sentence in facts.sentences)


def test_the_cheapest_choice_that_is_as_good():
    late = CellRecord("cnn + tfidf / late", "cnn", "tfidf", "late", None)
    record = small_record(
        {**SMALL_SCORES, late: tuple(value - 0.004 for value in SMALL_SCORES[FUSION])}
    )
    assert not any("cheapest" in sentence for sentence in verdict.facts(record).sentences)
    dear = replace(
        record,
        folds=tuple(
            replace(fold, fit_seconds=90.0) if fold.cell == FUSION.name else fold
            for fold in record.folds
        ),
    )
    (said,) = (sentence for sentence in verdict.facts(dear).sentences if "cheapest" in sentence)
    assert (
        "is “cnn + tfidf / late”: 6.8 s instead of 96.3 s to encode, fit and predict a fold" in said
    )
    assert "differs by 0.004 on average" in said


def test_a_loss_is_better_when_lower():
    record = replace(small_record(), metric="log_loss")
    facts = verdict.facts(record)
    assert facts.gain.interval.mean == pytest.approx(0.05)
    assert rank_cells(record).best().cell == FUSION
    pays = {**SMALL_SCORES, FUSION: tuple(value + 0.2 for value in SMALL_SCORES[TEXT])}
    assert (
        "pays: it lowers log loss by 0.200"
        in verdict.facts(small_record(pays, metric="log_loss")).headline
    )


def test_a_hold_out_concludes_nothing(tmp_path):
    record = small_record({cell: scores[:1] for cell, scores in SMALL_SCORES.items()})
    facts = verdict.facts(record)
    assert facts.answer == "one fold"
    assert facts.gain.interval.low is None
    assert any("hold-out" in caution for caution in facts.cautions)
    write_report(record, tmp_path)
    assert "nan" not in (tmp_path / "report.md").read_text().lower()


def test_missing_folds_and_failures_are_not_ranked():
    partial = CellRecord("partial", "cnn", "tfidf", "late", None)
    record = small_record({**SMALL_SCORES, partial: (0.99, 0.99, None, 0.99)})
    assert rank_cells(record).best().cell == FUSION
    row = leaderboard.facts(record).rows[-1]
    assert (row.name, row.rank, row.done, row.note) == ("partial", None, 3, "only 3 of 4 folds")
    failed = replace(record, failures=(FailureRecord(FUSION.name, 0, 3, "MemoryError", "trace"),))
    assert rank_cells(failed).best().cell == TEXT
    assert any(
        "failed" in caution and FUSION.name in caution for caution in verdict.facts(failed).cautions
    )
    assert any(
        "without a score on every fold" in caution for caution in verdict.facts(failed).cautions
    )


def test_a_fold_without_a_score_counts_for_no_cell():
    nan = math.nan
    record = small_record({TEXT: (0.6, nan, 0.7), FUSION: (0.7, nan, 0.9)})
    facts = leaderboard.facts(record)
    assert (facts.excluded, facts.rows[0].scores[0].mean) == (1, pytest.approx(0.8))
    assert [key for key, _ in facts.rows[0].by_fold] == [(0, 0), (0, 2)]
    assert verdict.facts(record).gain.interval.folds == 2
    one_sided = small_record({TEXT: (0.6, 0.6, 0.7), FUSION: (0.7, nan, 0.9)})
    assert rank_cells(one_sided).best().cell == TEXT


@pytest.mark.parametrize(("cells", "answer", "left_out"), [
    ([MAJORITY], "not compared", {"gains", "gallery", "calibration"}), ([IMAGE, MAJORITY], "not compared", {"gains"}),
    ([FUSION], "not compared", {"gains"}), ([IMAGE, TEXT], "not compared", {"gains"}),
    ([TEXT, FUSION], "half compared", set()), ([IMAGE, TEXT, FUSION], "unclear", set())])
def test_sections_without_facts_are_left_out(cells, answer, left_out, tmp_path):
    record = small_record({cell: SMALL_SCORES[cell] for cell in cells})
    assert verdict.facts(record).answer == answer
    assert {part.name for part in report_parts(record)} == set(SECTIONS) - left_out - SECOND_PHASE
    write_report(record, tmp_path)


def test_a_modality_that_was_not_tried_alone_is_not_said_to_need_the_other():
    facts = verdict.facts(small_record({cell: SMALL_SCORES[cell] for cell in (TEXT, FUSION)}))
    assert "the picture alone was not compared and may do as well: add image_only" in facts.headline
    assert not any("pays" in sentence for sentence in (facts.headline, *facts.sentences))


def test_a_run_in_which_everything_failed_still_has_a_report(tmp_path):
    record = replace(small_record(), folds=(), steps=(), stages=(), failures=tuple(
        FailureRecord(cell.name, None, None, "RuntimeError: no", "trace") for cell in SMALL_SCORES))
    assert verdict.facts(record).answer == "no result"
    files = write_report(record, tmp_path)
    assert not [path for path in files if path.suffix == ".svg"]
    write_report(
        replace(
            small_record(),
            folds=tuple(
                replace(fold, scores={**fold.scores, "balanced_accuracy": math.nan})
                for fold in small_record().folds
            ),
        ),
        tmp_path,
    )


def test_an_unknown_metric_is_an_error():
    with pytest.raises(ValueError, match="'gini' is not among"):
        rank_cells(small_record(metric="gini"))


def test_gains_compare_with_the_fusions_own_encoders():
    bow = CellRecord("bow / text_only", None, "bow", "text_only", "logistic")
    weak = CellRecord("cnn + bow / concat", "cnn", "bow", "concat", "logistic")
    orphan = CellRecord("vit + sbert / concat", "vit", "sbert", "concat", "logistic")
    record = small_record({**SMALL_SCORES, bow: (0.4,) * 4, weak: (0.58,) * 4, orphan: (0.61,) * 4})
    rows = {row.name: row for row in gains.facts(record).rows}
    assert list(rows) == [FUSION.name, orphan.name, weak.name]
    assert (rows[weak.name].own.other, rows[weak.name].overall.other) == (IMAGE.name, TEXT.name)
    assert rows[weak.name].own.interval.mean == pytest.approx(0.05)
    assert rows[weak.name].overall.interval.mean == pytest.approx(-0.04)
    assert rows[orphan.name].own is None
    combined = replace(orphan, parts=(bow.name,))
    record = small_record({**SMALL_SCORES, bow: (0.4,) * 4, combined: (0.61,) * 4})
    assert {row.name: row for row in gains.facts(record).rows}[orphan.name].own.other == bow.name


def test_encoders_are_told_apart_in_the_verdict():
    bow = CellRecord("bow / text_only", None, "bow", "text_only", "logistic")
    facts = verdict.facts(small_record({**SMALL_SCORES, bow: (0.40, 0.42, 0.44, 0.42)}))
    assert any("Of 2 text encoders “tfidf” does best alone, ahead of “bow” by +0.200" in sentence
               for sentence in facts.sentences)


def test_alarms_stand_before_the_verdict_and_once(tmp_path):
    record = small_record(alarms=("The class stands in 98 % of the texts.",))
    assert verdict.facts(record).alarms == record.alarms
    write_report(record, tmp_path)
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert text.count("The class stands in 98 % of the texts.") == 1
        assert text.index("The class stands in") < text.index(verdict.facts(record).headline)


def test_calibration_shows_what_scaling_changes():
    record = small_record()
    plain = calibration.facts(record)
    assert (
        [one.cell for one in plain.cells]
        == list(plain.drawn)
        == [FUSION.name, TEXT.name, IMAGE.name]
    )
    assert set(calibration.charts(plain)) == {"reliability"}
    scaled = calibration.facts(
        replace(record, folds=tuple(replace(fold, temperature=0.5) for fold in record.folds))
    )
    assert scaled.cells[0].temperature == 0.5
    # 11 of 12 are right with 60 %: too modest
    assert scaled.cells[0].scaled.ece < scaled.cells[0].plain.ece
    chart = calibration.charts(scaled)["reliability-scaled"]
    heights = [value["y"] for value in chart.spec["data"]["values"] if value["kind"] == "fusion"]
    assert heights == [pytest.approx(11 / 12)]


def test_a_winner_no_better_than_the_baseline_is_called_out():
    facts = verdict.facts(small_record({**SMALL_SCORES, MAJORITY: (0.70, 0.62, 0.66, 0.71)}))
    assert any(
        "No cell is clearly better than the baseline" in sentence for sentence in facts.sentences
    )


def test_chosen_parameters_and_times():
    row = leaderboard.facts(small_record()).rows[0]
    assert row.parameters == (("C", (("0.1", 3), ("1", 1))),)
    assert row.done == 4
    assert row.cost == leaderboard.Cost(6.25, 0.5, 0.01, 1500, 2_500_000)
    assert row.cost.seconds == pytest.approx(6.76)


def test_ranks_on_folds_and_the_front():
    record = small_record({**SMALL_SCORES, IMAGE: (0.50, 0.70, 0.68, 0.56)})
    rows = {row.name: row for row in leaderboard.facts(record).rows}
    assert rows[FUSION.name].ranks == (1, 1.0, 2)  # 1 2 1 1: on the third fold equal to the picture
    assert rows[IMAGE.name].ranks == (1, 2.0, 3)  # 3 1 1 3
    assert rows[MAJORITY.name].ranks == (4, 4.0, 4)
    # the text is cheapest (0.25 s to encode), the fusion best; the picture is dearer than the text
    # and worse
    assert {name for name, row in rows.items() if row.front} == {TEXT.name, FUSION.name}
    costly = replace(
        record, folds=tuple(replace(fold, encode_seconds=9.0) for fold in record.folds)
    )
    assert {row.name for row in leaderboard.facts(costly).rows if row.front} == {FUSION.name}
    chart = leaderboard.charts(leaderboard.facts(record))["front"]
    assert [value["row"] for value in chart.spec["layer"][0]["data"]["values"]] == [
        FUSION.name,
        TEXT.name,
    ]


def test_cells_without_measured_costs_draw_no_front():
    record = small_record()
    free = replace(
        record,
        folds=tuple(
            replace(fold, encode_seconds=0.0, fit_seconds=0.0, predict_seconds=0.0)
            for fold in record.folds
        ),
    )
    assert set(leaderboard.charts(leaderboard.facts(free))) == {"leaderboard"}


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
    assert [round(one.score, 3) for one in (*pairs.image_alone, *pairs.text_alone)] == [
        0.53,
        0.62,
        0.4,
    ]
    assert [one.fusion for one in pairs.maps] == ["concat", "late"]
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


def _entry(repeat: int, predicted: list[int], rows: list[int]) -> FoldRecord:
    return FoldRecord(TEXT.name, repeat, 0, 4, np.array(rows), np.eye(3)[predicted], {},
                      {"balanced_accuracy": 0.5}, 0.1, 0.1, False)


def test_winner_counts_are_means_over_repeats():
    record = replace(small_record({TEXT: (0.5,)}), labels=np.array([0, 0, 1, 1]), folds=(
        _entry(0, [0, 0, 1, 0], [0, 1, 2, 3]), _entry(1, [0, 1, 1, 1], [0, 1, 2, 3])))
    facts = winner.facts(record)
    assert facts.matrix == ((1.5, 0.5, 0.0), (0.5, 1.5, 0.0), (0.0, 0.0, 0.0))
    assert (facts.repeats, facts.predictions) == (2, 8)
    cat, _, owl = facts.classes
    assert (cat.precision, cat.recall, cat.f1, cat.support) == (0.75, 0.75, 0.75, 2.0)
    # a class that is neither there nor predicted has no scores, rather than zeros
    assert [math.isnan(value) for value in (owl.precision, owl.recall, owl.f1)] == [True] * 3
    assert [(c.true, c.predicted, c.count, c.share) for c in facts.confusions] == [
        ("cat", "dog", 0.5, 0.25), ("dog", "cat", 0.5, 0.25)]


def test_method_states_what_the_folds_were():
    facts = method.facts(small_record())
    assert (facts.rows, facts.folds, facts.repeats, facts.n_train, facts.n_test) == (
        12,
        4,
        1,
        (9, 9),
        (3, 3),
    )
    assert facts.class_sizes == (("cat", 4), ("dog", 4), ("owl", 4))
    assert facts.compared == 3


# --- words and golden files
# ---------------------------------------------------------------------------

def _golden(name: str, content: str) -> None:
    path = GOLDEN / name
    if os.environ.get("MODALGRID_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    assert content == path.read_text(encoding="utf-8")


def test_golden_markdown(tmp_path):
    write_report(eventful_record(), tmp_path)
    _golden("report.md", (tmp_path / "report.md").read_text(encoding="utf-8"))


def test_golden_table(tmp_path):
    write_report(eventful_record(), tmp_path)
    _golden("table.tex", (tmp_path / "table.tex").read_text(encoding="utf-8"))


@given(st.text())
def test_no_name_is_a_command_of_latex(text):
    line = latex.escaped(text)
    assert "\n" not in line
    plain = re.sub(r"\\text[a-z]+\{\}|\\[&%$#_{}]|\$(\\pm|-|\\downarrow)\$", "", line)
    assert not set(plain) & set("\\&%$#_{}~^")


def test_golden_facts():
    facts = {part.name: asdict(part.facts) for part in report_parts(eventful_record())}
    text = json.dumps(facts, indent=1, ensure_ascii=False, default=lambda value: value.tolist())
    rounded = re.sub(r"-?\d+\.\d{7,}(e-?\d+)?", lambda found: f"{float(found[0]) + 0.0:.6f}", text)
    _golden("facts.json", rounded + "\n")


def test_numbers_and_names():
    assert (figure(0.12345), figure(-0.5), figure(-0.0001), figure(math.nan), figure(None)) == (
        "0.123", "−0.500", "0.000", "–", "–")
    assert (signed(0.05), signed(-0.05), signed(0.0001), signed(math.inf)) == (
        "+0.050",
        "−0.050",
        "0.000",
        "–",
    )
    assert [duration(s) for s in (0, 0.02, 3.14, 99.97, 3725, 36000)] == [
        "0 s", "20 ms", "3.1 s", "1 min 40 s", "62 min 5 s", "10.0 h"]
    assert short("a  b\nc", 80) == "a b c"
    assert len(short("x" * 500, 60)) == 60
    assert len(set(distinct(["x" * 90, "x" * 91, "x" * 92]))) == 3


@given(st.text())
def test_markdown_is_one_line_without_markup(text):
    line = markdown.inline(text)
    assert "\n" not in line
    assert "<" not in line
    assert not re.search(r"(?<!\\)(\\\\)*[|`*\[]", line)


@given(st.text())
def test_a_fence_is_never_closed_from_inside(text):
    first, *body, last = markdown.fenced(text).split("\n")
    assert set(last) == {"`"}
    assert first == last
    assert not any(last in line for line in body)


# --- the page
# -----------------------------------------------------------------------------------------

class _Page(HTMLParser):
    """What a browser would make of the page: elements, addresses, scripts, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and self.lasttag == "script" and data.strip():
            self.scripts.append((self.tags[-1][1], data))
        self.words.append(data)

    def named(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attrs for name, attrs in self.tags if name == tag)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("report")
    write_report(realistic_record(n_rows=200, repeats=1), folder)
    return folder


@pytest.fixture(scope="module")
def page(written: Path) -> _Page:
    return _Page((written / "report.html").read_text(encoding="utf-8"))


def test_the_page_loads_nothing(page, written):
    for _, attrs in page.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert (attrs.get(name) or "#").startswith(("#", "data:"))
    css = re.search(r"<style>(.*?)</style>", (written / "report.html").read_text(), re.DOTALL)[1]
    assert "url(" not in css
    assert "@import" not in css
    assert (written / "report.html").stat().st_size < 4_000_000


def test_the_page_can_be_read_by_a_machine(page):
    tables = sum(tag == "table" for tag, _ in page.tags)
    assert tables == sum(tag == "caption" for tag, _ in page.tags) > 4
    assert all("scope" in attrs for attrs in page.named("th"))
    drawings = [attrs for attrs in page.named("div") if attrs.get("class") == "drawing"]
    assert len(drawings) == 5
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in drawings)
    assert sum("aria-sort" in attrs for attrs in page.named("th")) == 1
    assert all(attrs["alt"] for attrs in page.named("img"))
    identifiers = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(identifiers) == len(set(identifiers))
    targets = [attrs["href"][1:] for attrs in page.named("a")]
    assert set(targets) <= set(identifiers)


def test_charts_are_valid_and_drawn_in_both_files(page, written):
    specs = {
        attrs["id"]: json.loads(text)
        for attrs, text in page.scripts
        if attrs.get("type") == "application/json"
    }
    assert set(specs) == {
        "chart-leaderboard",
        "chart-front",
        "chart-gains",
        "chart-confusion",
        "chart-reliability",
    }
    for name in ("leaderboard", "front", "gains", "confusion", "reliability"):
        drawing = ElementTree.parse(written / "charts" / f"{name}.svg").getroot()
        assert drawing.tag.endswith("svg")
        assert f"](charts/{name}.svg)" in (written / "report.md").read_text()
    dots = next(
        layer for layer in specs["chart-gains"]["layer"] if layer["mark"]["type"] == "circle"
    )
    assert len(dots["data"]["values"]) == 8 * 5


def test_unchanged_charts_and_script_are_taken_over(written, tmp_path, monkeypatch):
    import vl_convert

    record = realistic_record(n_rows=200, repeats=1)
    before = {path: path.read_bytes() for path in write_report(record, tmp_path)}
    drawn: list[str] = []

    def draws(spec, **_):
        drawn.append("svg")
        return "<svg/>"

    monkeypatch.setattr(vl_convert, "vegalite_to_svg", draws)
    monkeypatch.setattr(
        vl_convert, "javascript_bundle", lambda snippet: drawn.append("bundle") or "js</script>"
    )
    assert {path: path.read_bytes() for path in write_report(record, tmp_path)} == before
    assert not drawn
    damaged = tmp_path / "charts" / "gains.svg"
    damaged.write_bytes(damaged.read_bytes().replace(b"</text>", b"!</text>", 1))
    html = tmp_path / "report.html"
    html.write_bytes(html.read_bytes().replace(b"window.vegaEmbed", b"window.vegaevil", 1))
    write_report(record, tmp_path)
    assert drawn == ["bundle", "svg"]
    assert "js<\\/script>" in html.read_text()


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
    write_report(small_record(), tmp_path)
    before = (tmp_path / "report.html").read_bytes()

    def refuses(handle):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", refuses)
    with pytest.raises(OSError, match="disk full"):
        write_report(small_record(name="other"), tmp_path)
    assert (tmp_path / "report.html").read_bytes() == before
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]


def test_hostile_texts_break_nothing(page, tmp_path):
    files = write_report(hostile(realistic_record(n_rows=200, repeats=1)), tmp_path)
    text = files[0].read_text(encoding="utf-8")
    read = _Page(text)
    assert {tag for tag, _ in read.tags} <= {tag for tag, _ in page.tags} | {"i"}
    assert sum(tag == "script" for tag, _ in read.tags) == sum(
        tag == "script" for tag, _ in page.tags
    )
    assert not [attrs for _, attrs in read.tags for name in attrs if name.startswith("on")]
    assert text.count("picture unreadable") == text.count('class="absent"') > 0
    specs = [words for attrs, words in read.scripts if attrs.get("type") == "application/json"]
    assert len(specs) == 5
    assert not any("<" in words for words in specs)
    assert "{{ 7 * 7 }}" in text
    for path in files:
        content = path.read_text(encoding="utf-8")
        if path.suffix != ".html":
            assert content == clean(content)
        if path.suffix == ".svg":
            ElementTree.fromstring(content)
    outside = re.sub(r"(?ms)^(`{3,})[^`\n]*\n.*?^\1$", "", files[1].read_text(encoding="utf-8"))
    assert "<" not in outside
    assert "](http" not in outside


def test_many_classes_are_listed_instead_of_drawn():
    names = tuple(f"class {i}" for i in range(60))
    record = small_record(classes=names)
    folds = tuple(
        replace(fold, probabilities=np.eye(60)[np.arange(len(fold.rows))[::-1]])
        for fold in record.folds
    )
    facts = winner.facts(replace(record, folds=folds))
    assert winner.charts(facts) == {}
    assert 0 < len(facts.confusions) <= winner.CONFUSIONS


def test_importing_the_report_imports_no_chart_library():
    code = "import sys, reports.page.render; print({'vl_convert', 'pandas', 'torch', 'sklearn'} & set(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert found.stdout.strip() == "set()"


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_has_both_templates(name):
    folder = ROOT / "reports" / "templates"
    assert (folder / "html" / f"{name}.html").is_file()
    assert (folder / "markdown" / f"{name}.md").is_file()


def test_the_run_took_as_long_as_its_steps_and_not_as_its_processes_together():
    record = replace(
        small_record(), steps=(StepRecord("encode and fit", 7.5), StepRecord("score", 0.5))
    )
    facts = cost.facts(record)
    assert (facts.seconds, facts.work_seconds) == (8.0, 10.0)
    assert [facts.share(one) for one in facts.steps] == [0.9375, 0.0625]
    assert facts.share(facts.stages[0]) == 0.6
