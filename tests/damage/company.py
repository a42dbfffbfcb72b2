"""Runs side by side on one store, and runs whose workers are those of dask."""

from __future__ import annotations

import random
import shutil
import signal
from contextlib import ExitStack

from tests.damage.kills import STOPPED
from tests.damage.running import Running
from tests.damage.scene import Scene, Stand, of_store
from tests.damage.tally import Tally

COMPANIES = (2, 3, 5, 8)  # runs side by side


def run_together(scene: Scene, tally: Tally) -> None:
    """Runs side by side, each with a folder of its own and then all with the same."""
    for count in COMPANIES:
        for is_shared in (False, True):
            stand = scene.copy()
            problems = _together(scene, stand, count, is_shared)
            where = "one folder" if is_shared else "folders of their own"
            tally.note(f"{count} runs side by side on one store, {where}", problems)
            shutil.rmtree(stand.folder)


def _together(scene: Scene, stand: Stand, count: int, is_shared: bool) -> list[str]:
    outs = [stand.out if is_shared else stand.folder / f"out-{number}" for number in range(count)]
    with ExitStack() as all_runs:
        runs = [
            all_runs.enter_context(
                Running([*stand.command(1), "--out", str(out)], stand.folder)
            )
            for out in outs
        ]
        problems: list[str] = []
        for run in runs:
            if run.end() != 0:
                problems.append(f"exit code {run.code}: {run.text[-300:]}")
            problems += run.problems()
        problems += runs[-1].left_over()
    for out in set(outs) if not problems else ():
        problems += scene.of_folder(out)
    return problems + of_store(stand.store)


def stop_dask(scene: Scene, tally: Tally, seed: int, tries: int = 6) -> None:
    """Runs with workers of dask, told to stop at random moments; then one that is left alone."""
    chance = random.Random(seed)
    stand = scene.copy()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL) * (tries // 3):
        with stand.start(2, "--engine", "dask") as run:
            stage = chance.choice(("encode", "learn features", "fit"))
            if not (run.wait_for(stage) and run.sleep(chance.uniform(0, 1.5))):
                run.end()
                shutil.rmtree(stand.store.root)
                continue
            run.kill(number, group=number != signal.SIGTERM)
            code = run.end()
            expected = -number if number == signal.SIGKILL else STOPPED
            problems = [] if code == expected else [f"exit code {code}: {run.text[-300:]}"]
            problems += run.problems()
            problems += [left for left in run.left_over() if left.startswith("a process")]
        tally.note(f"{number.name} with workers of dask", problems)
    tally.note("the run after these", scene.after(stand, 2, "--engine", "dask"))
    shutil.rmtree(stand.folder)
