"""What the run spent, by value."""

from __future__ import annotations

from dataclasses import replace

from pipeline.testing.records import small_record
from reports.page.render import write_report
from reports.sections import cost
from reports.work_record import StepRecord, WorkerRecord


def test_the_run_took_as_long_as_its_steps_and_not_as_its_processes_together():
    record = replace(
        small_record(), steps=(StepRecord("encode and fit", 7.5), StepRecord("score", 0.5))
    )
    facts = cost.facts(record)
    # the reused quarter of the cells' work counts as it was when it was computed
    assert (facts.seconds, facts.work_seconds, facts.saved_seconds) == (8.0, 12.5, 2.5)
    assert [facts.share(step) for step in facts.steps] == [0.9375, 0.0625]
    assert facts.share(facts.stages[0]) == 0.48
    assert facts.share(facts.stages[2]) == 0.5


def test_what_it_was_computed_on_is_said_where_it_is_known(tmp_path):
    words = "Computed on 4 cores of Intel Xeon; 2 cores: all durations in this report are from"
    for machines in ((), ("4 cores of Intel Xeon", "2 cores")):
        write_report(replace(small_record(), machines=machines), tmp_path)
        assert (words in (tmp_path / "report.md").read_text()) == bool(machines)
        page = (tmp_path / "report.html").read_text()
        assert ("<strong>4 cores of Intel Xeon</strong>; <strong>2 cores</strong>" in page) == bool(
            machines
        )


def test_workers_of_a_cluster_are_listed_where_there_was_one(tmp_path):
    workers = (WorkerRecord("gpu01:a", 30, 61.0), WorkerRecord("gpu02:b", 1, 2.0))
    for record in (small_record(), replace(small_record(), workers=workers)):
        write_report(record, tmp_path)
        text = (tmp_path / "report.md").read_text()
        assert ("| gpu01:a | 61.0 s | 30 |" in text) == bool(record.workers)
        assert ("Workers of a cluster" in text) == bool(record.workers)
        page = (tmp_path / "report.html").read_text()
        assert ("gpu02:b" in page) == bool(record.workers)
