"""A run whose report would be made of the very same leaves it; anything else, and it is new."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.reading.origin import LOCK
from pipeline.plan import versions
from pipeline.results.placing import MOVING
from pipeline.results.ready.conclusion import Conclusion
from pipeline.results.ready.standing import ReadyReport, checksums
from pipeline.store.folder import FolderStore
from pipeline.store.keys import key_of
from pipeline.store.manifest import MANIFEST, Entry, sealed
from pipeline.store.opening import store_at
from tests.support.paths import ROOT
from tests.support.tiny import (
    GRID,
    TEXT_GRID,
    read_rows,
    register,
    run_grid,
    write_grid,
    write_rows,
    write_table,
)

PAGE = "out/report.html"
DECIDING = {"kind": "report", "about": "a test"}
CONCLUSION = Conclusion(("ALARM: a",), ("warning: b",), (), ("", "the answer"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with a run whose report is ready."""
    folder = tmp_path_factory.mktemp("finished")
    write_table(folder)
    write_grid(folder, TEXT_GRID)
    assert run_grid(folder) == 0
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of it, where it was: a report names its folder."""
    store_at.cache_clear()
    kept_aside = tmp_path / "as it was"
    shutil.copytree(finished, kept_aside, copy_function=shutil.copy2)
    yield finished
    shutil.rmtree(finished)
    shutil.copytree(kept_aside, finished, copy_function=shutil.copy2)


def _is_new(folder: Path, act: Callable[[], object]) -> bool:
    """Whether a run after an act writes its report anew."""
    act()
    before = _page(folder)
    store_at.cache_clear()
    assert run_grid(folder) == 0
    return _page(folder) != before


def _page(folder: Path) -> tuple[int, int] | None:
    """Which file the page is."""
    if not (folder / PAGE).exists():
        return None
    status = (folder / PAGE).stat()
    return status.st_ino, status.st_mtime_ns


def _stands(folder: Path) -> bool:
    """Whether the next run would leave the report, as far as folder and store are asked."""
    store = FolderStore(folder / "store")
    manifest = json.loads((_entry(folder, "report") / MANIFEST).read_bytes())
    ready = ReadyReport.noted(manifest["ingredients"], store)
    return ready is not None and ready.stands(folder / "out", store)


def _entry(folder: Path, kind: str) -> Path:
    """The folder of an entry of a kind, in the store."""
    manifests = sorted((folder / "store" / "entries").glob(f"*/*/{MANIFEST}"))
    return next(
        path.parent
        for path in manifests
        if json.loads(path.read_bytes())["ingredients"]["kind"] == kind
    )


def test_the_second_run_leaves_all_files_and_says_what_the_first_one_said(folder, capsys):
    files = _written(folder)
    assert not _is_new(folder, lambda: None)
    again = capsys.readouterr()
    assert _written(folder) == files
    assert re.findall(r"(\d+) computed, (\d+) reused", again.err)[0] == ("0", "0")
    assert "results: 0 computed, 7 reused" in again.err
    (folder / PAGE).unlink()
    assert run_grid(folder) == 0  # made anew, of what is stored
    made = capsys.readouterr()
    assert made.out == again.out
    assert made.err == again.err
    assert "report: " in made.out
    assert "best cells" in made.out


def _written(folder: Path) -> dict[str, str]:
    """Checksums of the files of a run, but those that say how far it is."""
    files = checksums(folder / "out")
    return {name: files[name] for name in files if not name.startswith("progress")}


def _edit(path: Path) -> None:
    path.write_text(path.read_text("utf-8").replace("</html>", " </html>"), "utf-8")


TOUCHED: dict[str, Callable[[Path], object]] = {
    "page edited": lambda folder: _edit(folder / PAGE),
    "page deleted": lambda folder: (folder / PAGE).unlink(),
    "scores deleted": lambda folder: (folder / "out" / "scores.csv").unlink(),
    "chart deleted": lambda folder: next((folder / "out" / "charts").glob("*.svg")).unlink(),
    "predictions edited": lambda folder: (folder / "out" / "predictions.parquet").write_bytes(b""),
    "all deleted": lambda folder: shutil.rmtree(folder / "out"),
    "move not ended": lambda folder: (folder / "out" / MOVING).mkdir(),
    "result removed": lambda folder: shutil.rmtree(_entry(folder, "result")),
    "result damaged": lambda folder: next(_entry(folder, "result").glob("*.npy")).write_bytes(b""),
    "follow-up removed": lambda folder: shutil.rmtree(_entry(folder, "probes")),
    "features removed": lambda folder: shutil.rmtree(_entry(folder, "features")),
}


@pytest.mark.parametrize("touched", TOUCHED)
def test_what_is_touched_stands_no_longer(folder, touched):
    assert _stands(folder)
    TOUCHED[touched](folder)
    assert not _stands(folder)


WRITTEN_ANEW = ("page edited", "all deleted", "move not ended", "result damaged")


@pytest.mark.parametrize("touched", WRITTEN_ANEW)
def test_what_stands_no_longer_is_written_anew(folder, touched):
    earlier = _written(folder)
    assert _is_new(folder, lambda: TOUCHED[touched](folder))
    later = _written(folder)
    assert later.keys() == earlier.keys()
    same = {LOCK, "folds.npz", "labels.csv"}
    assert {name: later[name] for name in same} == {name: earlier[name] for name in same}
    assert _stands(folder)


def test_a_result_that_took_another_time_is_told_of(folder):
    path = _entry(folder, "result") / MANIFEST
    manifest = json.loads(path.read_bytes())
    del manifest["sha256"]
    manifest["facts"]["fit_seconds"] = 1234.5
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    assert _is_new(folder, lambda: path.write_text(sealed(text), "utf-8"))
    assert ",1234.500," in (folder / "out" / "scores.csv").read_text("utf-8")


CHANGED: dict[str, Callable[[Path, pytest.MonkeyPatch], object]] = {
    "our code": lambda folder, patch: patch.setattr(versions, "_our_code", lambda: "another"),
    "a library": lambda folder, patch: patch.setattr(versions, "_installed", lambda: ["another"]),
    "the metric": lambda folder, patch: write_grid(folder, f"{TEXT_GRID}metric: accuracy\n"),
    "a text": lambda folder, patch: _write_text(folder, "one more word"),
    "the grid's name": lambda folder, patch: write_grid(
        folder, TEXT_GRID.replace("tiny", "small")
    ),
}


def _write_text(folder: Path, text: str) -> None:
    rows = read_rows(folder)
    rows[0][2] = text
    write_rows(folder, rows)


@pytest.mark.parametrize("changed", CHANGED)
def test_what_decides_it_has_a_part_in_the_key(folder, monkeypatch, changed):
    assert _is_new(folder, lambda: CHANGED[changed](folder, monkeypatch))


def test_another_command_is_another_report(folder):
    before = (folder / PAGE).stat().st_ino
    assert run_grid(folder, "--time-limit", "1h") == 0
    assert (folder / PAGE).stat().st_ino != before


def test_alarms_are_said_again_and_decide_the_exit_code(folder, capsys):
    write_table(folder, texts=["cat", "dog", "car"] * 12)
    write_grid(folder, TEXT_GRID)
    strict = ("--strict",)
    assert run_grid(folder, *strict) == 3
    made = (folder / PAGE).stat().st_ino
    capsys.readouterr()
    assert run_grid(folder, *strict) == 3
    assert "ALARM: " in capsys.readouterr().err
    assert run_grid(folder, *strict, "--quiet") == 3
    said = capsys.readouterr().err.splitlines()
    assert said
    assert all(line.startswith("ALARM: ") for line in said)
    assert (folder / PAGE).stat().st_ino == made


def test_a_run_with_failures_is_made_anew_each_time(tmp_path, monkeypatch):
    register(monkeypatch)
    write_table(tmp_path)
    write_grid(tmp_path, GRID.replace("[mean_colour]", "[broken]"))
    assert run_grid(tmp_path) == 1
    page = _page(tmp_path)
    assert run_grid(tmp_path) == 1
    assert _page(tmp_path) != page


def test_a_run_whose_report_stands_imports_nothing_that_makes_one(folder):
    heavy = (
        "scipy.sparse", "scipy.special", "sklearn", "torch", "reports.sections",
        "reports.analysis.bootstrap", "pipeline.followup.finishing", "vl_convert",
    )
    store_at.cache_clear()
    arguments = [
        str(folder / "grid.yaml"), "--out", str(folder / "out"), "--store", str(folder / "store"),
        "--jobs", "1",
    ]
    code = (f"import sys; from pipeline import run; code = run.main({arguments}); "
            f"print([name for name in {heavy} if name in sys.modules]); sys.exit(code)")
    again = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[-1] == "[]"


# --- the note itself


def _ready(files: dict[str, str]) -> ReadyReport:
    return ReadyReport(files, {}, {}, ("features: none",), CONCLUSION)


def _run_folder(folder: Path) -> dict[str, str]:
    folder.mkdir()
    for name in (LOCK, "report.html"):
        (folder / name).write_text(name)
    return checksums(folder)


def test_it_is_read_as_it_was_noted(tmp_path):
    store, files = FolderStore(tmp_path / "store"), _run_folder(tmp_path / "run")
    ready = _ready(files)
    assert ReadyReport.noted(DECIDING, store) is None
    ready.note(DECIDING, store)
    assert ReadyReport.noted(DECIDING, store) == ready
    assert ready.stands(tmp_path / "run", store)
    other = _ready({**files, "report.html": "0" * 64})
    other.note(DECIDING, store)
    assert ReadyReport.noted(DECIDING, store) == other
    assert not other.stands(tmp_path / "run", store)


def test_only_files_of_a_run_are_looked_at(tmp_path):
    store, files = FolderStore(tmp_path / "store"), _run_folder(tmp_path / "run")
    (tmp_path / "secret").write_text("")
    digest = checksums(tmp_path)["secret"]
    for name in ("../secret", "charts/../../secret", str(tmp_path / "secret")):
        assert not _ready({**files, name: digest}).stands(tmp_path / "run", store)
    assert not _ready({}).stands(tmp_path / "run", store)


def test_a_note_that_says_less_is_none(tmp_path):
    store = FolderStore(tmp_path / "store")
    facts = {name: {} for name in ("files", "entries", "features")}
    facts |= {"lines": [], "conclusion": {"alarms": []}}
    store.get(DECIDING, lambda: Entry({}, facts))
    assert ReadyReport.noted(DECIDING, store) is None


def test_lines_are_cleaned_for_the_terminal(tmp_path):
    store = FolderStore(tmp_path / "store")
    forged = ReadyReport({}, {}, {}, ("\x1b[2Jgone",), CONCLUSION)
    forged.note(DECIDING, store)
    noted = ReadyReport.noted(DECIDING, store)
    assert noted is not None
    assert "\x1b" not in noted.lines[0]


def test_a_store_that_cannot_be_written_has_no_note(tmp_path, monkeypatch):
    store = FolderStore(tmp_path / "store")

    def refuse(*_):
        raise PermissionError(13, "shared")

    monkeypatch.setattr(store, "_save", refuse)
    _ready({}).note(DECIDING, store)
    assert not store.holds(key_of(DECIDING))
