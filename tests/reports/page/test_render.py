"""The files of a report: complete, readable by a machine, and whole whatever happens."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from pipeline.testing.records import FUSION, IMAGE, MAJORITY, SMALL_SCORES, TEXT, small_record
from reports.charts import remembered
from reports.fold_record import FailureRecord
from reports.page.render import report_parts, write_report
from reports.sections import SECTIONS, verdict
from tests.support.paths import ROOT
from tests.support.realistic import realistic_record

# what the small record does not have
SECOND_PHASE = {
    "attention", "breakdown", "labels", "learning_curve", "robustness", "training"
}


@pytest.mark.parametrize(
    ("cells", "answer", "left_out"),
    [
        ([MAJORITY], "not compared", {"gains", "gallery", "calibration"}),
        ([IMAGE, MAJORITY], "one modality", {"gains"}),
        ([FUSION], "not compared", {"gains"}),
        ([IMAGE, TEXT], "not compared", {"gains"}),
        ([TEXT, FUSION], "half compared", set()),
        ([IMAGE, TEXT, FUSION], "probably pays", set()),
    ],
)
def test_sections_without_facts_are_left_out(cells, answer, left_out, tmp_path):
    record = small_record({cell: SMALL_SCORES[cell] for cell in cells})
    assert verdict.facts(record).answer == answer
    assert {part.name for part in report_parts(record)} == set(SECTIONS) - left_out - SECOND_PHASE
    write_report(record, tmp_path)


def test_a_run_in_which_everything_failed_still_has_a_report(tmp_path):
    record = replace(
        small_record(),
        folds=(),
        steps=(),
        stages=(),
        failures=tuple(
            FailureRecord(cell.name, None, None, "RuntimeError: no", "trace")
            for cell in SMALL_SCORES
        ),
    )
    assert verdict.facts(record).answer == "no result"
    files = write_report(record, tmp_path)
    assert not [path for path in files if path.suffix == ".svg"]
    write_report(
        replace(
            small_record(),
            folds=tuple(
                replace(fold, scores={**fold.scores, "balanced_accuracy": math.nan})
                for fold in small_record().folds
            ),
        ),
        tmp_path,
    )


def test_the_page_loads_nothing(page, written):
    for _, attrs in page.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert (attrs.get(name) or "#").startswith(("#", "data:"))
    css = re.search(r"<style>(.*?)</style>", (written / "report.html").read_text(), re.DOTALL)[1]
    assert "url(" not in css
    assert "@import" not in css
    assert (written / "report.html").stat().st_size < 1_500_000


def test_the_page_can_be_read_by_a_machine(page):
    tables = sum(tag == "table" for tag, _ in page.tags)
    assert tables == sum(tag == "caption" for tag, _ in page.tags) > 4
    assert all("scope" in attrs for attrs in page.named("th"))
    drawings = [attrs for attrs in page.named("div") if attrs.get("class") == "drawing"]
    assert len(drawings) == 5
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in drawings)
    # the leaderboard by rank, the classes by F1
    assert sum("aria-sort" in attrs for attrs in page.named("th")) == 2
    assert all(attrs["alt"] for attrs in page.named("img"))
    identifiers = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(identifiers) == len(set(identifiers))
    targets = [attrs["href"][1:] for attrs in page.named("a")]
    assert set(targets) <= set(identifiers)


def test_charts_are_valid_and_drawn_in_both_files(page, written):
    specs = {
        attrs["id"]: json.loads(text)
        for attrs, text in page.scripts
        if attrs.get("type") == "application/json"
    }
    assert set(specs) == {
        "chart-leaderboard",
        "chart-front",
        "chart-gains",
        "chart-confusion",
        "chart-reliability",
    }
    for name in ("leaderboard", "front", "gains", "confusion", "reliability"):
        drawing = ElementTree.parse(written / "charts" / f"{name}.svg").getroot()
        assert drawing.tag.endswith("svg")
        assert f"](charts/{name}.svg)" in (written / "report.md").read_text()
    dots = next(
        layer for layer in specs["chart-gains"]["layer"] if layer["mark"]["type"] == "point"
    )
    assert len(dots["data"]["values"]) == 8 * 5


def test_unchanged_charts_and_script_are_remembered(written, tmp_path, monkeypatch):
    import vl_convert

    record = realistic_record(n_rows=200, repeats=1)
    (tmp_path / "private").mkdir()
    monkeypatch.setattr(remembered, "private_folder", lambda: tmp_path / "private")
    before = {path: path.read_bytes() for path in write_report(record, tmp_path)}
    drawn: list[str] = []

    def draws(spec, **_):
        drawn.append("svg")
        return "<svg/>"

    monkeypatch.setattr(vl_convert, "vegalite_to_svg", draws)
    monkeypatch.setattr(
        vl_convert, "javascript_bundle", lambda snippet: drawn.append("bundle") or "js</script>"
    )
    assert {path: path.read_bytes() for path in write_report(record, tmp_path)} == before
    assert not drawn
    for path in (tmp_path / "private").iterdir():
        path.write_bytes(path.read_bytes().replace(b"a", b"b", 1))
    write_report(record, tmp_path)
    assert sorted(drawn) == ["bundle", *["svg"] * (len(drawn) - 1)]
    assert len(drawn) > 3
    (packed,) = re.findall('id="vega">(.*?)</script>', (tmp_path / "report.html").read_text())
    assert gzip.decompress(base64.b64decode(packed)) == b"js</script>"


def test_nothing_of_a_forged_report_passes_into_the_next(tmp_path):
    """Whoever sends a report can seal what they put into it."""
    record = realistic_record(n_rows=200, repeats=1)
    write_report(record, tmp_path)
    for path in (tmp_path / "report.html", *(tmp_path / "charts").iterdir()):
        content = path.read_text()
        forged = content.replace("window.vegaEmbed", "window.forged;window.vegaEmbed", 1)
        if path.suffix == ".svg":
            forged = content.replace("</svg>", "<script>forged</script></svg>")
        seal = hashlib.sha256(forged.encode()).hexdigest()
        path.write_text(forged.replace('id="vega"', f'id="vega" data-seal="{seal}"'))
        assert "forged" in path.read_text()
    write_report(record, tmp_path)
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"forged" not in path.read_bytes()


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
    write_report(small_record(), tmp_path)
    before = (tmp_path / "report.html").read_bytes()

    def refuses(handle):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", refuses)
    with pytest.raises(OSError, match="disk full"):
        write_report(small_record(name="other"), tmp_path)
    assert (tmp_path / "report.html").read_bytes() == before
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]


def test_importing_the_report_imports_no_chart_library():
    libraries = {"vl_convert", "pandas", "torch", "sklearn"}
    code = f"import sys, reports.page.render; print({libraries} & set(sys.modules))"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert printed.stdout.strip() == "set()"


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_has_both_templates(name):
    folder = ROOT / "reports" / "templates"
    assert (folder / "html" / f"{name}.html").is_file()
    assert (folder / "markdown" / f"{name}.md").is_file()


def test_a_number_and_its_per_cent_sign_stay_in_one_line(written):
    page = (written / "report.html").read_text()
    shown = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)
    assert not re.findall(r".{20}\d %", shown)
    assert re.search("95(\N{NO-BREAK SPACE}|&nbsp;)% interval", shown)
