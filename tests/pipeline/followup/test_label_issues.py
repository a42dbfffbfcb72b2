"""Doubtful labels: those that were made wrong are found, and nothing stands in a run's way."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from pipeline.followup import label_issues as module
from pipeline.followup.label_issues import label_issues
from pipeline.results.answer_files import LABEL_COLUMNS, labels_csv
from pipeline.testing.records import small_record
from reports.sections import labels as section
from tests.support.simulated_runs import Truth, simulated_run


@pytest.fixture
def mislabelled():
    """A run whose models know the classes well, and ten rows whose labels are wrong."""
    record = simulated_run(Truth(accuracy=0.95, fusions=2), 0, repeats=2).record
    wrong = np.arange(0, 200, 20)
    labels = record.labels.copy()
    labels[wrong] = (labels[wrong] + 1) % 4
    return replace(record, labels=labels), wrong


def test_wrong_labels_are_found_and_ranked(mislabelled, store):
    record, wrong = mislabelled
    found_labels, problems = label_issues(record, store)
    assert problems == ()
    assert found_labels.scored == 300
    assert len(set(wrong) & set(found_labels.rows.tolist())) >= 8
    assert len(found_labels.rows) < 40
    given = found_labels.probabilities[
        np.arange(len(found_labels.rows)), record.labels[found_labels.rows]
    ]
    assert np.all(np.diff(given) >= -1e-9)  # the least probable label first


def test_the_list_is_kept(mislabelled, store, monkeypatch):
    first = label_issues(mislabelled[0], store).record
    monkeypatch.setattr("cleanlab.filter.find_label_issues", None)
    again = label_issues(mislabelled[0], store).record
    assert np.array_equal(first.rows, again.rows)


def test_page_and_file_show_row_text_and_both_classes(mislabelled, store):
    record = mislabelled[0]
    whole = replace(record, label_issues=label_issues(record, store).record)
    facts = section.facts(whole)
    assert facts.count == len(whole.label_issues.rows)
    rows = list(csv.DictReader(io.StringIO(labels_csv(whole))))
    assert tuple(rows[0]) == LABEL_COLUMNS
    assert len(rows) == facts.count
    assert (rows[0]["id"], rows[0]["label"], rows[0]["suggested"]) == (
        facts.doubts[0].id, facts.doubts[0].label, facts.doubts[0].suggested,
    )
    assert float(rows[0]["p_suggested"]) > float(rows[0]["p_label"])
    assert section.facts(record) is None
    assert labels_csv(record) == ",".join(LABEL_COLUMNS) + "\n"


def test_nothing_is_asked_of_unseen_classes_or_without_a_cell(store):
    record = small_record()
    assert label_issues(replace(record, unseen_classes=True), store).record is None
    assert label_issues(replace(record, folds=()), store).record is None


def test_what_goes_wrong_is_a_warning(mislabelled, store, monkeypatch):
    def fails(*_):
        raise ValueError("odd labels")

    monkeypatch.setattr(module, "_doubtful", fails)
    result = label_issues(mislabelled[0], store)
    assert result.record is None
    assert "could not be looked for: ValueError: odd labels" in result.problems[0]
