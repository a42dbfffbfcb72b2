"""The choice among spaces on inner folds: what decides it, what it reaches, what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest

from reports.fold_record import CellRecord, FailureRecord
from reports.retrieval.answer import answer_of
from reports.retrieval.choice import NAMES, choices, complete_cells, within_reach
from reports.retrieval.leaderboard import facts as leaderboard
from reports.retrieval.plain import plain
from reports.retrieval.sentences import (
    answer_lines,
    evidence,
    further,
    headline,
    sentences,
)
from reports.retrieval_record import MatchRecord, RetrievalRecord
from tests.reports.retrieval.test_answer import PICTURES, TEXTS, queries, record

FOLDS = 3


def folds_of(
    cell: str, highest: int, inner: Sequence[float | None], seed: int | None = None
) -> list[MatchRecord]:
    """A cell whose right answers have ranks up to `highest`, a third of the pictures a fold."""
    draw = np.random.default_rng(len(cell) if seed is None else seed)
    parts = np.array_split(np.arange(PICTURES), FOLDS)
    made = []
    for fold, (pictures, score) in enumerate(zip(parts, inner, strict=True)):
        rows = (pictures[:, None] * TEXTS + np.arange(TEXTS)).ravel()
        of_texts = queries(rows, draw.integers(1, highest + 1, len(rows)))
        of_pictures = queries(pictures * TEXTS, draw.integers(1, highest + 1, len(pictures)))
        made.append(
            MatchRecord(
                cell=cell,
                repeat=0,
                fold=fold,
                n_train=PICTURES * TEXTS - len(rows),
                rows=rows,
                queries={"text_to_image": of_texts, "image_to_text": of_pictures},
                scores={},
                parameters={},
                fit_seconds=1.0,
                predict_seconds=1.0,
                reused=False,
                inner_score=score,
            )
        )
    return made


def run_of(*cells: list[MatchRecord], simplest: Sequence[str] = ()) -> RetrievalRecord:
    """The record of some cells, those of `simplest` with the texts' own space."""
    made = record(*chain.from_iterable(cells))
    names = [folds[0].cell for folds in cells]
    return replace(
        made,
        cells=tuple(CellRecord(name, "cnn", "sbert", name, None) for name in names),
        simplest=frozenset(simplest),
    )


@pytest.fixture
def made() -> RetrievalRecord:
    """The better one is chosen on two of three folds."""
    return run_of(
        folds_of("good", 12, [0.9, 0.7, 0.9]), folds_of("worse", 30, [0.8, 0.8, 0.8])
    )


def test_each_fold_is_asked_in_the_space_that_its_inner_folds_choose(made: RetrievalRecord):
    answer = answer_of(made)
    choice = answer.choice
    assert choice.chosen == {(0, 0): "good", (0, 1): "worse", (0, 2): "good"}
    by_cell = complete_cells(made)
    chosen = [by_cell[name][fold] for (_, fold), name in choice.chosen.items()]
    both = answer.expected["both", "hit_at_10"]
    assert both.estimate == pytest.approx(both_ways(chosen))
    assert both.low < both.estimate < both.high
    assert both.units == PICTURES


def test_test_pairs_have_no_part_in_the_choice(made: RetrievalRecord):
    """Whatever the ranks on outer folds are, the same is chosen; the score is another one."""
    turned = [
        replace(fold, queries=other.queries)
        for fold, other in zip(made.folds, [*made.folds[FOLDS:], *made.folds[:FOLDS]], strict=True)
    ]
    before, after = answer_of(made), answer_of(replace(made, folds=tuple(turned)))
    assert after.standings[0].name != before.standings[0].name
    assert after.choice.chosen == before.choice.chosen
    key = ("both", "hit_at_10")
    assert after.expected[key].estimate < before.expected[key].estimate


def test_equal_scores_choose_the_first_by_name_and_low_ranks_are_better():
    made = run_of(folds_of("b", 12, [1.0, 2.0, 3.0]), folds_of("a", 12, [1.0, 1.0, 4.0]))
    assert list(answer_of(made).choice.chosen.values()) == ["a", "b", "a"]
    by_rank = replace(made, metric="median_rank")
    assert list(answer_of(by_rank).choice.chosen.values()) == ["a", "a", "b"]


def both_ways(folds: Sequence[MatchRecord]) -> float:
    """Hit at 10, by hand."""
    ways = [
        np.concatenate([fold.queries[way].values["hit_at_10"] for fold in folds])
        for way in ("text_to_image", "image_to_text")
    ]
    return float(np.mean([np.mean(values) for values in ways]))


def test_the_score_of_choosing_is_not_optimistic_where_that_of_the_best_is():
    """Spaces that all find one half: the best of twenty hits more than any would again."""
    chosen, best = [], []
    for seed in range(40):
        draw = np.random.default_rng(10_000 + seed)
        cells = [
            folds_of(f"space {number:02}", 20, draw.random(FOLDS).tolist(), 100 * seed + number)
            for number in range(20)
        ]
        by_cell = complete_cells(run_of(*cells))
        chosen.append(both_ways(choices(run_of(*cells), by_cell)["all"].folds))
        best.append(max(map(both_ways, by_cell.values())))
    assert np.mean(chosen) == pytest.approx(0.5, abs=0.02)
    assert np.mean(best) > 0.56


def test_who_has_no_score_on_inner_folds_is_left_out_and_named():
    made = run_of(
        folds_of("good", 12, [0.9, 0.9, 0.9]),
        folds_of("worse", 13, [0.8, 0.8, 0.8]),
        folds_of("failing", 11, [0.9, None, 0.9]),
        folds_of("far", 400, [None, None, None]),
    )
    made = replace(made, failed_inside=frozenset(["failing"]))
    answer = answer_of(made)
    assert answer.choice.candidates == ("good", "worse")
    assert answer.choice.left_out == ("failing", "far")
    said = " ".join(sentences(answer))
    assert "1 space was too far behind to be considered for the choice" in said
    assert "it would have to be learned further times: “far”" in said
    assert "1 space could not be tried on parts of the training rows" in said
    assert "so not be chosen: “failing”" in said
    assert plain(answer)["left out"]["all"] == ["failing", "far"]


def test_cells_that_failed_on_a_fold_are_not_chosen(made: RetrievalRecord):
    failure = FailureRecord("good", 0, 1, error="ValueError: no", traceback="")
    answer = answer_of(replace(made, failures=(failure,)))
    assert answer.choice is None  # a single one is left
    assert answer.expected["both", "hit_at_10"] == answer.standings[0].scores["both", "hit_at_10"]
    assert headline(answer).startswith("“worse”: 0.")


def test_without_inner_folds_the_best_is_called_optimistic():
    nothing = [None] * FOLDS
    made = run_of(folds_of("good", 12, nothing), folds_of("worse", 30, nothing))
    answer = answer_of(made)
    assert answer.choice is None
    assert "optimistic" in " ".join(sentences(answer))
    assert plain(answer)["score"] is None
    assert leaderboard(made).choices == ()


def test_the_headline_has_the_figures_of_the_choice(made: RetrievalRecord):
    answer = answer_of(made)
    share = answer.expected["text_to_image", "hit_at_10"].estimate
    assert headline(answer).startswith("Take “good”: 0.")
    assert "what choosing among 2 spaces on inner folds reaches" in evidence(answer)
    finds, expected, *_ = sentences(answer)
    assert f"the ten best for {100 * share:.0f} % of the texts" in finds
    assert [line.label for line in answer_lines(answer)] == [
        "What it finds", "Does learning pay", "The next best", "How sure"
    ]
    assert "which choose it on 2 of 3 folds" in expected
    assert f"{answer.expected['both', 'hit_at_10'].estimate:.3f} (95 % interval" in expected


def test_where_inner_folds_choose_others_no_space_stands_out():
    made = run_of(folds_of("good", 12, [0.1, 0.9, 0.1]), folds_of("worse", 30, [0.8, 0.8, 0.8]))
    answer = answer_of(made)
    assert answer.standings[0].name == "good"
    assert headline(answer).startswith("No space stands out: 0.")
    said = " ".join(further(answer))
    assert "choose it on only 1 of 3 folds (most often “worse”, on 2)" in said


def test_verdict_json_has_the_choice(made: RetrievalRecord):
    verdict = plain(answer_of(made))
    score = verdict["score"]
    assert verdict["chosen"]["all"] == {"0,0": "good", "0,1": "worse", "0,2": "good"}
    assert score["low"] < score["estimate"] < score["high"]
    assert verdict["expected"]["both"]["hit_at_10"] == score


def test_the_leaderboard_shows_how_inner_folds_chose(made: RetrievalRecord):
    good, worse, choice = leaderboard(made).choices
    assert [good.name, good.times, worse.name, worse.times] == ["good", 2, "worse", 1]
    assert good.inner == pytest.approx(2.5 / 3)
    assert (choice.name, choice.times) == (NAMES["all"], None)
    assert choice.inner == pytest.approx(2.6 / 3)
    assert choice.score == answer_of(made).expected["both", "hit_at_10"]


def test_what_is_within_reach_is_near_the_best_of_its_pool():
    nothing = [None] * FOLDS
    made = run_of(
        folds_of("good", 14, nothing),
        folds_of("near", 14, nothing, seed=9),
        folds_of("far", 60, nothing),
        folds_of("own", 60, nothing, seed=7),
        folds_of("own, far", 400, nothing),
        simplest=["own", "own, far"],
    )
    assert set(within_reach(made)) == {"good", "near", "own"}
    assert within_reach(run_of(folds_of("good", 14, nothing))) == ()


def test_few_pictures_leave_everything_within_reach():
    nothing = [None] * FOLDS
    made = run_of(folds_of("good", 2, nothing), folds_of("far", 400, nothing))
    few = replace(made, groups=np.arange(PICTURES * TEXTS) // (PICTURES * TEXTS // 4))
    assert set(within_reach(few)) == {"good", "far"}
    assert within_reach(made) == ("good",)


@pytest.mark.parametrize(
    ("simplest", "learned", "judged", "words"),
    [
        (60, 12, "pays", "learning a space pays"),
        (12, 60, "costs", "learning a space does harm"),
        (13, 13, "no difference shown", "no difference is shown"),
        (2, 2, "no difference that matters", "it makes no difference that matters"),
    ],
)
def test_learned_spaces_are_held_against_the_texts_own(
    simplest: int, learned: int, judged: str, words: str
):
    made = run_of(
        folds_of("own", simplest, [0.5] * FOLDS),
        folds_of("learned", learned, [0.6] * FOLDS, seed=21),
        folds_of("other", learned, [0.7, 0.5, 0.5], seed=22),
        simplest=["own"],
    )
    gain = answer_of(made).gain
    assert gain.judged == judged
    assert list(gain.choices["learned"].chosen.values()) == ["other", "learned", "learned"]
    assert gain.choices["simplest"].candidates == ("own",)
    sides = [gain.scores[pool].estimate for pool in ("learned", "simplest")]
    assert gain.difference.estimate == pytest.approx(sides[0] - sides[1])
    assert words in " ".join(sentences(answer_of(made)))
    assert plain(answer_of(made))["answer"] == judged


def test_a_difference_is_drawn_on_the_same_pictures():
    """A space that finds all but what the other one finds has a gain without a doubt."""
    simplest = folds_of("own", 20, [0.5] * FOLDS)
    better = [
        replace(fold, cell="better", queries={
            way: queries(of.rows, np.maximum(of.first - 5, 1)) for way, of in fold.queries.items()
        })
        for fold in simplest
    ]
    gain = answer_of(run_of(simplest, better, simplest=["own"])).gain
    alone = [gain.scores[pool] for pool in ("learned", "simplest")]
    width = gain.difference.high - gain.difference.low
    assert width < sum(score.high - score.low for score in alone) / 2
    assert gain.difference.low > 0


def test_a_grid_without_the_texts_own_space_is_told_to_have_it(made: RetrievalRecord):
    answer = answer_of(made)
    assert answer.gain is None
    assert "The grid has no text_space" in " ".join(sentences(answer))
