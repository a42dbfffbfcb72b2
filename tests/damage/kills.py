"""Runs that are told to stop, or killed, at random moments of every stage, again and again."""

from __future__ import annotations

import random
import re
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

from psutil import Process

from tests.damage.running import STAGES, Running
from tests.damage.scene import Scene, Stand
from tests.damage.tally import Tally
from tests.support.paths import ROOT

# How a run comes to its end: the signal, and whether all its processes get it.
WAYS = {
    "SIGKILL": (signal.SIGKILL, True),
    "SIGKILL of the first process": (signal.SIGKILL, False),
    "SIGTERM": (signal.SIGTERM, False),
    "SIGINT": (signal.SIGINT, True),
}
STOPPED = 130
PROMPT = 10.0  # seconds in which a run that is told to stop must have; two on an idle machine
LONGEST = 1.0  # second of a stage up to which it is killed
WORKER = "SIGKILL of a worker"
# A traceback through our own code, or anything that a run says.
STARTED = re.compile(rf'File "{re.escape(str(ROOT))}|^\d+ rows|stopped;', re.MULTILINE)


@dataclass
class Kill:
    """A run that was to be killed at a stage: the way, and the stage at which it was hit."""

    way: str
    stage: str
    problems: list[str]


def kill_runs(
    scenes: Sequence[Scene], tally: Tally, kills: int, jobs: int, seed: int,
    stages: Sequence[str] = STAGES,
) -> None:
    """Chains of runs in a folder, killed in one stage after the other, then one left alone.

    That one must end well, with the results of an undisturbed run.
    """
    chance, done = random.Random(f"{seed} {jobs}"), 0
    for scene in cycle(scenes):
        if done >= kills:
            return
        stand = scene.copy()
        struck = list(_chain(scene, stand, jobs, chance, stages))
        problems = scene.after(stand, jobs)
        for kill in struck:
            workers = "1 worker" if jobs == 1 else f"{jobs} workers"
            tally.note(f"{kill.way}: {kill.stage}, {workers}", [*kill.problems, *problems])
        done += len(struck)
        shutil.rmtree(stand.folder)


def _chain(
    scene: Scene, stand: Stand, jobs: int, chance: random.Random, stages: Sequence[str]
) -> Iterator[Kill]:
    for stage in stages:
        if stage == "fit" and jobs > 1:
            yield from _worker_killed(stand, jobs)
        for _ in range(2 if stage == "report" else 1):
            with stand.start(jobs) as run:
                kill = _killed(run, scene, stage, chance)
                if kill is not None:
                    kill.problems += [] if scene.is_whole(stand.out) else ["a mixture of runs"]
                    yield kill


def _killed(
    run: Running, scene: Scene, stage: str, chance: random.Random
) -> Kill | None:
    """Strike a run at a random moment of a stage; None where it ended before."""
    way = chance.choice(list(WAYS))
    number, group = WAYS[way]
    if not (run.wait_for(stage) and run.sleep(chance.uniform(0, _length(scene, stage)))):
        run.end()
        return None
    hit, begun = run.stage, time.monotonic()
    run.kill(number, group=group)
    code, spent = run.end(), time.monotonic() - begun
    if code == 0 or _is_without_us(run, code, number):
        return None
    problems = run.problems()
    if number == signal.SIGKILL:
        expected = -signal.SIGKILL
    else:
        expected = STOPPED
        problems += [] if spent < PROMPT else [f"it took {spent:.0f} s to stop"]
        problems += [] if "stopped; what is finished" in run.text else ["it did not say so"]
    problems += [] if code == expected else [f"exit code {code}: {run.text[-200:]}"]
    return Kill(way, hit, problems + _alive(run))


def _is_without_us(run: Running, code: int | None, number: signal.Signals) -> bool:
    """Whether a signal met Python alone: on its way to our first line, or out after all."""
    if number == signal.SIGKILL:
        return False
    is_done = code == -number and "report: " in run.output
    is_starting = not STARTED.search(run.text) and "frozen" in run.text
    return is_done or is_starting or (code == -number and not run.text)


def _alive(run: Running) -> list[str]:
    """Processes that live on; files are looked for when the next run has ended."""
    return [problem for problem in run.left_over() if problem.startswith("a process")]


def _length(scene: Scene, stage: str) -> float:
    """Seconds that a stage took undisturbed, or less."""
    begins = sorted(scene.stages.values())
    begin = scene.stages.get(stage, 0.0)
    after = next((other for other in begins if other > begin), begin)
    return min(LONGEST, after - begin)


def _worker_killed(stand: Stand, jobs: int) -> Iterator[Kill]:
    """One worker dies: the run says so, and keeps what is finished."""
    with stand.start(jobs) as run:
        workers: list[Process] = []
        while run.wait_for("encode") and not (workers := run.workers()):
            time.sleep(0.02)
        hit = run.stage
        for process in workers[:1]:
            process.kill()
        code = run.end()
        if code == 0:  # it was idle, or there was none any more
            return
        problems = run.problems() + _alive(run)
        if code != 2 or "a worker process died" not in run.text:
            problems.append(f"exit code {code}: {run.text[-200:]}")
        yield Kill(WORKER, hit, problems)
