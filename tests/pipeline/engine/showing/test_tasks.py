"""Tasks as stages: what is counted, and the time that is left, from what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import pytest

from pipeline.engine.news import News
from pipeline.engine.showing.state import State
from pipeline.engine.showing.tasks import TaskStages
from pipeline.engine.showing.times import Times
from pipeline.engine.task import Done, Failed, Shown


@dataclass(frozen=True, eq=False)
class Fit(Shown):
    stage: ClassVar[str] = "Fits"

    name: str
    label: str
    work: float = 1.0
    all_cores: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.name,)


@dataclass(frozen=True, eq=False)
class Shard(Fit):
    stage: ClassVar[str] = "Encoding"
    counted: ClassVar[str] = "samples"


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def state(clock) -> State:
    return State(lambda: clock[0])


def end(stages, task, seconds: float, reused: bool = False) -> None:
    stages.ended(task, {task.name: Done(seconds, reused=reused)})


def left(stages, clock, name: str = "Fits") -> float | None:
    return stages.stages[name].left(clock[0])


def test_nothing_is_said_before_every_kind_that_is_left_was_measured(state, clock):
    tasks = [Fit(f"{label}{fold}", label) for fold, label in product(range(3), ("bow", "svm"))]
    stages = TaskStages(state, tasks, 1, Times({}))
    assert left(stages, clock) is None
    stages.began(tasks[:1])
    end(stages, tasks[0], 2.0)
    assert left(stages, clock) is None  # nobody knows how long svm takes
    stages.began(tasks[1:2])
    end(stages, tasks[1], 60.0)
    assert left(stages, clock) == 2 * 2.0 + 2 * 60.0
    for task in tasks[2:]:
        stages.began([task])
        end(stages, task, 2.0 if task.label == "bow" else 60.0)
    assert state.stages[0].ended is not None


def test_a_dear_kind_does_not_make_the_cheap_ones_dear(state, clock):
    """Of a mean over all tasks, 4,099 s were once said for what took 5."""
    svm, *rest = tasks = [Fit("svm", "svm"), *(Fit(f"bow{fold}", "bow") for fold in range(41))]
    stages = TaskStages(state, tasks, 1, Times({}))
    end(stages, svm, 100.0)
    end(stages, rest[0], 0.1)
    assert left(stages, clock) == pytest.approx(4.0)


def test_the_time_of_tasks_side_by_side_is_shared_and_of_those_alone_is_not(state, clock):
    tasks = [Fit(f"bow{fold}", "bow") for fold in range(8)]
    tasks += [Fit(f"cnn{part}", "cnn", all_cores=True) for part in range(2)]
    stages = TaskStages(state, tasks, 4, Times({"Fits: bow": 3.0, "Fits: cnn": 5.0}))
    assert left(stages, clock) == 8 * 3.0 / 4 + 2 * 5.0


def test_what_runs_has_a_part_of_its_time_behind_it_and_never_more_than_all(state, clock):
    task = Fit("bow", "bow")
    stages = TaskStages(state, [task, Fit("other", "bow")], 1, Times({"Fits: bow": 10.0}))
    stages.began([task])
    clock[0] = 4.0
    assert left(stages, clock) == 16.0
    clock[0] = 12.0
    assert left(stages, clock) == 10.0


def test_what_takes_much_longer_than_expected_leaves_no_ground(state, clock):
    """Of 20 tasks that had taken .03 s each it was said for a minute that 0 s were left."""
    tasks = [Fit(f"bow{fold}", "bow") for fold in range(20)]
    stages = TaskStages(state, tasks, 2, Times({"Fits: bow": 0.03}))
    assert left(stages, clock) == pytest.approx(0.3)
    stages.began(tasks[:1])
    clock[0] = 30.0
    assert left(stages, clock) is None
    end(stages, tasks[0], 30.0)
    assert left(stages, clock) is None  # whom to believe?
    for task in tasks[1:4]:
        end(stages, task, 0.04)
    assert left(stages, clock) == pytest.approx(16 * 0.04 / 2)


def test_this_run_goes_before_earlier_ones_and_more_work_takes_longer(state, clock):
    few, whole = Fit("few", "bow", work=100), Fit("whole", "bow", work=1000)
    stages = TaskStages(state, [few, whole], 1, Times({"Fits: bow": 0.1}))
    assert left(stages, clock) == 110.0
    end(stages, few, 5.0)
    assert left(stages, clock) == 50.0


def test_the_last_of_a_kind_say_most(state, clock):
    """The first ones pay for what a new process imports."""
    tasks = [Fit(f"bow{fold}", "bow") for fold in range(6)]
    stages = TaskStages(state, tasks, 1, Times({}))
    for task, seconds in zip(tasks, [50.0, 50.0, 2.0, 2.0, 2.0], strict=False):
        end(stages, task, seconds)
    assert left(stages, clock) == 2.0


def test_what_was_there_already_or_failed_measures_nothing(state, clock):
    tasks = [Fit(name, "bow") for name in "abc"]
    stages = TaskStages(state, tasks, 1, Times({}))
    end(stages, tasks[0], 7.0, reused=True)
    stages.ended(tasks[1], {"b": Failed("ValueError", "trace")})
    assert left(stages, clock) is None
    assert state.stages[0].counted == 2


def test_samples_are_counted_while_they_are_encoded(state, clock):
    first, second = Shard("a", "cnn", 512.0), Shard("b", "cnn", 100.0)
    stages = TaskStages(state, [first, second], 2, Times({}))
    stage = stages.stages["Encoding"]
    assert (stage.total, stage.noun) == (612, "samples")
    stages.began([first])
    stages.heard(News("a", 10, 512, "samples"))
    clock[0] = 5.0
    stages.heard(News("a", 110, 512, "samples"))
    assert stage.counted == 110
    # 100 samples in 5 s: what there is to say before the first shard has ended
    assert left(stages, clock, "Encoding") == pytest.approx((612 - 110) * 0.05 / 2)
    end(stages, first, 25.6)
    assert stage.counted == 512
    assert left(stages, clock, "Encoding") == pytest.approx(5.0)
    stages.heard(News("a", 500, 512, "samples"))  # late news of what has ended
    assert stage.counted == 512


def test_a_batch_says_which_of_its_tasks_it_is_at(state, clock):
    batch = [Fit(name, name) for name in ("bow", "tfidf", "cnn")]
    stages = TaskStages(state, batch, 1, Times({}))
    stages.began(batch)
    stage = stages.stages["Fits"]
    assert [now.doing for now in stage.now.values()] == ["bow"]
    clock[0] = 3.0
    stages.heard(News("tfidf"))
    assert [(now.doing, now.since) for now in stage.now.values()] == [("tfidf", 3.0)]
    assert (stage.done, stage.counted) == (0, 1)
    stages.heard(News("cnn"))
    assert stage.counted == 2
    for task in batch:
        end(stages, task, 1.0)
    assert (stage.counted, stage.now) == (3, {})


def test_a_task_without_work_measures_nothing(state, clock):
    nothing, other = Fit("nothing", "bow", work=0.0), Fit("other", "bow")
    stages = TaskStages(state, [nothing, other], 1, Times({}))
    end(stages, nothing, 1.0)
    assert left(stages, clock) is None


def test_what_never_began_is_no_part_of_the_run(state):
    stages = TaskStages(state, [Fit("bow", "bow")], 1, Times({}))
    assert stages.close() == []
    assert state.stages == []
