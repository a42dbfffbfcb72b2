"""What is done first under a time limit, and what is whole wherever it ends."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import pytest

from pipeline.engine.task import Done, Failed, NotReached
from pipeline.plan.execute import PlanOutcomes
from pipeline.plan.plan import make_plan
from pipeline.plan.reached import reached
from pipeline.plan.waves import Stages
from tests.support.comparisons import comparison_of
from tests.support.limits import Counted
from tests.support.tiny import GRID, register, write_grid, write_table

GRIDS = {
    "networks": GRID.replace("concat,", "gated, concat, {late: {rule: [stacking]}},"),
    "trees": GRID.replace("{logistic: {C: [1, 100]}}", "[logistic, random_forest]"),
    "only networks fuse": GRID.replace("concat, {late: {rule: [mean, product]}}", "gated"),
    "no fusion": GRID.replace(", concat, {late: {rule: [mean, product]}}", ""),
}
DONE, FAILED, LEFT = Done(1.0, reused=False), Failed("ValueError: no", "trace"), NotReached()
ALONE = ["repeat 1, baselines", "repeat 1, texts alone", "repeat 1, pictures alone"]
NETWORK = "mean_colour + bow / gated"


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """Gives the plan of a grid with three repeats, its stages and its comparison."""
    register(monkeypatch)
    write_table(tmp_path)

    def plan_of(name: str):
        grid = GRIDS[name].replace("repeats: 1", "repeats: 3")
        comparison = comparison_of(write_grid(tmp_path, grid), limit=Counted(0))
        plan = make_plan(comparison)
        return plan, Stages(plan, comparison.cells), comparison

    return plan_of


def names(stages: Stages) -> list[str]:
    return [wave.name for wave in stages.waves()]


def test_single_modalities_come_first_then_cheap_fusions_their_repeats_and_networks(planned):
    _, stages, _ = planned("networks")
    fusions = ["repeat 1, fusions", "repeat 2", "repeat 3"]
    assert names(stages) == [*ALONE, *fusions, NETWORK]


def test_a_dear_classifier_comes_after_all_repeats_of_the_others(planned):
    _, stages, _ = planned("trees")
    assert {cell.classifier.name for cell in stages.dear} == {"random_forest"}
    assert names(stages)[4:6] == ["repeat 2", "repeat 3"]
    dear = [f"{encoders} / random_forest" for encoders in (
        "mean_colour / image_only", "bow / text_only", "mean_colour + bow / concat")]
    assert names(stages)[6:] == dear  # late fusion has no work of its own


def test_networks_come_in_every_repeat_where_the_answer_needs_them(planned):
    _, stages, _ = planned("only networks fuse")
    assert names(stages)[:5] == [
        *ALONE, f"repeat 1, {NETWORK}", "repeat 2, baselines"
    ]
    assert len(names(stages)) == 12


@pytest.mark.parametrize("grid", GRIDS)
def test_all_work_is_in_exactly_one_wave(grid, planned):
    plan, stages, _ = planned(grid)
    waves = stages.waves()
    units = list(chain.from_iterable(wave.units for wave in waves))
    assert sorted(map(id, units)) == sorted(map(id, plan.units))
    learning = [piece for piece in plan.combinations if piece.estimator.learns_combination]
    combinations = list(chain.from_iterable(wave.combinations for wave in waves))
    assert sorted(map(id, combinations)) == sorted(map(id, learning))
    # parts before what learns from them
    done = set()
    for wave in waves:
        done |= {unit.key for unit in wave.units}
        for piece in wave.combinations:
            assert done.issuperset(unit.key for unit in piece.units)


def outcomes_of(plan, stages, waves: int, outcome=DONE) -> PlanOutcomes:
    """As if only the first waves had been carried out."""
    units, combinations = {}, {}
    for number, wave in enumerate(stages.waves()):
        ended = outcome if number < waves else LEFT
        # equal work of several repeats, as that of majority is, is done once
        units = {unit.key: ended for unit in wave.units} | units
        combinations = {piece.key: ended for piece in wave.combinations} | combinations
    return PlanOutcomes({}, units, combinations)


@pytest.mark.parametrize("outcome", [DONE, FAILED])
def test_the_repeats_that_all_cheap_cells_have_are_compared(outcome, planned):
    plan, stages, comparison = planned("networks")
    expected = [
        (1, False, {"majority"}),
        (1, False, {"majority", "bow / text_only / logistic"}),
        (1, False, None),
        (1, True, None),
        (2, True, None),
        (3, True, None),
    ]
    for number, (repeats, decides, cells) in enumerate(expected, start=1):
        whole = reached(plan, outcomes_of(plan, stages, number, outcome), comparison)
        left = whole.unreached
        assert (left.repeats, left.drawn, left.decides) == (repeats, 3, decides)
        assert NETWORK in left.cells
        kept_cells = {cell.name for cell in whole.comparison.cells}
        assert cells is None or kept_cells == cells
        assert {fold.repeat for fold in whole.comparison.folds} == set(range(repeats))
        assert {unit.cell.name for unit in whole.plan.units} <= kept_cells
        assert {unit.fold.repeat for unit in whole.plan.units} == set(range(repeats))
    assert left.cells == (NETWORK,)
    assert left.kinds == ("fusion",)
    whole = reached(plan, outcomes_of(plan, stages, 7, outcome), comparison)
    assert whole.unreached is None
    assert whole.plan is plan
    assert whole.comparison is comparison


def test_where_only_networks_fuse_their_repeats_count(planned):
    plan, stages, comparison = planned("only networks fuse")
    for waves, repeats, decides in ((3, 1, False), (4, 1, True), (7, 1, True), (8, 2, True)):
        left = reached(plan, outcomes_of(plan, stages, waves), comparison).unreached
        assert (left.repeats, left.decides) == (repeats, decides), waves


def test_without_a_fusion_in_the_grid_single_modalities_are_the_answer(planned):
    plan, stages, comparison = planned("no fusion")
    left = reached(plan, outcomes_of(plan, stages, 3), comparison).unreached
    assert (left.repeats, left.cells, left.decides) == (1, (), True)


def test_without_a_limit_all_is_compared(planned):
    plan, stages, comparison = planned("networks")
    unlimited = replace(comparison, limit=None)
    assert reached(plan, outcomes_of(plan, stages, 0), unlimited).unreached is None
