"""A written report and its page, once for all tests of the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.page.render import write_report
from tests.support.page import Page
from tests.support.realistic import realistic_record


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("report")
    write_report(realistic_record(n_rows=200, repeats=1), folder)
    return folder


@pytest.fixture(scope="module")
def page(written: Path) -> Page:
    return Page((written / "report.html").read_text(encoding="utf-8"))
