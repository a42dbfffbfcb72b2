"""`store prune` that is killed, or may not write, while it removes and puts shards together."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from pipeline.store.__main__ import prune
from pipeline.store.folder import FolderStore
from pipeline.store.manifest import MANIFEST
from tests.damage.disks import STEPS, stepped, steps_of
from tests.damage.running import COMMAND, Running
from tests.damage.scene import Scene, Stand
from tests.damage.steps import ERRORS
from tests.damage.tally import Tally
from tests.support.tiny import read_rows, write_rows

RUNS = 3  # beside which a store is pruned all the time
FAULTS = ("killed", "full", "forbidden")


def prune_stores(scene: Scene, tally: Tally, seed: int, tries: int = STEPS) -> None:
    """Every fault at random steps of the command; then runs whose store is pruned meanwhile."""
    scattered = scattered_store(scene)
    chance = random.Random(seed)
    for fault in FAULTS:
        prune_with_fault(scene, scattered, tally, fault, chance, tries)
    for _ in range(RUNS):
        _meanwhile(scene, scattered, tally)
    shutil.rmtree(scattered)


def scattered_store(scene: Scene) -> Path:
    """A store with two shards of each maker, a damaged entry, and what a dead writer left."""
    stand = scene.copy()
    rows = read_rows(stand.folder)
    (stand.folder / "items.csv").unlink()  # it is linked to that of the calm run
    write_rows(stand.folder, rows[::2])
    for learned in (rows[::2], rows):
        write_rows(stand.folder, learned)
        with stand.start(1) as run:
            if run.end() != 0:
                raise RuntimeError(run.text)
    left = stand.store.root / "partial" / f"{'0' * 64}.left"
    left.mkdir()
    (left / "values.npy").write_bytes(b"half")
    damaged = max(stand.store.entries(), key=lambda entry: entry.name)
    (damaged / MANIFEST).write_text("{}")
    return shutil.move(stand.store.root, stand.folder.parent / "scattered")


def prune_with_fault(
    scene: Scene, scattered: Path, tally: Tally, fault: str, chance: random.Random, tries: int
) -> None:
    """A fault from some step of the command on, the command again, and a run."""
    stand = _stand(scene, scattered)
    count = steps_of(stand, _command(stand))
    shutil.rmtree(stand.folder)
    for number in sorted(chance.sample(range(1, count + 1), min(tries, count))):
        stand = _stand(scene, scattered)
        before = held(stand.store)
        with stepped(stand, _command(stand), number, fault) as run:
            problems = run.problems()
            if fault in ERRORS and run.code != 0 and "stopped: " not in run.text:
                problems.append(f"exit code {run.code}: {run.text[-300:]}")
        problems += lost_of(before, stand.store)
        with Running(_command(stand), stand.folder) as again:
            if again.end() != 0:
                problems.append(f"exit code {again.code}: {again.text[-300:]}")
        problems += lost_of(before, stand.store) + _unsaid(scene, stand)
        named = [f"step {number} of {count}: {problem}" for problem in problems]
        tally.note(f"{fault} at a step of store prune", named)
        shutil.rmtree(stand.folder)


def _meanwhile(scene: Scene, scattered: Path, tally: Tally) -> None:
    """A run whose store is pruned again and again."""
    stand = _stand(scene, scattered)
    before = held(stand.store)
    with stand.start(2) as run:
        while run.sleep(0.05):
            prune(stand.store)
        run.end()
        problems = scene.problems(stand, run)
    tally.note("store pruned while a run uses it", problems + lost_of(before, stand.store))
    shutil.rmtree(stand.folder)


def held(store: FolderStore) -> set[tuple[str, bytes]]:
    """The samples of each maker whose values a store has."""
    samples = set()
    for group, keys in store.groups().items():
        for key in keys:
            if store.problem(key) is None:
                samples |= {(group, digest.tobytes()) for digest in store.array(key, "digests")}
    return samples


def lost_of(before: set[tuple[str, bytes]], store: FolderStore) -> list[str]:
    lost = before - held(FolderStore(store.root))
    return [f"the values of {len(lost)} samples are lost"] if lost else []


def _unsaid(scene: Scene, stand: Stand) -> list[str]:
    """What is wrong with a run afterwards: its results, or that it finds anything damaged."""
    with stand.start(1) as run:
        run.end()
        damaged = [line for line in run.text.splitlines() if "is damaged" in line]
        return [*damaged, *scene.problems(stand, run)]


def _stand(scene: Scene, scattered: Path) -> Stand:
    stand = scene.copy("tmp")
    shutil.copytree(scattered, stand.store.root)
    return stand


def _command(stand: Stand) -> list[str]:
    return [*COMMAND, "pipeline.store", "--store", str(stand.store.root), "prune", "-y"]
