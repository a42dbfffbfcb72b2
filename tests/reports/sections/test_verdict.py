"""The verdict: its answer, its sentences and its cautions, by value."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from pipeline.testing.records import (
    FUSION,
    IMAGE,
    MAJORITY,
    METRICS,
    SMALL_SCORES,
    TEXT,
    small_record,
)
from reports.analysis.ranking import rank_cells
from reports.fold_record import CellRecord
from reports.page.render import write_report
from reports.sections import verdict
from tests.support.simulated_runs import Truth, simulated_run

BOTH = CellRecord("cnn + tfidf / late", "cnn", "tfidf", "late", None)


def test_gain_is_paired_by_fold_whatever_the_order_of_records():
    record = small_record()
    shuffled = replace(record, folds=tuple(reversed(record.folds)))
    for given_record in (record, shuffled):
        comparison = verdict.facts(given_record).gain
        assert [round(gain, 10) for _, gain in comparison.gains] == [0.06, 0.02, 0.04, 0.08]
        assert (comparison.cell, comparison.other, comparison.ahead) == (
            "chosen among cells with both modalities",
            "chosen among cells with one modality",
            4,
        )
        # n_train 9, n_test 3: the factor of the hand-computed example above
        assert comparison.interval.low == pytest.approx(0.05 - 0.06275869, abs=1e-7)


def test_verdict_of_the_small_record():
    facts = verdict.facts(small_record())
    assert facts.answer == "probably pays"
    assert [(bar.kind, round(bar.mean, 3), round(bar.share, 3)) for bar in facts.bars] == [
        ("image", 0.53, 0.53),
        ("text", 0.62, 0.62),
        ("fusion", 0.67, 0.67),
        ("baseline", 0.25, 0.25),
    ]
    assert "Adding the picture" in facts.headline
    assert any("Only 4 folds" in caution for caution in facts.cautions)


@pytest.mark.parametrize(
    ("gain", "answer", "words"),
    [
        ((0.10, 0.11, 0.12, 0.11), "pays", "pays: +0.110 balanced accuracy"),
        (
            (-0.10, -0.11, -0.12, -0.11),
            "costs",
            "does not pay: \N{MINUS SIGN}0.110 balanced accuracy",
        ),
        ((0.06, 0.02, 0.04, 0.08), "probably pays", "probably pays: +0.050 balanced accuracy"),
        ((0.1, -0.1, 0.1, -0.1), "no difference shown", "Not shown that adding"),
        (
            (0.0001, 0, -0.0001, 0),
            "no difference that matters",
            "no difference that matters: 0.000",
        ),
        ((0, 0, 0, 0), "no difference shown", "Not shown that adding"),
    ],
)
def test_verdict_follows_the_interval(gain, answer, words):
    fusion = tuple(text + by for text, by in zip(SMALL_SCORES[TEXT], gain, strict=True))
    facts = verdict.facts(small_record({**SMALL_SCORES, FUSION: fusion}))
    assert facts.answer == answer
    assert words in facts.headline


def test_the_headline_is_a_line_and_under_it_stand_interval_probability_and_both_scores():
    facts = verdict.facts(small_record())
    assert facts.headline == "Adding the picture probably pays: +0.050 balanced accuracy"
    # the probability that decides, not one beside it
    assert facts.evidence == (
        "95 % interval of the gain \N{MINUS SIGN}0.013 to +0.113; P(gain above 0) .96"
    )
    assert facts.lines[0].text == (
        "Balanced accuracy goes from 0.620 by one modality to 0.670 by both; both do better on "
        "4 of 4 folds."
    )


def test_four_labelled_lines_say_what_to_do():
    late = CellRecord("cnn + tfidf / late", "cnn", "tfidf", "late", None)
    scores = {**SMALL_SCORES, late: tuple(value - 0.004 for value in SMALL_SCORES[FUSION])}
    record = small_record(scores)
    lines = dict(verdict.facts(record).lines)
    assert list(lines) == ["Does it pay", "What to choose", "As good for less", "How sure"]
    assert lines["What to choose"].startswith(
        "“cnn + tfidf / concat / logistic”, which inner folds choose on 4 of 4. Expect balanced "
        "accuracy 0.670 (95 % interval 0.607 to 0.733)"
    )
    assert lines["As good for less"] == (
        "Nothing that costs 10 % less comes within 0.01 of it."
    )
    assert lines["How sure"].startswith("By accuracy the gain is +0.050")
    dear = [replace(fold, fit_seconds=90.0) if fold.cell == FUSION.name else fold
            for fold in record.folds]
    lines = dict(verdict.facts(replace(record, folds=tuple(dear))).lines)
    assert "is “cnn + tfidf / late”: 6.8 s instead of 96.3 s" in lines["As good for less"]


def test_lines_without_anything_to_say_are_left_out():
    alone = verdict.facts(small_record({TEXT: SMALL_SCORES[TEXT], MAJORITY: (0.25,) * 4}))
    assert dict(alone.lines) == {
        "Better than guessing": "Balanced accuracy goes from 0.250 by the baseline “majority” to "
                                "0.620; better on 4 of 4 folds.",
        "What to choose": "“tfidf / text_only / logistic”, best with balanced accuracy 0.620 ± "
                          "0.016 over 4 folds.",
    }


def test_further_fusions_take_nothing_from_a_gain():
    """What pays in a small grid pays in a large one."""
    gains = (0.05, 0.09, 0.06, 0.04)
    fusion = tuple(text + by for text, by in zip(SMALL_SCORES[TEXT], gains, strict=True))
    others = {
        CellRecord(f"late {number}", "cnn", "tfidf", f"late {number}", None): (0.5, 0.6, 0.62, 0.52)
        for number in range(6)
    }
    few = verdict.facts(small_record({**SMALL_SCORES, FUSION: fusion}))
    several = verdict.facts(small_record({**SMALL_SCORES, FUSION: fusion, **others}))
    assert (few.answer, several.answer) == ("pays", "pays")
    assert several.headline == few.headline
    assert any("the best of 7 cells with both modalities" in line for line in several.sentences)


def test_the_winner_is_expected_to_reach_what_choosing_it_does():
    facts = verdict.facts(small_record())
    assert facts.winner == FUSION.name
    assert facts.score.mean == pytest.approx(0.67)
    (said,) = (line for line in facts.sentences if line.startswith("Take"))
    assert "What to expect of it is balanced accuracy 0.670 (95 % interval" in said
    assert "choosing among 3 cells on inner folds reaches, which choose it on 4 of 4 folds" in said


def test_fewer_than_ten_groups_are_no_ground_for_a_verdict():
    groups = np.array([0, 1, 2, 3] * 3)
    facts = verdict.facts(small_record(groups=groups, group_name="brand"))
    assert facts.answer == "few units"
    assert facts.headline.startswith("Adding the picture on only 4 groups: +0.050")
    assert facts.evidence is None


def test_fewer_than_thirty_units_count_the_folds_of_one_repeat_only():
    once = small_record()
    again = tuple(replace(fold, repeat=1) for fold in once.folds)
    twice = replace(once, folds=(*once.folds, *again))
    gain = verdict.facts(twice).gain
    assert (gain.interval.folds, gain.test.freedom) == (8, 3)
    assert verdict.facts(once).gain.test.freedom == 3


def test_without_inner_scores_nothing_is_chosen_and_nothing_is_claimed():
    record = small_record({**SMALL_SCORES, BOTH: SMALL_SCORES[FUSION]})
    bare = replace(record, folds=tuple(replace(fold, inner_score=None) for fold in record.folds))
    facts = verdict.facts(bare)
    assert (facts.answer, facts.gain) == ("no choice", None)
    assert facts.headline.startswith(
        "No cell with both modalities and none with one modality could be scored on the inner folds"
    )


def test_a_second_metric_is_held_beside_the_first_and_heard_where_it_disagrees():
    gains = (0.10, 0.11, 0.09, 0.10)
    pays = tuple(text + by for text, by in zip(SMALL_SCORES[TEXT], gains, strict=True))
    record = small_record({**SMALL_SCORES, FUSION: pays})
    agreeing = verdict.facts(record)
    assert any("By accuracy the gain is +0.100" in line for line in agreeing.sentences)
    folds = tuple(
        replace(fold, scores={**fold.scores, "accuracy": 0.5 + 1e-4 * (at % 3)})
        for at, fold in enumerate(record.folds)
    )
    (said,) = (
        line
        for line in verdict.facts(replace(record, folds=folds)).sentences
        if line.startswith("By accuracy")
    )
    assert "another answer" in said
    assert "no difference that matters" in said
    by_accuracy = verdict.facts(small_record({**SMALL_SCORES, FUSION: pays}, metric="accuracy"))
    assert any("By macro F1 the gain" in line for line in by_accuracy.sentences)


def test_the_smallest_difference_that_matters_is_the_grid_s():
    rope = tuple(replace(metric, rope=0.2) for metric in METRICS)
    facts = verdict.facts(small_record(metrics=rope))
    assert facts.answer == "no difference that matters"
    assert "P(less than 0.2 either way)" in facts.evidence


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
        "is “cnn + tfidf / late”: 6.8 s instead of 96.3 s to encode all rows once, and fit and "
        "predict a fold" in said
    )
    assert "differs by 0.004 on average" in said
    hardly = replace(
        record,
        folds=tuple(
            replace(fold, fit_seconds=1.05 * fold.fit_seconds) if fold.cell == FUSION.name else fold
            for fold in record.folds
        ),
    )
    assert not any("cheapest" in sentence for sentence in verdict.facts(hardly).sentences)


def test_a_loss_is_better_when_lower():
    record = small_record(metric="log_loss")
    facts = verdict.facts(record)
    assert facts.gain.interval.mean == pytest.approx(0.05)
    assert rank_cells(record).best().cell == FUSION
    pays = {**SMALL_SCORES, FUSION: tuple(value + 0.2 for value in SMALL_SCORES[TEXT])}
    assert (
        "pays: \N{MINUS SIGN}0.200 log loss"
        in verdict.facts(small_record(pays, metric="log_loss")).headline
    )


def test_a_hold_out_concludes_nothing(tmp_path):
    record = small_record({cell: scores[:1] for cell, scores in SMALL_SCORES.items()})
    facts = verdict.facts(record)
    assert facts.answer == "one fold"
    assert facts.gain.interval.low is None
    assert any("hold-out" in caution for caution in facts.cautions)
    assert facts.headline.endswith("which one fold cannot tell from chance")
    assert facts.evidence is None
    write_report(record, tmp_path)
    assert "nan" not in (tmp_path / "report.md").read_text().lower()


def test_one_modality_alone_is_told_what_is_best_and_how_good():
    alone = verdict.facts(small_record({cell: SMALL_SCORES[cell] for cell in (TEXT, MAJORITY)}))
    assert alone.headline == "“tfidf / text_only / logistic” reaches balanced accuracy 0.620"
    two = verdict.facts(small_record({cell: SMALL_SCORES[cell] for cell in (IMAGE, TEXT)}))
    assert two.headline == (
        "“tfidf / text_only / logistic” is best, with balanced accuracy 0.620 ± 0.016; this run "
        "has no fusion that would say whether a second modality pays."
    )
    fused = verdict.facts(small_record({FUSION: SMALL_SCORES[FUSION]}))
    assert "this run has no single modality that would say" in fused.headline
    nothing = verdict.facts(small_record({MAJORITY: SMALL_SCORES[MAJORITY]}))
    assert nothing.headline.startswith("Only baselines")


def test_a_modality_that_was_not_tried_alone_is_not_said_to_need_the_other():
    facts = verdict.facts(small_record({cell: SMALL_SCORES[cell] for cell in (TEXT, FUSION)}))
    assert "the picture alone was not compared and may do as well: add image_only" in facts.headline
    assert not any("pays" in sentence for sentence in (facts.headline, *facts.sentences))


def test_encoders_are_told_apart_in_the_verdict():
    bow = CellRecord("bow / text_only", None, "bow", "text_only", "logistic")
    facts = verdict.facts(small_record({**SMALL_SCORES, bow: (0.40, 0.42, 0.44, 0.42)}))
    assert any(
        "Of 2 text encoders “tfidf” does best alone, ahead of “bow” by +0.200" in sentence
        for sentence in facts.sentences
    )
    level = verdict.facts(small_record({**SMALL_SCORES, bow: SMALL_SCORES[TEXT]}))
    (said,) = (sentence for sentence in level.sentences if "text encoders" in sentence)
    assert said.endswith("do best alone, equally well on average.")


def test_alarms_stand_before_the_verdict_and_once(tmp_path):
    record = small_record(alarms=("The class stands in 98 % of the texts.",))
    assert verdict.facts(record).alarms == record.alarms
    write_report(record, tmp_path)
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
        assert text.count("The class stands in 98 % of the texts.") == 1
        assert text.index("The class stands in") < text.index(verdict.facts(record).headline)


def test_a_winner_no_better_than_the_baseline_is_called_out():
    facts = verdict.facts(small_record({**SMALL_SCORES, MAJORITY: (0.70, 0.62, 0.66, 0.71)}))
    assert any(
        "No cell is clearly better than the baseline" in sentence for sentence in facts.sentences
    )


def test_what_failed_is_not_said_to_be_missing_from_the_grid():
    lacking = {**SMALL_SCORES, IMAGE: (0.5, None, 0.5, 0.5)}
    facts = verdict.facts(small_record(lacking))
    assert facts.answer == "half compared"
    assert "it failed, or lacks folds" in facts.headline
    assert "add image_only" not in facts.headline
    lacking = {**SMALL_SCORES, FUSION: (0.5, None, 0.5, 0.5)}
    assert "has complete scores of no fusion" in verdict.facts(small_record(lacking)).headline


def test_units_are_called_what_they_are():
    record = small_record()
    held_out = replace(record, groups=record.labels, group_name="class", unseen_classes=True)
    assert verdict.facts(held_out).headline.startswith("Adding the picture on only 3 classes")


def test_the_winner_s_expectation_is_told_apart_from_what_a_choice_of_others_reaches():
    """The inner folds choose another cell than the outer ones: none stands out."""
    record = small_record({**SMALL_SCORES, BOTH: (0.65, 0.63, 0.67, 0.69)})
    folds = tuple(
        replace(fold, inner_score=0.9) if fold.cell == BOTH.name else fold for fold in record.folds
    )
    (said,) = (
        line
        for line in verdict.facts(replace(record, folds=folds)).sentences
        if line.startswith("Best on these folds")
    )
    assert "but inner folds choose it on only 0 of 4 folds" in said
    assert "no cell stands out. Choosing among 4 cells reaches balanced accuracy 0.660" in said


def test_no_interval_leaves_the_scale():
    record = small_record({**SMALL_SCORES, FUSION: (1.0, 0.9, 1.0, 1.0)})
    assert verdict.facts(record).score.high == 1.0


def only_fold(gain, groups=None):
    """The first fold of a simulated run whose fusions gain so much over one modality."""
    truth = Truth(gain=gain, fusions=2, groups=groups, rows=1200, accuracy=0.6)
    record = simulated_run(truth, data_seed=4, repeats=1).record
    return replace(record, folds=tuple(fold for fold in record.folds if fold.fold == 0))


@pytest.mark.parametrize(
    ("gain", "begins"),
    [
        (0.2, "Adding {} pays on the only fold: +0."),
        (-0.2, "Adding {} does not pay on the only fold: \N{MINUS SIGN}0."),
        (0.0, "Not shown on the only fold that adding {} pays: "),
    ],
)
@pytest.mark.parametrize(("groups", "drawn"), [(None, "test rows"), (400, "groups of test rows")])
def test_a_hold_out_says_what_other_test_rows_would(gain, begins, groups, drawn):
    facts = verdict.facts(only_fold(gain, groups))
    assert facts.answer == "one fold"
    assert facts.headline.startswith(begins.format("the text"))
    said = r"95 % interval of the gain (\S+) to (\S+) over other (.*); what other training rows"
    rows = re.match(said, facts.evidence)
    low, high = (float(end.replace("\N{MINUS SIGN}", "-")) for end in rows.groups()[:2])
    assert low < facts.gain.interval.mean < high
    assert rows[3] == drawn


def test_warnings_that_change_what_to_conclude_stand_near_the_answer(tmp_path):
    leak = "Identical pictures straddle folds: in the worst fold 9 test rows have a picture."
    long = "Nearly the same " + "texts " * 100 + "straddle folds."
    record = small_record(warnings=("Something else.", leak, long), doubts=(leak, long))
    said = verdict.facts(record).cautions
    assert leak in said
    assert any(caution.startswith("Nearly the same texts") and len(caution) <= 300
               for caution in said)
    assert said[-1] == "1 further warning about the data or the method: see Method."
    alone = verdict.facts(small_record(warnings=(leak,), doubts=(leak,))).cautions
    assert alone[-2:] == (leak, "What this rests on, and what helps: see the warnings in Method.")
    write_report(record, tmp_path)
    answer, _, rest = (tmp_path / "report.md").read_text().partition("## Leaderboard")
    assert leak in answer
    assert leak in rest
    assert long in rest, "all of it stands in Method"
