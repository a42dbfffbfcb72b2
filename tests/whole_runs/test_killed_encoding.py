"""An encoding that is killed at any moment does at most one shard twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from pipeline.store.folder import FolderStore
from tests.support.logged_encoding import SIZE
from tests.support.paths import ROOT
from tests.support.tiny import GRID, results, run_grid, without_report, write_grid, write_table

KILLS = int(os.environ.get("MODALGRID_TEST_KILLS", "2"))
PER_CLASS = 40
ROWS = 3 * PER_CLASS
PATIENCE = 120  # seconds after which a run hangs


def started(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.support.logged_encoding", str(folder / "grid.yaml"),
               str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, start_new_session=True)


def logged(folder: Path) -> list[str]:
    log = folder / "encoded.log"
    return log.read_text().splitlines() if log.exists() else []


def killed(folder: Path, chance: random.Random) -> bool:
    """Kill a run some moment after it began to encode; False where it ended before."""
    before = len(logged(folder))
    with started(folder) as process:
        moment = None
        while process.poll() is None:
            if moment is None and len(logged(folder)) > before:
                moment = chance.uniform(0, 0.3)
            try:
                process.wait(timeout=0.005 if moment is None else moment)
            except subprocess.TimeoutExpired:
                if moment is not None:
                    os.killpg(process.pid, signal.SIGKILL)
        return process.returncode == -signal.SIGKILL


def test_an_encoding_that_is_killed_does_at_most_one_shard_twice(tmp_path, monkeypatch):
    without_report(monkeypatch)
    write_table(tmp_path, per_class=PER_CLASS)
    write_grid(
        tmp_path,
        GRID.replace("[mean_colour]", "[handcrafted]")
        .replace("[majority, image_only, text_only, concat, {late: {rule: [mean, product]}}]",
                 "[image_only]"),
    )
    chance = random.Random(0)
    kills = sum(killed(tmp_path, chance) for _ in range(KILLS))
    assert kills >= 1
    store = FolderStore(tmp_path / "store")
    assert not [key for key in store.all_keys() if store.problem(key)]
    with started(tmp_path) as process:
        assert process.wait(timeout=PATIENCE) == 0
    times = Counter(logged(tmp_path))
    pictures = {line: count for line, count in times.items() if line.startswith("handcrafted")}
    assert len(pictures) == ROWS
    assert sum(pictures.values()) - ROWS <= kills * SIZE
    calm = tmp_path / "calm"
    calm.mkdir()
    for file in ("items.csv", "grid.yaml", *(f"{row}.png" for row in range(ROWS))):
        (calm / file).symlink_to(tmp_path / file)
    assert run_grid(calm) == 0
    assert results(calm) == results(tmp_path)
