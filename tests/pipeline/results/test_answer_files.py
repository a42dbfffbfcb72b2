"""verdict.json and contrasts.csv: the report's own figures, for programs."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from pipeline.results.answer_files import CONTRAST_COLUMNS, contrasts_csv, verdict_json
from pipeline.testing.records import FUSION, MAJORITY, SMALL_SCORES, small_record
from reports.analysis.contrasts import contrasts
from reports.page.terminal import closing
from reports.sections.verdict import facts
from tests.support.realistic import realistic_record


@pytest.mark.parametrize(
    "record",
    [
        small_record(),
        small_record({FUSION: SMALL_SCORES[FUSION]}),
        small_record({MAJORITY: SMALL_SCORES[MAJORITY]}),
        small_record({cell: scores[:1] for cell, scores in SMALL_SCORES.items()}),
        replace(small_record(), folds=()),
        realistic_record(200, repeats=3),
    ],
    ids=["small", "one cell", "baseline", "one fold", "nothing", "realistic"],
)
def test_the_files_hold_what_the_report_says(record):
    said, content = facts(record), json.loads(verdict_json(record))
    assert (content["answer"], content["headline"]) == (said.answer, said.headline)
    assert content["advice"] == list(said.sentences)
    assert [cell["name"] for cell in content["cells"]] != [] or not record.cells
    if said.gain is not None:
        assert content["gain"]["mean"] == said.gain.interval.mean
        assert content["gain"]["low"] == said.gain.interval.low
    rows = list(csv.DictReader(io.StringIO(contrasts_csv(record))))
    assert len(rows) == len(contrasts(record).family) + (said.gain is not None)
    for row, contrast in zip(rows[-len(contrasts(record).family) :], contrasts(record).family,
                             strict=False):
        assert (row["cell"], row["other"]) == (contrast.comparison.cell, contrast.comparison.other)
        if contrast.adjusted is not None:
            assert float(row["p_adjusted"]) == pytest.approx(contrast.adjusted, abs=1e-6)


def test_columns_and_the_row_that_decides():
    text = contrasts_csv(small_record())
    assert text.splitlines()[0] == ",".join(CONTRAST_COLUMNS)
    first = next(csv.DictReader(io.StringIO(text)))
    assert first["question"] == "answer"
    assert first["p_adjusted"] == ""  # it was fixed before the run: nothing to correct for
    assert float(first["gain"]) == pytest.approx(0.05)


def test_the_run_ends_with_the_headline_and_the_five_best_cells():
    record = realistic_record(300, repeats=3)
    lines = closing(record).splitlines()
    assert lines[1] == facts(record).headline
    assert sum("pairs of repeats" in line for line in lines) == 1
    best = [line.split("  ", 3)[-1].strip() for line in lines[-5:]]
    cells = json.loads(verdict_json(record))["cells"]
    assert best == [cell["name"] for cell in cells[:5]]
