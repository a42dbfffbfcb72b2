"""Words and facts of the report by golden files.

The golden files are written anew by `MODALGRID_GOLDEN=write pytest tests/reports`; read the
difference before committing it.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict

from reports.page.render import report_parts, write_report
from tests.support.paths import ROOT
from tests.support.probed import eventful_record

GOLDEN = ROOT / "tests" / "reports" / "golden"


def _golden(name: str, content: str) -> None:
    path = GOLDEN / name
    if os.environ.get("MODALGRID_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    assert content == path.read_text(encoding="utf-8")


def test_golden_markdown(tmp_path):
    write_report(eventful_record(), tmp_path)
    _golden("report.md", (tmp_path / "report.md").read_text(encoding="utf-8"))


def test_golden_table(tmp_path):
    write_report(eventful_record(), tmp_path)
    _golden("table.tex", (tmp_path / "table.tex").read_text(encoding="utf-8"))


def test_golden_facts():
    facts = {part.name: asdict(part.facts) for part in report_parts(eventful_record())}
    text = json.dumps(facts, indent=1, ensure_ascii=False, default=lambda value: value.tolist())
    rounded = re.sub(
        r"-?\d+\.\d{7,}(e-?\d+)?", lambda number: f"{float(number[0]) + 0.0:.6f}", text
    )
    _golden("facts.json", rounded + "\n")
