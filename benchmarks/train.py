"""Fits of the networks on a GPU and on one processor core, on the same synthetic samples.

Run by hand: ``python -m benchmarks.train [--rows N] [--fusions NAME ...] [--epochs N]``. Each side
is a process of its own, one after the other; the processor's is told that there is no GPU, and has
one thread, as a worker of a run has. Printed are seconds of a fit (after two short ones), and the
share of correct classes among samples that were not learned from. Shapes are those of the
default grid: 49 regions of 320, 8 tokens of 50, pooled vectors of 1,280 and 384; end_to_end trains
a small_resnet on made-up pictures of 32 pixels.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from features.block import Block
from features.encoders.small_resnet import SmallResNet
from models import FUSIONS
from models.views import Views

NETWORKS = ("attention", "cross_attention", "gated", "co_training", "end_to_end")
CLASSES = 10


def signal(codes: np.ndarray, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Noise (n, *shape), in its first columns a centre for each class, float32."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((len(codes), *shape), np.float32)
    centres = np.random.default_rng(99).standard_normal((CLASSES, 16), np.float32)
    values[..., :16] += centres[codes].reshape(len(codes), *[1] * (len(shape) - 1), 16)
    return values


def views_of(fusion: str, codes: np.ndarray, seed: int) -> Views:
    """Samples in the form that the fusion needs."""
    text = Block.of(signal(codes, (384,), seed + 1))
    if fusion == "end_to_end":
        rng = np.random.default_rng(seed)
        shades = np.random.default_rng(99).integers(0, 256, (CLASSES, 32, 32, 3))
        noise = rng.integers(-100, 101, (len(codes), 32, 32, 3))
        pixels = np.clip(shades[codes] + noise, 0, 255).astype(np.uint8)
        return Views(Block.of(pixels, encoder=SmallResNet(depth=20, output="pixels")), text)
    if "sequence" not in FUSIONS[fusion].needs.values():
        return Views(Block.of(signal(codes, (1280,), seed)), text)
    regions, tokens = signal(codes, (49, 320), seed), signal(codes, (8, 50), seed + 1)
    return Views(
        Block.of(regions, np.ones(regions.shape[:2], dtype=bool)),
        Block.of(tokens, np.ones(tokens.shape[:2], dtype=bool)),
    )


def fitted(fusion: str, rows: int, epochs: int | None) -> dict[str, Any]:
    """Seconds of a fit, its epochs, and the share of correct classes among 1,000 other samples."""
    import torch

    if not torch.cuda.is_available():
        torch.set_num_threads(1)
    codes = np.arange(rows) % CLASSES
    train = views_of(fusion, codes, 0)
    settings = {} if epochs is None else {"epochs": epochs}
    FUSIONS[fusion].gpu_pays = True
    FUSIONS[fusion](epochs=1).fit(train, codes)
    begun = time.perf_counter()
    FUSIONS[fusion](epochs=1).fit(train, codes)
    between = time.perf_counter()
    model = FUSIONS[fusion](**settings).fit(train, codes)
    seconds = time.perf_counter() - between
    others = np.arange(1000) % CLASSES
    predicted = model.classes_[model.predict_proba(views_of(fusion, others, 7)).argmax(axis=1)]
    return {
        "seconds": seconds,
        "epochs": len(model.history_.fitted),
        # without what is done once, before the epochs
        "epoch": (seconds - (between - begun)) / max(len(model.history_.fitted) - 1, 1),
        "correct": float((predicted == others).mean()),
    }


def measured(side: str, fusion: str, options: argparse.Namespace) -> dict[str, Any]:
    """The same in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment |= {"CUDA_VISIBLE_DEVICES": ""} if side == "processor" else {}
    command = [sys.executable, "-m", "benchmarks.train", "--only", fusion, "--rows",
               str(options.rows)]
    command += [] if options.epochs is None else ["--epochs", str(options.epochs)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.train", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rows", type=int, default=2000, help="learned from (%(default)s)")
    parser.add_argument("--fusions", nargs="*", default=list(NETWORKS))
    parser.add_argument("--epochs", type=int, help="at most (default: each fusion's own)")
    parser.add_argument("--only", help=argparse.SUPPRESS)  # one side's process
    options = parser.parse_args(arguments)
    if options.only:
        print(json.dumps(fitted(options.only, options.rows, options.epochs)))
        return
    import torch

    gpu = torch.cuda.is_available()
    print(torch.cuda.get_device_name() if gpu else "no GPU: the processor alone", options.rows)
    for fusion in options.fusions:
        for side in ("GPU", "processor") if gpu else ("processor",):
            result = measured(side, fusion, options)
            print(
                f"{fusion:16} {side:10} {result['seconds']:8.2f} s  {result['epochs']:3d} epochs  "
                f"{result['epoch'] * 1000:8.1f} ms for each further epoch  "
                f"correct {result['correct']:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
