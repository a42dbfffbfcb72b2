"""How the figures came about, by value."""

from __future__ import annotations

from pipeline.testing.records import small_record
from reports.sections import method


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
