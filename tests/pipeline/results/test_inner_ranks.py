"""Ranks on inner folds in whole runs: whose they are, what they cost, what may not leak there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from features.block import Block, Modality
from models.shared_space.projections import CanonicalCorrelation
from pipeline.metrics.retrieval import RETRIEVAL_METRICS
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import run_plan
from pipeline.plan.plan import Plan, make_plan
from pipeline.results.inner_ranks import with_inner_ranks
from pipeline.results.retrieval import retrieval_record
from pipeline.store.checks.layouts import bounds_problem
from pipeline.tasks import inner_matching, matching
from pipeline.tasks.matching import InnerFolds, Pairs, choose, inner_ranks
from pipeline.tasks.unit import result_of
from pipeline.tasks.views import fit_of, loaded_blocks
from reports.retrieval.answer import answer_of
from reports.retrieval_record import RetrievalRecord
from tests.pipeline.results.test_inner_scores import Watched
from tests.support.comparisons import comparison_of
from tests.support.tiny import register
from tests.whole_runs.test_retrieval import GRID, write_pairs

Blocks = Mapping[Modality, Sequence[Block]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    register(monkeypatch)
    return tmp_path


def compared(folder: Path, grid: str = GRID) -> tuple[Comparison, Plan, RetrievalRecord]:
    """The comparison of a grid, its plan, and the record with scores on inner folds."""
    comparison = comparison_of(write_pairs(folder, grid), engine=Watched())
    plan = make_plan(comparison)
    record = retrieval_record(plan, run_plan(plan, comparison), comparison, "")
    return comparison, plan, with_inner_ranks(record, plan, comparison).record


def inner_scores(record: RetrievalRecord) -> dict[tuple[str, int], float | None]:
    return {(fold.cell, fold.fold): fold.inner_score for fold in record.folds}


def test_spaces_that_choose_a_setting_have_ranks_at_no_cost_and_others_are_learned_there(
    folder: Path,
):
    comparison, plan, record = compared(folder)
    single = [cell.name for cell in comparison.cells if cell.fusion.name == "kernel_cca"]
    assert set(comparison.engine.labels) == {f"{name}, inner folds" for name in single}
    assert len(comparison.engine.labels) == 3  # one for each outer fold
    metric = RETRIEVAL_METRICS[comparison.grid.metric]
    for unit in (unit for unit in plan.units if unit.fold.inner):
        entry = result_of(unit, comparison.store)
        ranked = inner_ranks(entry)
        assert len(ranked) == len(unit.fold.inner) == 2
        by_hand = np.mean([[metric(of) for of in by_way.values()] for by_way in ranked])
        score = inner_scores(record)[unit.cell.name, unit.fold.fold]
        assert score == pytest.approx(by_hand)
        tuning = RETRIEVAL_METRICS[comparison.grid.tuning_metric]
        means = [np.mean([tuning(of) for of in by_way.values()]) for by_way in ranked]
        assert np.mean(means) == pytest.approx(max(entry.facts["inner"]))  # of what was chosen
    assert all(0.5 < score <= 1 for score in inner_scores(record).values())
    assert answer_of(record).choice.left_out == ()
    again = compared(folder)
    assert again[0].engine.labels == []  # they were kept
    assert inner_scores(again[2]) == inner_scores(record)


def test_results_without_ranks_on_inner_folds_get_them_and_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """As an earlier version stored them: their keys are the same, and nothing else is computed."""
    with monkeypatch.context() as patch:
        patch.setattr(matching, "inner_arrays", lambda _: {})
        old = comparison_of(write_pairs(folder), engine=Watched())
        outcomes = run_plan(make_plan(old), old).units
    comparison, plan, record = compared(folder)
    assert outcomes.keys() == {unit.key for unit in plan.units}
    assert all(fold.reused for fold in record.folds)
    assert len(comparison.engine.labels) == 9
    fresh = folder / "fresh"
    fresh.mkdir()
    assert inner_scores(compared(fresh)[2]) == inner_scores(record)


def test_inner_folds_are_of_training_pictures_alone(folder: Path):
    comparison = comparison_of(write_pairs(folder))
    groups = comparison.dataset.groups
    for fold in comparison.folds:
        asked = set(groups[fold.test].tolist())
        for train, test in fold.inner:
            assert np.isin(train, fold.train).all()
            assert np.isin(test, fold.train).all()
            inside, outside = set(groups[train].tolist()), set(groups[test].tolist())
            assert not inside & outside
            assert not asked & (inside | outside)


def poisoned(blocks: Blocks, test: np.ndarray) -> Blocks:
    """The blocks, with nothing but NaN of the samples that only rows of `test` have."""
    spoiled: dict[Modality, list[Block]] = {}
    for modality, by_split in blocks.items():
        spoiled[modality] = []
        for block in by_split:
            values = block.at(np.arange(block.index.max() + 1)).array().copy()
            canaries = np.setdiff1d(block.index[test], np.delete(block.index, test))
            assert len(canaries)
            for row in canaries:
                if sparse.issparse(values):
                    values.data[values.indptr[row] : values.indptr[row + 1]] = np.nan
                else:
                    values[row] = np.nan
            # Another block: nothing that is kept by the digest of the sound one may stand for it.
            spoiled[modality].append(Block(values, block.index))
    return spoiled


def test_no_number_of_a_test_picture_or_text_reaches_the_choice(folder: Path):
    """The canary: test samples of nothing but NaN change no setting, and no rank that chooses."""
    comparison, plan, _ = compared(folder)
    context = comparison.context
    for unit in (unit for unit in plan.units if unit.fold.inner):
        blocks = loaded_blocks(unit, context, comparison.store)
        canaries = poisoned(blocks, unit.fold.test)
        sound, choice = choose(unit, context, blocks), choose(unit, context, canaries)
        assert (choice.setting, choice.means) == (sound.setting, sound.means)
        again = InnerFolds(unit, context, canaries).ranked(choice.setting)
        for ranked in (choice.ranked, again):
            for by_way, other in zip(ranked, sound.ranked, strict=True):
                for way, of_queries in by_way.items():
                    assert of_queries.ranks.tolist() == other[way].ranks.tolist()
        # The canary can be seen.
        space = CanonicalCorrelation().fit(fit_of(unit, 0, blocks, context).train)
        outer = fit_of(unit, 0, canaries, context).test
        with pytest.raises(ValueError, match="must be finite to be ranked"):
            Pairs.of(outer.take(np.arange(len(outer)))).ranked(space)


def test_what_fails_there_is_left_out_of_the_choice_and_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    def fails(*_: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(inner_matching, "InnerFolds", fails)
    record = compared(folder)[2]
    answer = answer_of(record)
    failed = [cell.name for cell in record.cells if "kernel_cca" in cell.name]
    assert answer.choice.left_out == tuple(failed)
    assert record.failed_inside == frozenset(failed)
    assert any("on inner folds failed" in line and "no memory" in line for line in record.warnings)


def test_a_choice_among_others_by_another_metric_learns_nothing_anew(folder: Path):
    compared(folder)
    by_rank = compared(folder, GRID + "metric: median_rank\n")
    assert by_rank[0].engine.labels == []
    assert all(score >= 1 for score in inner_scores(by_rank[2]).values())


def test_a_single_space_needs_no_choice(folder: Path):
    grid = GRID.replace("[text_space, cca, ", "[")
    comparison, _, record = compared(folder, grid)
    assert comparison.engine.labels == []
    assert answer_of(record).choice is None


def test_ranks_on_inner_folds_that_cannot_be_are_refused(folder: Path):
    comparison, plan, _ = compared(folder)
    entry = result_of(next(unit for unit in plan.units if unit.fold.inner), comparison.store)

    def problem(**changes: np.ndarray) -> str | None:
        return bounds_problem("ranks", {**entry.arrays, **changes}, entry.facts)

    assert problem() is None
    ranks, ends, folds = (
        np.array(entry.arrays[f"inner_text_to_image_{name}"]) for name in ("ranks", "ends", "folds")
    )
    assert problem(inner_text_to_image_ranks=ranks * 0) == (
        "it has ranks of no candidates on inner folds"
    )
    assert "right answers that there are not" in problem(inner_text_to_image_ends=ends[::-1])
    assert "queries that there are not" in problem(inner_text_to_image_folds=folds * 0)
    assert "queries that there are not" in problem(inner_text_to_image_folds=folds[:0])
    partly = {name: array for name, array in entry.arrays.items() if "inner_image" not in name}
    assert bounds_problem("ranks", partly, entry.facts) == (
        "it has a part of its ranks on inner folds"
    )
    without = {name: array for name, array in partly.items() if "inner" not in name}
    assert bounds_problem("ranks", without, entry.facts) is None
