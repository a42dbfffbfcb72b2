"""All tasks of a run, on an engine in memory that ends them in any order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.news import News
from pipeline.engine.progress import silence
from pipeline.engine.run_all import counts, run_all
from pipeline.engine.task import (
    Batch,
    Done,
    Failed,
    NotReached,
    Outcome,
    Outcomes,
    Shown,
    Task,
    memory_of,
)
from pipeline.store.folder import FolderStore
from pipeline.store.store import Store
from tests.support.limits import Counted, Impatient

STORE = FolderStore(Path("never written"))
BOOM = Failed("ValueError: boom", "the traceback")


@dataclass(frozen=True, eq=False)
class Piece(Shown):
    """A task that only says what comes of it."""

    stage: ClassVar[str] = "Pieces"

    label: str
    keys: tuple[str, ...]
    needs: tuple[str, ...] = ()
    memory: float = 0.0
    together: int | None = None
    all_cores: bool = False
    fails: bool = False

    def compute(self, store: Store) -> dict[str, Outcome]:
        return dict.fromkeys(self.keys, BOOM if self.fails else Done(1.0, reused=False))


def piece(label: str, *needs: str, **changes: Any) -> Piece:
    """A task whose only key is its label."""
    return Piece(label, (label,), needs, **changes)


@dataclass
class Engine:
    """Notes what goes on, and ends a random one of what runs.

    Attributes
    ----------
    submitted : the batches in the order in which they were handed over.
    at_once : of each of them, what ran beside it then, itself included.
    closed : the arguments of every close.
    """

    slots: int = 2
    memory: float = 10.0
    seed: int = 0
    shares_cores: bool = True
    interrupted_by: BaseException | None = None
    submitted: list[Batch] = field(default_factory=list)
    at_once: list[list[Batch]] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    alone: list[Batch] = field(default_factory=list)
    running: list[Batch] = field(default_factory=list)
    closed: list[bool] = field(default_factory=list)
    idle_ends: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def side_by_side(self, need: float) -> int:
        raise NotImplementedError("only plans ask this")

    def has_room(self, running: Sequence[Batch], batch: Batch) -> bool:
        assert list(running) == self.running
        return sum(map(memory_of, [*running, batch])) <= self.memory

    def shutdown(self) -> None:
        raise NotImplementedError("who made it shuts it down")

    def submit(
        self, batch: Batch, store: Store, *, alone: bool, may_be_left: bool = False
    ) -> None:
        assert store is STORE
        assert not self.closed
        assert not any(other in self.alone for other in self.running)
        if alone:
            assert not self.running
            self.alone.append(batch)
        self.submitted.append(batch)
        self.running.append(batch)
        self.at_once.append(list(self.running))

    def finished(self, patience: float | None = None) -> tuple[Batch, Outcomes] | None:
        if self.interrupted_by is not None:
            raise self.interrupted_by
        if self.idle_ends:  # as where a machine was added
            self.idle_ends -= 1
            self.slots += 1
            return None
        batch = self.running.pop(self._random.randrange(len(self.running)))
        outcomes: dict[str, Outcome] = {}
        for task in batch:
            outcomes |= task.compute(STORE)
        self.ended |= set(outcomes)
        return batch, outcomes

    def close(self, *, at_once: bool = False) -> None:
        self.closed.append(at_once)


class Recording:
    """Takes the reports of tasks."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.begun: list[Task] = []
        self.outcomes: dict[str, dict[str, Outcome]] = {}
        self.news: list[News] = []

    @contextmanager
    def progress(self, tasks: Sequence[Task], slots: int, store: Store) -> Iterator[Recording]:
        assert store is STORE
        self.tasks = list(tasks)
        yield self

    def began(self, batch: Batch) -> None:
        self.begun += batch

    def ended(self, task: Task, outcomes: Outcomes) -> None:
        assert set(outcomes) == set(task.keys)
        self.outcomes[task.label] = dict(outcomes)

    def heard(self, news: News) -> None:
        self.news.append(news)


@st.composite
def pieces(draw: st.DrawFn) -> list[Piece]:
    """Tasks in any order; each needs keys of some that were drawn before it, or nobody's."""
    tasks: list[Piece] = []
    for number in range(draw(st.integers(1, 12))):
        together = draw(st.sampled_from([None, None, 0, 1]))
        # Batches must not wait for each other: what goes together needs single tasks without needs.
        before = [
            task for task in tasks if together is None or (task.together is None and not task.needs)
        ]
        choices = ["from the store", *chain.from_iterable(task.keys for task in before)]
        tasks.append(Piece(
            f"piece {number}",
            tuple(f"{number}.{part}" for part in range(draw(st.integers(1, 2)))),
            tuple(draw(st.lists(st.sampled_from(choices), max_size=3, unique=True))),
            draw(st.floats(0, 12)),
            together,
            draw(st.booleans()) and draw(st.booleans()),
            draw(st.booleans()) and draw(st.booleans()),
        ))
    return draw(st.permutations(tasks))


ENGINES = st.builds(Engine, st.integers(1, 4), st.floats(0, 30), st.integers(0, 1000))
KNOWN = st.sampled_from([{}, {"from the store": replace(BOOM, label="it")}])


def needed_by(task: Piece, tasks: Sequence[Piece]) -> set[str]:
    """Keys of everything that a task needs, and what it needs needs."""
    by_key: dict[str, Piece] = {}
    for other in tasks:
        by_key |= dict.fromkeys(other.keys, other)
    needed, left = set(), list(task.needs)
    while left:
        key = left.pop()
        needed.add(key)
        left += by_key[key].needs if key in by_key else ()
    return needed


def submitted_pieces(engine: Engine) -> list[Piece]:
    return list(chain.from_iterable(engine.submitted))


@given(pieces(), ENGINES, KNOWN)
def test_every_task_is_computed_once_unless_something_it_needs_failed(tasks, engine, known):
    outcomes = run_all(tasks, engine, STORE, silence, known)
    assert set(outcomes) == set(chain.from_iterable(task.keys for task in tasks))
    computed = Counter(task.label for task in submitted_pieces(engine))
    failing = set(known) | set(chain.from_iterable(task.keys for task in tasks if task.fails))
    for task in tasks:
        hindered = bool(needed_by(task, tasks) & failing)
        assert computed[task.label] == (0 if hindered else 1)
        kinds = {type(outcomes[key]) for key in task.keys}
        assert kinds == {Failed if hindered or task.fails else Done}


@given(pieces(), ENGINES, KNOWN)
def test_a_failure_names_what_failed_first_once(tasks, engine, known):
    outcomes = run_all(tasks, engine, STORE, silence, known)
    first = {"it", *(task.label for task in tasks if task.fails)}
    computed = set(submitted_pieces(engine))
    for task in tasks:
        for failed in (outcomes[key] for key in task.keys):
            if isinstance(failed, Done):
                continue
            assert failed.traceback == BOOM.traceback
            assert failed.label in first
            if task in computed:
                assert (failed.label, failed.error) == (task.label, BOOM.error)
            else:
                assert failed.error == f"{failed.label}: {BOOM.error}"


@given(pieces(), ENGINES)
def test_nothing_begins_before_what_it_needs(tasks, engine):
    computed_here = set(chain.from_iterable(task.keys for task in tasks))
    submit = engine.submit

    def watched(batch: Batch, store: Store, *, alone: bool, may_be_left: bool) -> None:
        for task in batch:
            assert set(task.needs) & computed_here <= engine.ended
        submit(batch, store, alone=alone)

    engine.submit = watched
    run_all(tasks, engine, STORE, silence)


@given(pieces(), ENGINES)
def test_memory_and_slots_are_never_exceeded_but_by_a_single_batch(tasks, engine):
    run_all(tasks, engine, STORE, silence)
    for running in engine.at_once:
        assert len(running) <= engine.slots
        memory = sum(max(task.memory for task in batch) for batch in running)
        assert len(running) == 1 or memory <= engine.memory


@given(pieces(), ENGINES)
def test_what_keeps_all_cores_busy_runs_alone(tasks, engine):
    run_all(tasks, engine, STORE, silence)
    for running in engine.at_once:
        busy = [task for task in chain.from_iterable(running) if task.all_cores]
        assert not busy or len(running) == 1
    for batch in engine.submitted:
        assert batch in engine.alone or not any(task.all_cores for task in batch)


@given(pieces(), ENGINES)
def test_where_cores_are_not_shared_only_memory_and_slots_count(tasks, engine):
    engine.shares_cores = False
    run_all(tasks, engine, STORE, silence)
    assert engine.alone == [] or len(engine.submitted) == 1
    assert len(submitted_pieces(engine)) == len({task.label for task in submitted_pieces(engine)})


def test_what_keeps_all_cores_busy_runs_on_several_machines_at_once():
    engine = Engine(slots=3, shares_cores=False)
    run_all([piece(label, all_cores=True) for label in "abc"], engine, STORE, silence)
    assert max(map(len, engine.at_once)) == 3


def test_a_slot_that_is_added_while_all_are_busy_is_used_at_once():
    engine = Engine(slots=1, idle_ends=1)
    run_all([piece("a"), piece("b")], engine, STORE, silence)
    assert [len(running) for running in engine.at_once] == [1, 2]


@given(pieces(), ENGINES)
def test_what_belongs_together_goes_as_one_batch(tasks, engine):
    run_all(tasks, engine, STORE, silence)
    batches = Counter(
        batch[0].together for batch in engine.submitted if batch[0].together is not None
    )
    assert set(batches.values()) <= {1}
    for batch in engine.submitted:
        assert len({task.together for task in batch}) == 1
        assert len(batch) == 1 or batch[0].together is not None


@given(pieces(), ENGINES, st.lists(st.integers(0, 1000), min_size=2, max_size=4))
def test_outcomes_are_the_same_in_whatever_order_tasks_end(tasks, engine, seeds):
    kinds = []
    for seed in seeds:
        outcomes = run_all(tasks, Engine(engine.slots, engine.memory, seed), STORE, silence)
        kinds.append({key: type(outcome) for key, outcome in outcomes.items()})
    assert all(by_key == kinds[0] for by_key in kinds)


@given(pieces(), ENGINES, KNOWN)
def test_progress_is_told_the_outcomes_of_every_task(tasks, engine, known):
    recording = Recording()
    run_all(tasks, engine, STORE, recording.progress, known)
    assert recording.tasks == tasks
    assert set(recording.outcomes) == {task.label for task in tasks}
    done = {
        label for label, outcomes in recording.outcomes.items()
        if isinstance(next(iter(outcomes.values())), Done)
    }
    assert done <= {task.label for task in recording.begun}


@given(pieces(), ENGINES)
def test_the_engine_is_closed_once_and_waits_for_nothing(tasks, engine):
    run_all(tasks, engine, STORE, silence)
    assert engine.closed == [False]
    assert engine.running == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("the disk is full")])
def test_the_engine_is_closed_at_once_after_an_error(error):
    engine = Engine(interrupted_by=error)
    with pytest.raises(type(error)):
        run_all([piece("a"), piece("b")], engine, STORE, silence)
    assert engine.closed == [True]


def test_the_engine_is_closed_at_once_where_it_cannot_take_a_task():
    engine = Engine()

    def refuse(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    engine.submit = refuse
    with pytest.raises(KeyboardInterrupt):
        run_all([piece("a")], engine, STORE, silence)
    assert engine.closed == [True]


def test_without_tasks_nothing_is_asked_of_the_engine():
    engine = Engine()
    assert run_all([], engine, STORE, silence) == {}
    assert engine.closed == []


def test_a_failure_goes_down_a_chain_with_one_name():
    tasks = [piece("c", "b"), piece("b", "a"), piece("a", fails=True), piece("d")]
    outcomes = run_all(tasks, Engine(), STORE, silence)
    assert outcomes["a"] == replace(BOOM, label="a")
    assert outcomes["b"] == outcomes["c"] == replace(BOOM, label="a", error=f"a: {BOOM.error}")
    assert isinstance(outcomes["d"], Done)


def test_a_failure_that_is_known_goes_down_a_chain_too():
    """As when features failed before the fits that need them, in whatever order these stand."""
    known = {"features": replace(BOOM, label="bow")}
    engine = Engine()
    tasks = [piece("late", "fit"), piece("fit", "features")]
    outcomes = run_all(tasks, engine, STORE, silence, known)
    assert {outcome.error for outcome in outcomes.values()} == {f"bow: {BOOM.error}"}
    assert engine.submitted == []


def test_of_a_batch_only_the_tasks_that_need_what_failed_fail():
    tasks = [piece("a", fails=True), piece("b", "a", together=1), piece("c", together=1)]
    engine = Engine()
    outcomes = run_all(tasks, engine, STORE, silence)
    assert isinstance(outcomes["b"], Failed)
    assert isinstance(outcomes["c"], Done)
    assert [[task.label for task in batch] for batch in engine.submitted] == [["a"], ["c"]]


def test_equal_numbers_of_different_kinds_of_tasks_do_not_go_together():
    class Other(Piece):
        pass

    engine = Engine(slots=1)
    tasks = [piece("a", together=1), Other("b", ("b",), together=1), piece("c", together=1)]
    run_all(tasks, engine, STORE, silence)
    assert [[task.label for task in batch] for batch in engine.submitted] == [["a", "c"], ["b"]]


def test_a_task_that_needs_much_memory_lets_smaller_ones_pass():
    engine = Engine(slots=3, memory=10.0)
    tasks = [piece("first", memory=6.0), piece("large", memory=9.0), piece("small", memory=4.0)]
    run_all(tasks, engine, STORE, silence)
    assert [task.label for task in submitted_pieces(engine)] == ["first", "small", "large"]


def test_a_batch_is_alone_where_it_is_all_there_is():
    engine = Engine(slots=2)
    run_all([piece("a"), piece("b", "a")], engine, STORE, silence)
    assert engine.alone == []
    single = Engine(slots=2)
    run_all([piece("a", together=1), piece("b", together=1)], single, STORE, silence)
    assert [[task.label for task in batch] for batch in single.alone] == [["a", "b"]]


def test_tasks_that_wait_for_each_other_are_an_error_and_no_endless_wait():
    engine = Engine()
    with pytest.raises(RuntimeError, match="wait for each other: a, b"):
        run_all([piece("a", "b"), piece("b", "a"), piece("c")], engine, STORE, silence)
    assert [task.label for task in submitted_pieces(engine)] == ["c"]
    assert engine.closed == [True]


def test_counts_tell_what_was_computed_from_what_was_there():
    outcomes = [Done(1.0, reused=True), Done(1.0, reused=False), Done(0.0, reused=False), BOOM]
    assert counts(outcomes) == "2 computed, 1 reused"


@given(pieces(), ENGINES, KNOWN, st.integers(0, 12))
def test_a_limit_leaves_tasks_and_all_that_needs_them_and_fails_none(tasks, engine, known, most):
    limit = Counted(most)
    outcomes = run_all(tasks, engine, STORE, silence, known, limit)
    assert set(outcomes) == set(chain.from_iterable(task.keys for task in tasks))
    left = {key for key, outcome in outcomes.items() if isinstance(outcome, NotReached)}
    computed = set(submitted_pieces(engine))
    for task in tasks:
        if left.intersection(task.keys):
            assert task not in computed
            assert left.issuperset(task.keys)
        elif needed_by(task, tasks) & left:
            failing = chain.from_iterable(other.keys for other in tasks if other.fails)
            assert needed_by(task, tasks) & {*failing, *known}
    assert engine.closed == ([] if not tasks else [False])
    # one that has not succeeded is not counted: no more than fit beside those that were
    done = [task for task in computed if not task.fails]
    widest = max((len(batch) for batch in engine.submitted), default=1)
    assert len(done) <= most + engine.slots * widest
    unlimited = run_all(tasks, Engine(engine.slots, engine.memory), STORE, silence, known)
    reached = {key: type(outcome) for key, outcome in outcomes.items() if key not in left}
    assert reached == {key: type(unlimited[key]) for key in reached}


def test_progress_counts_nothing_that_was_left():
    recording = Recording()
    run_all([piece("a"), piece("b", "a")], Engine(), STORE, recording.progress, None, Counted(1))
    assert set(recording.outcomes) == {"a"}


def test_what_runs_when_the_patience_ends_is_left_and_the_engine_closed_at_once():
    engine = Engine(slots=2)
    engine.finished = lambda patience=None: None
    tasks = [piece("a"), piece("b"), piece("c", "a")]
    limit = Impatient(10)
    limit.allows = lambda batch: len(engine.submitted) < 2
    outcomes = run_all(tasks, engine, STORE, silence, limit=limit)
    assert {type(outcome) for outcome in outcomes.values()} == {NotReached}
    assert [task.label for task in submitted_pieces(engine)] == ["a", "b"]
    assert engine.closed == [True]
