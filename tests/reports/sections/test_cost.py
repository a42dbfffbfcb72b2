"""What the run spent, by value."""

from __future__ import annotations

from dataclasses import replace

from reports.sections import cost
from reports.work_record import StepRecord
from tests.support.records import small_record


def test_the_run_took_as_long_as_its_steps_and_not_as_its_processes_together():
    record = replace(
        small_record(), steps=(StepRecord("encode and fit", 7.5), StepRecord("score", 0.5))
    )
    facts = cost.facts(record)
    assert (facts.seconds, facts.work_seconds) == (8.0, 10.0)
    assert [facts.share(step) for step in facts.steps] == [0.9375, 0.0625]
    assert facts.share(facts.stages[0]) == 0.6
