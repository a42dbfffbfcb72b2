"""`python -m tests.damage`: harm runs from outside, and print what came of it as a table.

Each kind of fault is tried on a small grid with a store and folders of its own; what is said of a
try as lost is an exit code, a traceback, another number, or something left behind.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.damage.company import run_together, stop_dask
from tests.damage.disks import fill_disks
from tests.damage.files import harm_files
from tests.damage.kills import kill_runs
from tests.damage.mounts import in_namespace, may_mount
from tests.damage.pruning import prune_stores
from tests.damage.scene import FOREST, GRID, LIGHT, Scene
from tests.damage.tally import Tally
from tests.fuzz.__main__ import interruptible

LIGHT_CHAINS = 3  # of killed runs, for each of the grid that trains networks
KINDS = ("kills", "files", "disks", "pruning", "company", "dask")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 where something was lost."""
    options = _parser().parse_args(arguments)
    given = list(sys.argv[1:] if arguments is None else arguments)
    code = in_namespace(given)
    if code is not None:
        return code
    if not may_mount():
        print("nothing may be mounted here: full and read-only disks, and what is left in shared "
              "memory, are left out", file=sys.stderr)
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="modalgrid-damage-") as folder:
        try:
            _harm(Path(folder), options, tally)
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)
        finally:
            for line in tally.lines():
                print(line, flush=True)
    return 0 if tally.is_sound else 1


def _harm(folder: Path, options: argparse.Namespace, tally: Tally) -> None:
    light = Scene(folder / "light", LIGHT)
    if "kills" in options.only:
        scenes = [*[light] * LIGHT_CHAINS, Scene(folder / "full", GRID)]
        for jobs in options.workers:
            kills = options.kills // len(options.workers)
            kill_runs(scenes, tally, kills, jobs, options.seed)
    if "files" in options.only:
        harm_files(Scene(folder / "forest", FOREST), tally, options.seed)
    if "disks" in options.only:
        fill_disks(light, tally, options.seed)
    if "pruning" in options.only:
        prune_stores(light, tally, options.seed)
    if "company" in options.only:
        run_together(light, tally)
    if "dask" in options.only:
        stop_dask(light, tally, options.seed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.damage", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS, help="kinds of faults")
    parser.add_argument("--kills", type=int, default=200, help="in all (default: %(default)s)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="of runs")
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    interruptible()
    sys.exit(main())
