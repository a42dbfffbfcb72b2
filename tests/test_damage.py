"""The command that harms runs: it does harm, tells what is lost, and nothing is lost in a few."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import pytest

from features.block import Block
from pipeline.store.folder import FolderStore
from pipeline.store.shards import Shards
from tests.damage.disks import fail_at_steps
from tests.damage.files import HARMS, harm_store, harmed
from tests.damage.kills import kill_runs
from tests.damage.pruning import held, lost_of, prune_with_fault, scattered_store
from tests.damage.running import Running
from tests.damage.scene import LEAST, Scene, of_store
from tests.damage.tally import Tally

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and /proc of Linux")


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Scene:
    return Scene(tmp_path_factory.mktemp("scene"), LEAST)


def test_killed_runs_go_on(scene):
    tally = Tally()
    kill_runs([scene], tally, kills=1, jobs=1, seed=0, stages=("fit",))
    assert tally.is_sound, list(tally.lines())


def test_harms_of_a_store_are_noticed(scene):
    tally, stand = Tally(), scene.copy("store")
    harm_store(stand, tally, random.Random(0))
    assert tally.is_sound, list(tally.lines())
    assert {kind.rpartition(": ")[2] for kind in tally.rows} == set(HARMS)
    assert of_store(stand.store) == []  # all is as it was


@pytest.mark.parametrize("fault", ["full", "killed"])
def test_a_fault_at_a_step_costs_nothing(scene, fault):
    tally = Tally()
    parts = ("store", "out", "tmp")
    fail_at_steps(scene, tally, fault, parts, random.Random(1), tries=1)
    assert tally.is_sound, list(tally.lines())


def test_store_prune_that_is_killed_costs_nothing(scene):
    tally, scattered = Tally(), scattered_store(scene)
    prune_with_fault(scene, scattered, tally, "killed", random.Random(1), tries=1)
    assert tally.is_sound, list(tally.lines())


# The harm itself, and that it would be told


def test_values_that_a_prune_loses_are_told(tmp_path):
    store = FolderStore(tmp_path)
    block = Block.of(np.ones((1, 2), np.float32))
    key = Shards(store, {"kind": "features"}).put(["ab" * 32], block, 1.0)
    before = held(store)
    assert lost_of(before, store) == []
    assert store.remove(key, lambda _: True)
    assert lost_of(before, store) == ["the values of 1 samples are lost"]


@pytest.mark.parametrize("harm", HARMS)
def test_harms_change_a_file_for_a_while(tmp_path, harm):
    path, content = tmp_path / "a", bytes(range(200))
    path.write_bytes(content)
    with harmed(path, harm, random.Random(0)):
        assert path.read_bytes() != content
    assert path.read_bytes() == content


def test_what_is_lost_is_told(scene):
    stand = scene.copy("store", "out")
    entry = stand.store.entries()[0]
    (entry / "manifest.json").write_text("{}")
    (stand.store.root / "partial" / "left").mkdir()
    scores = stand.out / "scores.csv"
    scores.write_text(scores.read_text().replace("text_only", "image_only"))
    (stand.out / ".unfinished-1").touch()
    assert scene.of_folder(stand.out) == ["other scores", "left in the run's folder: .unfinished-1"]
    assert of_store(stand.store) == [f"entry {entry.name[:12]}: its manifest was altered"]
    assert not scene.is_whole(stand.out)


def test_tracebacks_and_processes_that_are_left_are_told(tmp_path):
    code = ("import subprocess, sys; subprocess.Popen(['sleep', '60'], stderr=subprocess.DEVNULL); "
            "open(__import__('tempfile').mkstemp()[1]); 1 / 0")
    with Running([sys.executable, "-c", code], tmp_path) as run:
        assert run.end() == 1
        assert run.problems() == [
            "Traceback (most recent call last): ... ZeroDivisionError: division by zero"
        ]
        left = run.left_over(grace=0.0)
    assert [line.partition(":")[0] for line in left] == ["a process is left", "left in TMPDIR"]


def test_the_table_counts_and_shows_what_was_wrong():
    tally = Tally()
    tally.note("flipped", [])
    tally.note("flipped", ["other scores", "other scores"])
    tally.note("emptied", [], tries=3)
    assert list(tally.lines()) == [
        "fault    tries  survived  lost",
        "flipped      2         1     1",
        "emptied      3         3     0",
        "all          5         4     1",
        "  flipped: other scores",
    ]
    assert not tally.is_sound


def test_a_grid_that_does_not_run_is_said(tmp_path: Path):
    with pytest.raises(RuntimeError, match="the undisturbed run failed"):
        Scene(tmp_path / "scene", "name: nothing\n")
