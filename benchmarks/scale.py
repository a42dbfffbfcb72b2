"""A whole run over very many rows: time, memory of each process, sizes; and how these grow.

Run by hand: ``python -m benchmarks.scale [--rows N ...] [--jobs J] [--folder FOLDER]``. For each
number of rows it writes synthetic items (pictures of 32 pixels as shards of Parquet, short texts,
ten classes that overlap in both), runs the real command on them with an empty store, and reads the
memory of all its processes from /proc while it works: what is the process's own (anonymous), and
with the pages of files that it has mapped, which the system takes back when it needs them. The
grid: EfficientNet-Lite0 at 32 pixels, TF-IDF, one hold-out of a fifth; pictures alone, texts alone
and both, by logistic regression with its strength chosen on three inner folds.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

CLASSES, SIDE, WORDS = 10, 32, 20_000
IN_FILE, IN_GROUP = 50_000, 2_000  # rows
GRID = """
name: scale
data: {source: table, path: items, image: picture, text: words, label: kind, id: id}
split: {holdout: 0.2}
image: [{cnn: {size: 32}}]
text: [{tfidf: {ngrams: [1, 1], min_df: 5}}]
fusion: [image_only, text_only, {concat: {weight: 0.5}}]
classifier: {logistic: {C: [1, 10, 100]}}
"""


class Measured(NamedTuple):
    """A run: seconds, MB at the peak of any of its processes, MB on disk, MB of the report."""

    seconds: float
    anonymous: float
    resident: float
    store: float
    report: float


def write_items(folder: Path, rows: int) -> None:
    """Pictures whose main colours and texts whose words tell the class of two in three."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    centres = rng.uniform(60, 190, (CLASSES, 4, 4, 3))
    chances = 1 / np.arange(1, WORDS + 1)
    words = np.array([f"word{number}" for number in range(WORDS)])
    for number, start in enumerate(range(0, rows, IN_FILE)):
        count = min(IN_FILE, rows - start)
        kinds = rng.integers(CLASSES, size=count)
        drawn = words[rng.choice(WORDS, (count, 8), p=chances / chances.sum())]
        topics = np.where(rng.random(count) < 0.5, kinds, rng.integers(CLASSES, size=count))
        texts = [
            f"{' '.join(row)} topic{topic}" for row, topic in zip(drawn, topics, strict=True)
        ]
        table = pa.table({
            "id": [str(row) for row in range(start, start + count)],
            "picture": pa.array([_picture(rng, centres[kind]) for kind in kinds], pa.binary()),
            "words": texts,
            "kind": [f"kind {kind}" for kind in kinds],
        })
        pq.write_table(table, folder / f"part-{number:04d}.parquet", row_group_size=IN_GROUP)


def _picture(rng: np.random.Generator, centre: np.ndarray) -> bytes:
    """A JPEG file of 4 x 4 fields around the class's colours, and noise."""
    fields = centre + rng.normal(0, 60, (4, 4, 3))
    pixels = np.kron(fields, np.ones((SIDE // 4, SIDE // 4, 1)))
    noisy = np.clip(pixels + rng.normal(0, 12, pixels.shape), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "JPEG", quality=80)
    return file.getvalue()


class Watch(threading.Thread):
    """Reads the memory of a process and of those that it started, again and again."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.process, self.stopped = psutil.Process(pid), threading.Event()
        self.anonymous: dict[int, float] = defaultdict(float)
        self.resident: dict[int, float] = defaultdict(float)

    def run(self) -> None:
        """Until it is stopped."""
        while not self.stopped.wait(0.1):
            with suppress(psutil.Error):
                for process in [self.process, *self.process.children(recursive=True)]:
                    self._note(process.pid)

    def _note(self, pid: int) -> None:
        with suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            sizes = {name: int(kb) / 1024 for name, kb in re.findall(r"(\w+):\s+(\d+) kB", status)}
            self.anonymous[pid] = max(self.anonymous[pid], sizes.get("RssAnon", 0.0))
            self.resident[pid] = max(self.resident[pid], sizes.get("VmRSS", 0.0))


def measured(folder: Path, jobs: int) -> Measured:
    """Run the folder's grid with an empty store."""
    paths = ["--out", str(folder / "out"), "--store", str(folder / "store")]
    command = [sys.executable, "-m", "pipeline.run", str(folder / "grid.yaml"), *paths]
    begun = time.perf_counter()
    command += ["--jobs", str(jobs)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
        watch = Watch(run.pid)
        watch.start()
        assert run.stderr is not None
        for line in run.stderr:
            print(f"{time.perf_counter() - begun:9.1f} s  {line}", end="", flush=True)
        code = run.wait()
    seconds = time.perf_counter() - begun
    watch.stopped.set()
    if code:
        sys.exit(f"the run ended with {code}")
    return Measured(
        seconds,
        max(watch.anonymous.values()),
        max(watch.resident.values()),
        _megabytes(folder / "store"),
        (folder / "out" / "report.html").stat().st_size / 1e6,
    )


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--folder", type=Path, help="where it works (default: a temporary one)")
    options = parser.parse_args(arguments)
    table = []
    for rows in options.rows:
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            folder = Path(name)
            write_items(folder / "items", rows)
            for jobs in options.jobs:
                (folder / str(jobs)).mkdir()
                (folder / str(jobs) / "items").symlink_to(folder / "items")
                (folder / str(jobs) / "grid.yaml").write_text(GRID)
                table.append((rows, jobs, measured(folder / str(jobs), jobs)))
    print(
        f"{'rows':>9} {'workers':>7} {'seconds':>8} {'rows/s':>7} {'own MB':>7} {'with files':>10} "
        f"{'store MB':>8} {'report MB':>9}"
    )
    for rows, jobs, run in table:
        print(
            f"{rows:9} {jobs:7} {run.seconds:8.0f} {rows / run.seconds:7.0f} "
            f"{run.anonymous:7.0f} {run.resident:10.0f} {run.store:8.0f} {run.report:9.1f}"
        )


if __name__ == "__main__":
    main()
