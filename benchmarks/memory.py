"""Memory while encoding: rows checked, encoded and stored, with few rows and with many.

Run by hand: ``python -m benchmarks.memory [--rows FEW MANY]``. Each number of rows is a process of
its own, which makes its small pictures when they are read, as a source of files does, so that they
are not in memory. The table gives the peak of the resident memory after each step, in MB: the rows
themselves (ids, labels, names of pictures), the data set (every picture digested and decoded once),
and its features (a small network of random weights) in a store on disk. What encoding adds beyond
the data set must not grow with the rows.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.config.components import Component
from pipeline.data.build import build
from pipeline.data.row_check import RowRules
from pipeline.data.samples import Samples
from pipeline.engine.task import Done
from pipeline.folds.fold import Fold
from pipeline.store.folder import FolderStore
from pipeline.tasks.context import context_of
from pipeline.tasks.encoding.requests import FeatureRequests, TrainingRows
from pipeline.tasks.encoding.shard import assembled, shard_tasks

ROWS = (2_000, 200_000)
ALLOWED = 300  # MB that the many rows may take beyond the few
ENCODER = Component("cnn", {"model": "timm/test_resnet", "weights": "random", "size": 32})
STEPS = ("rows", "data set", "features")


@dataclass(frozen=True, slots=True)
class MadePicture:
    """A small picture that differs in each row, made when it is read."""

    row: int

    @property
    def name(self) -> str:
        """Its row."""
        return f"row {self.row}"

    @property
    def order(self) -> tuple[str, int]:
        """It is made when it is asked for."""
        return "", self.row

    def read(self) -> bytes:
        """A PNG file of 12 x 12 pixels."""
        file = io.BytesIO()
        noise = np.frombuffer(hashlib.shake_128(str(self.row).encode()).digest(432), dtype=np.uint8)
        Image.fromarray(noise.reshape(12, 12, 3)).save(file, "PNG")
        return file.getvalue()

    def digest(self) -> str:
        """Sha256 of the file."""
        return hashlib.sha256(self.read()).hexdigest()


def measure(rows: int) -> dict[str, float]:
    """Peak resident MB of this process after each step."""
    peaks = {}
    samples = Samples(
        locations=[f"row {row}" for row in range(rows)],
        pictures=[MadePicture(row) for row in range(rows)],
        texts=[None] * rows,
        labels=["ab"[row % 2] for row in range(rows)],
        ids=[str(row) for row in range(rows)],
    )
    peaks["rows"] = _peak()
    with tempfile.TemporaryDirectory() as folder:
        store = FolderStore(Path(folder))
        dataset = build(samples, ["image"], RowRules("fail"), store)
        peaks["data set"] = _peak()
        whole = Fold(0, 0, np.arange(rows), np.zeros(0, dtype=np.int64), ())
        context = context_of(dataset, [whole], "log_loss")
        training = TrainingRows(whole.train, context.reference(whole, 0))
        requests = FeatureRequests(dataset, context, seed=0)
        features = requests.request("image", ENCODER, "pooled", training)
        for task in shard_tasks([features], dataset, store):
            assert all(isinstance(outcome, Done) for outcome in task.compute(store).values())
        assert isinstance(assembled(features, dataset, store, {}), Done)
        peaks["features"] = _peak()
        block = features.load(store, dataset.modalities["image"].index)
        assert block is not None
        assert block.values.shape == (rows, 96)
    return peaks


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "--rows", type=int, nargs="+", default=ROWS, help="numbers of rows (default: %(default)s)"
    )
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.only is not None:
        print(json.dumps(measure(options.only)))
        return
    print(f"{'rows':>10}" + "".join(f"{step:>12}" for step in STEPS))
    peaks = []
    for rows in options.rows:
        command = [sys.executable, "-m", "benchmarks.memory", "--only", str(rows)]
        peaks.append(
            json.loads(
                subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            )
        )
        print(f"{rows:>10,}" + "".join(f"{peaks[-1][step]:>9.0f} MB" for step in STEPS), flush=True)
    grown = peaks[-1]["features"] - peaks[0]["features"]
    print(f"the largest takes {grown:.0f} MB more than the smallest (allowed: {ALLOWED} MB)")


if __name__ == "__main__":
    main()
