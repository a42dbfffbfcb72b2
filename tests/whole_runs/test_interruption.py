"""Runs that are killed, share a store or find it damaged: the results are those of a calm run."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.engine.stopping import GO_ON
from pipeline.store.folder import FolderStore
from pipeline.store.manifest import MANIFEST
from pipeline.store.store import Store
from tests.support.paths import ROOT
from tests.support.tiny import (
    TEXT_GRID,
    register,
    results,
    run_grid,
    without_report,
    write_grid,
    write_table,
)

PATIENCE = 120  # seconds after which a run hangs


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    register(monkeypatch)
    without_report(monkeypatch)


@pytest.fixture
def folder(tmp_path):
    write_table(tmp_path)
    write_grid(tmp_path, TEXT_GRID)
    return tmp_path


@contextmanager
def started(
    folder: Path, out: str, grid: str = "grid.yaml", jobs: int = 1
) -> Iterator[subprocess.Popen[str]]:
    """A run in a process group of its own, with the folder's store; none of it is left over."""
    command = [sys.executable, "-m", "pipeline.run", str(folder / grid), "--out", str(folder / out),
               "--store", str(folder / "store"), "--jobs", str(jobs)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


COUNTED = '"kind":"(features|result|combination|probes)"'


def counted(store: Store) -> int:
    """Entries that a run counts: not its folds, rows and texts, which tasks find in the store."""
    manifests = [(entry / MANIFEST).read_text() for entry in store.entries()]
    return sum(bool(re.search(COUNTED, manifest)) for manifest in manifests)


def computed(errors: str) -> list[int]:
    """Features, results, then answers about altered rows that a run says it computed."""
    return [int(number) for number in re.findall(r"(\d+) computed", errors)]


def same(folder: Path, out: str, other: str) -> bool:
    """Whether two runs have the same scores and, to the last bit, the same predictions."""
    tables = [pq.read_table(folder / name / "predictions.parquet") for name in (out, other)]
    return results(folder, out) == results(folder, other) and tables[0].equals(tables[1])


def calm_run(folder: Path, out: str) -> int:
    """An undisturbed run in this process with a store of its own; the number of its entries."""
    (folder / out).mkdir()
    for name in ("items.csv", "grid.yaml"):
        (folder / out / name).write_text((folder / name).read_text())
    assert run_grid(folder / out, out=".") == 0
    return len(FolderStore(folder / out / "store").entries())


# --- killed


def kill_at(process: subprocess.Popen[str], store: Store, entries: int, mid_write: bool) -> bool:
    """Kill the run once the store has so many entries; False where it ended before.

    With `mid_write`, a writer is at work then.
    """
    partial = store.root / "partial"
    while True:
        try:
            process.wait(timeout=0.001)
        except subprocess.TimeoutExpired:
            writing = not mid_write or (partial.exists() and any(partial.iterdir()))
            if len(store.entries()) >= entries and writing:
                os.killpg(process.pid, signal.SIGKILL)
                return process.wait() == -signal.SIGKILL
        else:
            return False


@pytest.mark.parametrize(("jobs", "rounds"), [(1, 2), (2, 1)])
def test_a_killed_run_goes_on_to_the_same_results(folder, jobs, rounds):
    total, store, chance, kills = (
        calm_run(folder, "calm"),
        FolderStore(folder / "store"),
        random.Random(jobs),
        0,
    )
    for number in range(rounds):
        at = len(store.entries()) + chance.randint(0, total // 4)
        with started(folder, "out", jobs=jobs) as process:
            kills += kill_at(process, store, at, mid_write=number % 2 == 0)
        assert not [problem for entry in store.entries() if (problem := store.problem(entry.name))]
    assert kills >= 1
    before = counted(store)
    with started(folder, "out", jobs=jobs) as process:
        errors = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0, errors
    assert sum(computed(errors)) == counted(FolderStore(folder / "calm" / "store")) - before
    assert len(store.entries()) == total
    assert same(folder, "out", "calm")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_run(folder, number):
    strengths = list(range(1, 100))
    write_grid(folder, TEXT_GRID.replace("[1, 100]", str(strengths)))
    with started(folder, "out", jobs=2) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("Fits: "):
                break
        process.send_signal(number)
        # the workers have this pipe too: it ends when the last of them does
        _, errors = process.communicate(timeout=PATIENCE)
        if number == signal.SIGTERM:
            assert process.returncode == 130
            assert errors.endswith(f"\nstopped; {GO_ON}\n"), errors
        assert "Traceback" not in errors
        assert "Warning" not in errors


# --- in company


def test_two_runs_of_overlapping_grids_share_the_work_and_do_none_of_it_twice(folder):
    grids = {
        "one": "[bow, tfidf, {bow: {min_df: 2}}]",
        "two": "[tfidf, bow, {bow: {max_features: 20}}]",
    }
    for name, texts in grids.items():
        write_grid(folder, TEXT_GRID.replace("[bow, tfidf]", texts))
        calm_run(folder, f"calm {name}")
        (folder / "grid.yaml").rename(folder / f"{name}.yaml")
    with started(folder, "one", "one.yaml") as first, started(folder, "two", "two.yaml") as second:
        errors = [process.communicate(timeout=PATIENCE)[1] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], errors
    store, calm = (
        FolderStore(folder / "store"),
        [FolderStore(folder / f"calm {name}" / "store") for name in grids],
    )
    names = [set(map(key_of_work, opened.entries())) - {""} for opened in (store, *calm)]
    assert names[0] == names[1] | names[2]
    assert names[1] & names[2]
    assert sum(sum(computed(text)) for text in errors) == counted(store)
    assert not [problem for entry in store.entries() if (problem := store.problem(entry.name))]
    assert same(folder, "one", "calm one")
    assert same(folder, "two", "calm two")


def key_of_work(entry: Path) -> str:
    """Its key; "" for what is known of a report, which is of one folder alone."""
    return "" if '"kind":"report"' in (entry / MANIFEST).read_text() else entry.name


# --- damaged


def array_of(entry: Path) -> Path:
    return next(path for path in entry.iterdir() if path.name != MANIFEST)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


DAMAGES = {
    "array cut short": lambda entry: cut(array_of(entry)),
    "array altered": lambda entry: flip(array_of(entry)),
    "array lost": lambda entry: array_of(entry).unlink(),
    "manifest cut short": lambda entry: cut(entry / MANIFEST),
    "manifest altered": lambda entry: (entry / MANIFEST).write_text(
        (entry / MANIFEST).read_text().replace('"seconds":', '"seconds":1')),
    "manifest lost": lambda entry: (entry / MANIFEST).unlink(),
}


def test_damaged_entries_are_computed_again_and_the_sound_ones_are_not(folder, capsys, caplog):
    assert run_grid(folder, out="calm") == 0
    assert run_grid(folder) == 0
    capsys.readouterr()
    entries = FolderStore(folder / "store").entries()
    results_of_cells = [
        entry for entry in entries if '"kind":"result"' in (entry / MANIFEST).read_text()
    ]
    damaged = results_of_cells[:len(DAMAGES)]
    assert len(damaged) == len(DAMAGES) < len(results_of_cells)
    for entry, damage in zip(damaged, DAMAGES.values(), strict=True):
        damage(entry)
    assert run_grid(folder) == 0
    assert computed(capsys.readouterr().err) == [0, len(damaged), 0]
    assert sorted(re.findall("store entry (\\w+) is damaged", caplog.text)) == [
        entry.name[:12] for entry in damaged
    ]
    assert same(folder, "out", "calm")
    with_arrays = [entry for entry in entries if len(list(entry.iterdir())) > 1]
    for position, entry in enumerate(with_arrays):
        list(DAMAGES.values())[position % len(DAMAGES)](entry)
    assert run_grid(folder) == 0
    assert sum(computed(capsys.readouterr().err)) == counted(FolderStore(folder / "store"))
    assert same(folder, "out", "calm")


# --- light


def test_neither_import_nor_a_cached_run_loads_what_takes_long_to_import(folder):
    assert run_grid(folder) == 0
    heavy = (
        "torch",
        "torchvision",
        "sentence_transformers",
        "transformers",
        "gensim",
        "timm",
        "sklearn",
        "scipy.stats",
        "pandas",
        "joblib",
    )
    arguments = [
        str(folder / "grid.yaml"),
        "--out",
        str(folder / "again"),
        "--store",
        str(folder / "store"),
    ]
    code = (f"import sys; from pipeline import run; code = run.main({arguments}); "
            f"print([name for name in {heavy} if name in sys.modules]); sys.exit(code)")
    again = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert computed(again.stderr) == [0, 0, 0]
    assert again.stdout.splitlines()[-1] == "[]"
    assert same(folder, "again", "out")
