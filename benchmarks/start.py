"""How long commands take that have nothing to compute, beside the imports of scripts like them.

    python -m benchmarks.start [grid.yaml] [--store FOLDER]
    python -m benchmarks.start --bundle FOLDER [--bundle FOLDER ...]

Of a grid: a run whose results are all stored, with its report standing, and with one to make of
these. The first run, which is not measured, fills the store; it takes minutes where that is empty.
It exits with 1 where a run computed anything.

Of bundles that look at texts alone: predicting one text, with --onnx too where that was exported,
beside importing sentence-transformers. It exits with 1 where the runtimes give other classes.

Whole processes alternate; the median of nine (--times) of each is printed, of seconds and of
seconds of CPU, which other work on the machine does not lengthen as much. Python's compiled files
are there, as they are where the package is installed, whatever the environment says of them.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from pipeline.use.bundle import read_manifest

IMPORTS = (
    "import numpy, scipy.stats, sklearn.linear_model, sklearn.model_selection, sklearn.pipeline"
)
TEXT = "a small red house by the river"
# A cached run that finds no page, and makes the report anew.
ANEW = (
    "import pathlib, sys; from pipeline.run import main; "
    "pathlib.Path(sys.argv[-1], 'report.html').unlink(); sys.exit(main())"
)
COMPILED = tempfile.TemporaryDirectory(prefix="compiled-")
Command = Sequence[str]


class Taken(NamedTuple):
    """What a process took, in seconds, and what it said."""

    seconds: float
    cpu: float
    text: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the medians, the fastest and the slowest of each side."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.start", description=__doc__.splitlines()[0]
    )
    parser.add_argument("grid", type=Path, nargs="?", default=Path("grid.yaml"))
    parser.add_argument("--store", type=Path, default=Path("runs") / "store")
    parser.add_argument("--bundle", type=Path, action="append", default=[], dest="bundles")
    parser.add_argument("--times", type=int, default=9)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        if options.bundles:
            return _predictions(options, Path(scratch))
        return _cached_runs(options, scratch)


def _cached_runs(options: argparse.Namespace, out: str) -> int:
    given = [str(options.grid), "--store", str(options.store), "--out", str(Path(out) / "run")]
    run = [sys.executable, "-m", "pipeline.run", *given]
    subprocess.run(run, check=True, env=_environment())
    sides = {
        "a cached run, its report standing": run,
        "a cached run, its report made anew": [sys.executable, "-c", ANEW, *given],
        "imports alone": [sys.executable, "-c", IMPORTS],
    }
    for command in sides.values():
        _timed(command)
    taken = _alternating(sides, options.times)
    texts = [took.text for took in chain.from_iterable(taken.values())]
    computed = sum(map(int, re.findall(r"(\d+) computed", " ".join(texts))))
    print(f"computed in the cached runs: {computed}")
    return int(computed > 0)


def _predictions(options: argparse.Namespace, scratch: Path) -> int:
    items = scratch / "items.csv"
    items.write_text(f"text\n{TEXT}\n", encoding="utf-8")
    sides: dict[str, Command] = {}
    outputs: dict[Path, list[Path]] = {}
    for bundle in options.bundles:
        about = read_manifest(bundle)["about"]
        whole = about.get("onnx", {}).get("whole", {"lacks": ""})
        for number, option in enumerate([[], ["--onnx"]][: 1 if "lacks" in whole else 2]):
            output = scratch / f"{bundle.name}{number}.csv"
            outputs.setdefault(bundle, []).append(output)
            command = [sys.executable, "-m", "pipeline.predict", str(bundle), str(items)]
            sides[" ".join([about["cell"], *option])] = [
                *command, "--text", "text", "-o", str(output), *option
            ]
    sides["import sentence_transformers alone"] = [
        sys.executable, "-c", "import sentence_transformers"
    ]
    _alternating(sides, options.times)
    classes = [set(map(_predicted, of_bundle)) for of_bundle in outputs.values()]
    return int(any(len(of_bundle) > 1 for of_bundle in classes))


def _predicted(output: Path) -> str:
    with output.open(newline="", encoding="utf-8") as file:
        return next(csv.DictReader(file))["predicted"]


def _alternating(sides: Mapping[str, Command], times: int) -> dict[str, list[Taken]]:
    """What each side took, time after time; printed, too."""
    taken: dict[str, list[Taken]] = {name: [] for name in sides}
    for _ in range(times):
        for name, command in sides.items():
            taken[name].append(_timed(command))
    for name, side in taken.items():
        parts = []
        for noun, values in {
            "s": [took.seconds for took in side], "s of CPU": [took.cpu for took in side]
        }.items():
            median, least, most = statistics.median(values), min(values), max(values)
            parts.append(f"{median:.2f} {noun} ({least:.2f} to {most:.2f})")
        print(f"{name}: median of {times}: {', '.join(parts)}")
    return taken


def _timed(command: Command) -> Taken:
    begun, before = time.perf_counter(), _cpu_of_children()
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=_environment()
    )
    return Taken(time.perf_counter() - begun, _cpu_of_children() - before, done.stderr)


def _environment() -> dict[str, str]:
    """That of this process, in which Python keeps what it compiles."""
    unasked = {"PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"}
    left = {name: value for name, value in os.environ.items() if name not in unasked}
    return {**left, "PYTHONPYCACHEPREFIX": COMPILED.name}


def _cpu_of_children() -> float:
    waited_for = os.times()
    return waited_for.children_user + waited_for.children_system


if __name__ == "__main__":
    sys.exit(main())
