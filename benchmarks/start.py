"""How long a run takes whose results are all stored, beside the imports of a script like it.

    python -m benchmarks.start [grid.yaml] [--store FOLDER]

The first run, which is not measured, fills the store; it takes minutes where that is empty. Then
whole processes alternate, and the median of nine of each is printed. It exits with 1 where a run
computed anything.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

TIMES = 9
IMPORTS = (
    "import numpy, scipy.stats, sklearn.linear_model, sklearn.model_selection, sklearn.pipeline"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both medians, the fastest and the slowest of each."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.start", description=__doc__.splitlines()[0]
    )
    parser.add_argument("grid", type=Path, nargs="?", default=Path("grid.yaml"))
    parser.add_argument("--store", type=Path, default=Path("runs") / "store")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as out:
        run = [sys.executable, "-m", "pipeline.run", str(options.grid)]
        run += ["--store", str(options.store), "--out", out]
        subprocess.run(run, check=True)
        sides = {
            "a cached run, to the finished report": run,
            "imports alone": [sys.executable, "-c", IMPORTS],
        }
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        computed = 0
        for _ in range(TIMES):
            for name, command in sides.items():
                took, text = _timed(command)
                seconds[name].append(took)
                computed += sum(map(int, re.findall(r"(\d+) computed", text)))
    for name, taken in seconds.items():
        print(
            f"{name}: median {statistics.median(taken):.2f} s ({min(taken):.2f} to "
            f"{max(taken):.2f}, {TIMES} times)"
        )
    print(f"computed in the cached runs: {computed}")
    return int(computed > 0)


def _timed(command: Sequence[str]) -> tuple[float, str]:
    begun = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - begun, done.stderr


if __name__ == "__main__":
    sys.exit(main())
