"""Which units one process takes together.

All of them once, large ones first, no process left with a long one.
"""

from __future__ import annotations

from itertools import chain
from operator import attrgetter
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from models.classifier import SolvesJointly
from models.classifiers.logistic import Logistic
from models.classifiers.neighbours import NearestNeighbours
from models.early.concat import Concat
from models.neural.attention import Attention
from pipeline.plan.schedule import tasks_of


def unit(fold, picture=None, joint=True, work=1.0):
    features = {} if picture is None else {"image": [SimpleNamespace(key=picture)]}
    return SimpleNamespace(fold=SimpleNamespace(repeat=0, fold=fold), features=features, work=work,
                           estimator=Concat(Logistic() if joint else NearestNeighbours()))


def attending(fold, picture, work=1.0):
    fitted = unit(fold, picture, work=work)
    fitted.estimator = Attention()
    return fitted


def scheduled(units, jobs):
    return tasks_of(units, jobs, attrgetter("work"))


UNITS = st.lists(
    st.builds(
        unit,
        st.integers(0, 4),
        st.sampled_from([None, "cnn", "hog"]),
        st.booleans(),
        st.floats(0.1, 100),
    ),
    min_size=1,
    max_size=40,
)


def pictures_of(units):
    forms = chain.from_iterable(unit.features.get("image", ()) for unit in units)
    return {features.key for features in forms}


@given(UNITS, st.integers(1, 8))
def test_every_unit_is_in_one_task_and_tasks_hold_what_shares_pictures_and_fold(units, jobs):
    tasks = scheduled(units, jobs)
    assert sorted(chain.from_iterable(tasks)) == list(range(len(units)))
    for task in tasks:
        members = [units[position] for position in task]
        assert len(task) == 1 or all(
            isinstance(member.estimator.classifier, SolvesJointly) for member in members
        )
        assert len({member.fold.fold for member in members}) == 1
        assert len(pictures_of(members)) <= 1


@given(UNITS, st.integers(1, 8))
def test_no_process_works_alone_for_longer_than_a_task_that_could_not_be_taken_apart(units, jobs):
    tasks = scheduled(units, jobs)
    sizes = [sum(units[position].work for position in task) for task in tasks]
    ends = [0.0] * jobs
    for size in sizes:  # each goes to the process that is free first
        ends[ends.index(min(ends))] += size
    assert max(ends) - sum(sizes) / jobs <= max(unit.work for unit in units) + 1e-6


def test_the_largest_group_goes_first_and_single_units_come_last_fold_after_fold():
    units = [unit(1, joint=False, work=50), unit(0, joint=False),
             *(unit(fold, "cnn", work=2) for fold in (0, 0, 1, 1)),
             *(unit(fold, "hog", work=5) for fold in (0, 0, 1, 1))]
    assert scheduled(units, 2) == [[6, 7], [8, 9], [2, 3], [4, 5], [1], [0]]


def test_networks_over_the_same_regions_go_together_apart_from_what_solves_jointly():
    units = [attending(0, "cnn", 3), unit(0, "cnn"), attending(0, "cnn", 3), attending(0, "hog"),
             unit(0, "cnn"), *(unit(1, joint=False, work=20) for _ in range(2))]
    assert scheduled(units, 2) == [[0, 2], [1, 4], [3], [5], [6]]


def test_texts_alone_go_with_the_first_pictures_of_their_fold():
    """Concat solves texts alone too: at the end of its weights, where pictures have no part."""
    units = [unit(0, "hog"), unit(0), unit(0, "cnn"), unit(0, "hog"), unit(0),
             *(unit(1, joint=False, work=20) for _ in range(2))]
    assert scheduled(units, 2) == [[0, 1, 3, 4], [2], [5], [6]]


def test_the_last_group_is_taken_apart():
    units = [unit(position // 4, "cnn") for position in range(12)]
    assert scheduled(units, 2) == [[0, 1, 2, 3], [4], [5], [6], [7], [8], [9], [10], [11]]
    assert scheduled(units[:4], 2) == [[0], [1], [2], [3]]
