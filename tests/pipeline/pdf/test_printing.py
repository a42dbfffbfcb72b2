"""A page is printed whole or not at all; what is missing is said."""

from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path

import pytest

from pipeline.pdf import printing
from pipeline.pdf.printing import PrintError, print_page
from pipeline.testing.records import small_record
from reports.page.render import write_report
from tests.support.browser import chromium_program


def script(path: Path, body: str) -> str:
    """A program that does what its body says."""
    path.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_without_a_chromium_it_is_said_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(printing, "_chromiums", lambda: iter(()))
    with pytest.raises(PrintError, match="Chromium, Chrome or Edge, and none of them is here"):
        print_page(tmp_path / "report.html", tmp_path / "report.pdf")
    with pytest.raises(PrintError, match="there is no program nowhere"):
        print_page(tmp_path / "report.html", tmp_path / "report.pdf", "nowhere")


@pytest.mark.skipif(os.name == "nt", reason="programs are scripts here")
@pytest.mark.parametrize(("body", "words"), [
    ("sys.exit('out of luck')", r"printed nothing \(exit code 1\): out of luck"),
    ("path = sys.argv[-2].removeprefix('--print-to-pdf=')\nopen(path, 'w').write('no')",
     r"printed nothing \(exit code 0\)"),
])
def test_what_prints_nothing_leaves_the_earlier_pdf(body, words, tmp_path):
    (tmp_path / "report.pdf").write_bytes(b"%PDF-earlier")
    program = script(tmp_path / "chromium", body)
    with pytest.raises(PrintError, match=words):
        print_page(tmp_path / "report.html", tmp_path / "report.pdf", program)
    assert (tmp_path / "report.pdf").read_bytes() == b"%PDF-earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chromium", "report.pdf"]


def test_a_report_is_printed_whole(tmp_path):
    program = chromium_program()
    page = write_report(small_record(), tmp_path)[0]
    print_page(page, tmp_path / "report.pdf", program)
    content = (tmp_path / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) > 3
    assert not list(tmp_path.glob("printing-*"))
