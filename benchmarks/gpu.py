"""Everything that a GPU makes faster, in one run: encoding, solving, training, fits, tests.

Run by hand: ``python -m benchmarks.gpu --out FOLDER [--table FILE] [--stages NAME ...]``. Each
stage is a process of its own with a limit of time, 530 seconds together, so that one that fails
costs the others nothing; what it prints goes to FOLDER/STAGE.txt, and the scores of the fits to
FOLDER/scores.csv. Without a GPU the same stages run small, to prove them where there is none. It
exits with 1 where a stage failed or did not end.

- machine: versions, the GPU and the cores.
- encode: pictures beside the bare network, see benchmarks.encode.
- softmax: folds and strengths on the GPU beside the processor, see benchmarks.softmax_gpu.
- train: what is trained end to end on the GPU beside a core, see benchmarks.train.
- fits: every fusion that trains a network, and concat, in a whole run over the FILE's columns
  `image`, `title` and `label`; left out without one.
- tests: those marked `gpu`, which are skipped where there is none.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

MACHINE = """
import os, platform, torch
print(platform.python_version(), "torch", torch.__version__, "cores", os.cpu_count())
print(torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU")
"""
GRID = """
name: gpu
seed: 0
data: {{source: table, path: "{table}", image: image, text: title, label: label, sample: {rows}}}
split: {{folds: 3, repeats: 1}}
image: [cnn]
text: [tfidf]
fusion: [majority, image_only, text_only, concat, gated, co_training, cross_attention, attention]
metric: f1_macro
"""
LAST = 25  # lines of a stage that are shown


class Stage(NamedTuple):
    """A process, and the seconds that it may take."""

    name: str
    seconds: int
    arguments: Sequence[str]


def stages(out: Path, table: Path | None, gpu: bool) -> Iterator[Stage]:
    """What there is to do, in the order of what it tells."""
    pictures, rows = ("20000", "300") if gpu else ("48", "120")
    yield Stage("machine", 30, ["-c", MACHINE])
    yield Stage("encode", 150, [
        "-m", "benchmarks.encode", "--models", "resnet50", "efficientnet_lite0", "--no-texts",
        "--pictures", pictures, "--rounds", "2",
    ])
    yield Stage("softmax", 110, ["-m", "benchmarks.softmax_gpu"])
    small = [] if gpu else ["--rows", "200", "--epochs", "2"]
    yield Stage("train", 60, ["-m", "benchmarks.train", "--fusions", "end_to_end", *small])
    if table is not None:
        grid = out / "grid.yaml"
        grid.write_text(GRID.format(table=table.resolve(), rows=rows), encoding="utf-8")
        yield Stage("fits", 100, [
            "-m", "pipeline.run", str(grid), "--store", str(out / "store"), "--out",
            str(out / "run"),
        ])
    yield Stage("tests", 80, [
        "-m", "pytest", "-q", "-n", "0", "-m", "gpu", "-p", "no:cacheprovider", *marked(),
    ])


def marked() -> list[str]:
    """Files with tests marked `gpu`: collecting all takes longer than running these."""
    files = sorted(Path("tests").rglob("test_*.py"))
    return [str(file) for file in files if "mark.gpu" in file.read_text(encoding="utf-8")]


def succeeded(stage: Stage, out: Path) -> bool:
    """Run a stage, and show how it ended."""
    print(f"== {stage.name}", flush=True)
    begun, log = time.perf_counter(), out / f"{stage.name}.txt"
    with log.open("w", encoding="utf-8") as file, subprocess.Popen(
        [sys.executable, *stage.arguments], stdout=file, stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"}, start_new_session=True,
    ) as process:
        try:
            ended = process.wait(stage.seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with its workers, which hold the GPU
            ended = None
    print("\n".join(log.read_text(encoding="utf-8").splitlines()[-LAST:]))
    how = f"not finished after {stage.seconds} s" if ended is None else f"exit code {ended}"
    print(f"{stage.name}: {how}, {time.perf_counter() - begun:.0f} s", flush=True)
    return ended == 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stages."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for what they print")
    parser.add_argument("--table", type=Path, help="Parquet file of pictures, titles and classes")
    parser.add_argument("--stages", nargs="+", metavar="NAME", help="only these")
    options = parser.parse_args(arguments)
    import torch

    options.out.mkdir(parents=True, exist_ok=True)
    outcomes = [
        succeeded(stage, options.out)
        for stage in stages(options.out, options.table, torch.cuda.is_available())
        if options.stages is None or stage.name in options.stages
    ]
    scores = options.out / "run" / "scores.csv"
    if scores.exists():
        shutil.copy(scores, options.out / "scores.csv")
    return int(not all(outcomes))


if __name__ == "__main__":
    sys.exit(main())
