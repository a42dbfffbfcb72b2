"""Disks that are full, and folders that nothing may be written to, at every write."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import TypeAlias

from tests.damage.mounts import (
    as_plain_user,
    forbidden,
    may_mount,
    read_only_disk,
    resize,
    small_disk,
)
from tests.damage.running import COMMAND, Running
from tests.damage.scene import Scene, Stand
from tests.damage.steps import COUNT, ERRORS
from tests.damage.tally import Tally

# What makes a folder read-only for a while.
Locked: TypeAlias = Callable[[Path], AbstractContextManager[None]]
REFUSED = 2
SIZES = (0, 16, 64, 128, 256, 512, 1024, 2048)  # kilobytes of a disk that is too small
ENOUGH = 65536
STEPS = 12  # steps of a command that are made to fail, of each way
SAID = re.compile(r"^stopped: .*|cannot be made", re.MULTILINE)


def fill_disks(scene: Scene, tally: Tally, seed: int) -> None:
    """Real disks where these may be mounted; then every step that a run makes."""
    if may_mount():
        for name in ("store", "out", "tmp"):
            for size in SIZES:
                _small(scene, tally, name, size)
        for name in ("store", "out"):
            _read_only(scene, tally, name, read_only_disk)
    for name in ("store", "out"):
        _read_only(scene, tally, name, forbidden)
    chance = random.Random(seed)
    for fault in ("full", "forbidden", "killed"):
        for parts in ((), ("store", "out", "tmp")):
            fail_at_steps(scene, tally, fault, parts, chance)


# Real disks


def _small(scene: Scene, tally: Tally, name: str, size: int) -> None:
    """A run whose store, folder or temporary files have a small disk, which then gets larger."""
    stand = scene.copy()
    folder = stand.folder / name
    with small_disk(folder, max(size, 4)):
        with stand.start(1) as run:
            run.end()
            problems = _stopped(run, stand, scene)
        resize(folder, ENOUGH)
        problems += scene.after(stand)
    tally.note(f"full disk of {name}", problems)
    shutil.rmtree(stand.folder)


def _stopped(run: Running, stand: Stand, scene: Scene) -> list[str]:
    """What is wrong with a run that could not write all; it may have had no need to."""
    problems = run.problems()
    if run.code == 0:
        return problems + scene.of_files(stand.out)
    if run.code != REFUSED or not SAID.search(run.text):
        problems.append(f"exit code {run.code}: {run.text[-300:]}")
    return problems + ([] if scene.is_whole(stand.out) else ["a mixture of runs"])


def _read_only(scene: Scene, tally: Tally, name: str, locked: Locked) -> None:
    """A run that may not write, once with nothing stored and once with all; then one that may."""
    for parts in ((), ("store", "out")):
        stand = scene.copy(*parts)
        (stand.folder / name).mkdir(exist_ok=True)
        command = as_plain_user(stand.command(1))
        if command is None:
            return
        with locked(stand.folder / name), Running(command, stand.folder) as run:
            run.end()
            problems = _stopped(run, stand, scene)
            if name == "store" and parts and run.code != 0:
                problems.append(f"all was stored, and still: {run.text[-300:]}")
        problems += scene.after(stand)
        what = "read-only disk" if locked is read_only_disk else "folder without permission"
        tally.note(f"{what}: {name}", problems)
        shutil.rmtree(stand.folder)


# Every step


def fail_at_steps(
    scene: Scene, tally: Tally, fault: str, parts: tuple[str, ...], chance: random.Random,
    tries: int = STEPS,
) -> None:
    """A fault from some step of a run on, and the run after it."""
    what = "a run's files put in place" if parts else "a whole run"
    count = _steps_of_run(scene, parts)
    for number in sorted(chance.sample(range(1, count + 1), min(tries, count))):
        stand = scene.copy(*parts)
        with stepped(stand, stand.command(1), number, fault) as run:
            problems = _stopped(run, stand, scene) if fault in ERRORS else run.problems()
            if not scene.is_whole(stand.out):
                problems.append("a mixture of runs")
        problems += scene.after(stand)
        named = [f"step {number} of {count}: {problem}" for problem in problems]
        tally.note(f"{fault} at a step of {what}", named)
        shutil.rmtree(stand.folder)


@cache
def _steps_of_run(scene: Scene, parts: tuple[str, ...]) -> int:
    """How many steps a run makes on a copy with these parts, whatever the fault."""
    stand = scene.copy(*parts)
    count = steps_of(stand, stand.command(1))
    shutil.rmtree(stand.folder)
    return count


@contextmanager
def stepped(stand: Stand, command: list[str], number: int, fault: str) -> Iterator[Running]:
    """A command of a stand, ended, that fails at a step."""
    failing = ["tests.damage.steps", str(number), fault, str(stand.folder)]
    with Running([*COMMAND, *failing, *command[len(COMMAND):]], stand.folder) as run:
        run.end()
        yield run


def steps_of(stand: Stand, command: list[str]) -> int:
    """How many steps a command makes that fails nowhere."""
    with stepped(stand, command, 0, "killed") as run:
        return int(re.findall(rf"^{COUNT}(\d+)$", run.text, re.MULTILINE)[-1])
