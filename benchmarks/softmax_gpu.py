"""Softmax regression over folds and strengths on a GPU: models.softmax against what else there is.

Run by hand: ``python -m benchmarks.softmax_gpu [--rows N] [--columns N] [--classes K] [--folds F]
[--repeats R] [--seconds S] [--profile]``. Without a GPU it runs a small size on the processor, to
prove it.

The fits are those of nested cross-validation: for every outer fold, 3 inner folds times 7 strengths
C. Only the inner folds of one outer fold may be solved together (see `models.softmax.solve`). Rows
have a mean squared norm of 1, as the fusions hand them over. The sides, from
`benchmarks.softmax_sides`:

- torch: `models.softmax.solve.solve` with device="cuda", from arrays in the main memory to
  coefficients there; then the parts of its time, and small sizes, to show where it begins to pay.
- NumPy: the same with device="cpu", on all cores.
- scikit-learn: a loop over LogisticRegression, what GridSearchCV does, on all cores.
- array API: the same loop over arrays on the GPU, with scikit-learn's dispatch; in a process of its
  own, since SciPy decides at its import whether it has that.
- torch.optim.LBFGS: what one would batch by hand, all fits of an outer fold as a single flat
  problem, the sum of their objectives, with a strong Wolfe line search.

The loops are measured on one inner fold, a fit of every strength from the smallest C as long as
``--seconds`` last, and multiplied by the number of folds; where time did not last, strengths that
are missing count as the last one measured. Torch.optim.LBFGS is measured on one outer fold. The
table says so.

Excess is the distance of an objective to the smallest, relative to it: the largest over the
strengths of the first inner fold. At its default tolerance (1e-4) scikit-learn stops early where C
is large.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.softmax_sides import (
    Problems,
    Side,
    array_api_side,
    batched_side,
    loop_side,
    smallest_objectives,
    solve_side,
)

SMALL_SIZES = [(500, 50, 3), (1000, 100, 10), (2000, 300, 10), (4000, 600, 10), (4000, 600, 2)]
CHILD = "--array-api"


def has_gpu() -> bool:
    """Whether torch sees one."""
    import torch

    return bool(torch.cuda.is_available())


def synchronised(function: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """The function, which waits for the GPU and adds its seconds to a list."""
    import torch

    def timed(*arguments: Any, **named: Any) -> Any:
        if has_gpu():
            torch.cuda.synchronize()
        begun = time.perf_counter()
        result = function(*arguments, **named)
        if has_gpu():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begun)
        return result

    return timed


def parts(problems: Problems) -> str:
    """Where the time of a call goes, in milliseconds."""
    from models.softmax.torch_device import axes, batch, lbfgs

    watched = {
        "rows and axes": (batch, "transformed"),
        "of it, eigenvectors": (axes.torch.linalg, "eigh"),
        "all rows on the device": (batch, "_on_device"),
        "iterations": (lbfgs.BatchedLBFGS, "minimise"),
        "of it, preconditioners": (lbfgs, "Preconditioner"),
        "portion with coefficients": (batch, "_solved"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in watched}
    with ExitStack() as stack:
        for name, (owner, attribute) in watched.items():
            timed = synchronised(getattr(owner, attribute), seconds[name])
            stack.enter_context(patch.object(owner, attribute, timed))
        begun = time.perf_counter()
        solved = problems.solved("cuda", number=0)
        total = time.perf_counter() - begun
    iterations = max(solution.n_iter for solution in solved)
    listed = "; ".join(f"{name} {1e3 * sum(taken):.1f}" for name, taken in seconds.items())
    mean = 1e3 * sum(seconds["iterations"]) / max(iterations, 1)
    by_strength = [solution.n_iter for solution in solved[: len(problems.strengths)]]
    return (
        f"a call of {len(solved)} fits, ms: {1e3 * total:.1f} in all; {listed}; {iterations} "
        f"iterations of {mean:.2f}; by strength {by_strength}"
    )


def profile(problems: Problems) -> str:
    """The operations of a call that take most time, by torch's profiler."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiled

    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if has_gpu() else [])]
    with profiled(activities=kinds) as profiler:
        problems.solved("cuda", number=0)
    order = "self_device_time_total" if has_gpu() else "self_cpu_time_total"
    averages = profiler.key_averages()
    launches = sum(event.count for event in averages if "LaunchKernel" in event.key)
    return f"{averages.table(sort_by=order, row_limit=30)}\n{launches} kernel launches"


def small_sizes() -> Iterator[str]:
    """NumPy against torch on an outer fold of small sizes."""
    for rows, columns, classes in SMALL_SIZES if has_gpu() else SMALL_SIZES[:1]:
        problems = Problems(rows, columns, classes, 5)
        for device in ("cuda", "cpu"):
            problems.solved(device, number=1)
        seconds = []
        for device in ("cuda", "cpu"):
            taken = [problems.seconds(device, number) for number in range(3)]
            seconds.append(float(np.median(taken)))
        size = rows * columns * (classes - 1) * problems.fits // problems.folds
        yield (
            f"{rows:6d} x {columns:4d}, {classes:2d} classes, numbers x vectors 2^"
            f"{np.log2(size):4.1f}: torch {seconds[0]:.3f} s, NumPy {seconds[1]:.3f} s, ratio "
            f"{seconds[1] / seconds[0]:.1f}"
        )


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    large = has_gpu()
    parser.add_argument("--rows", type=int, default=10_000 if large else 600)
    parser.add_argument("--columns", type=int, default=1664 if large else 60)
    parser.add_argument("--classes", type=int, default=10 if large else 4)
    parser.add_argument("--folds", type=int, default=5 if large else 2, help="outer ones")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--seconds", type=float, default=12.0 if large else 2.0, help="most of a loop's"
    )
    parser.add_argument("--profile", action="store_true", help="torch's profile of a call, too")
    parser.add_argument(CHILD, action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def in_child(options: argparse.Namespace) -> Side | str:
    """The array API's side, measured in a process of its own; or why there is none."""
    given = [f"--{name}={getattr(options, name)}" for name in (
        "rows", "columns", "classes", "folds", "seconds")]
    child = subprocess.run(
        [sys.executable, "-m", "benchmarks.softmax_gpu", CHILD, *given],
        env={**os.environ, "SCIPY_ARRAY_API": "1"}, capture_output=True, text=True, check=False,
    )
    if child.returncode:
        return (child.stderr.strip().splitlines() or ["no output"])[-1]
    seconds, how, objectives = json.loads(child.stdout.splitlines()[-1])
    return Side(seconds, how, objectives)


def row(name: str, side: Side, fastest: float, smallest: Sequence[float]) -> str:
    """A row of the table."""
    excess = max(
        objective / least - 1 for objective, least in zip(side.objectives, smallest, strict=False)
    )
    return f"{name:20}{side.seconds:10.3f}{side.seconds / fastest:9.1f}{excess:12.1e}  {side.how}"


def main() -> None:
    """Measure, and print as it goes."""
    options = arguments()
    warnings.simplefilter("ignore")
    problems = Problems(options.rows, options.columns, options.classes, options.folds)
    if options.array_api:
        print(json.dumps(array_api_side(problems, options.seconds)))
        return
    begun = time.perf_counter()
    with ExitStack() as stack:
        stack.enter_context(patch("models.softmax.device.SMALLEST", 0))
        if not has_gpu():
            import torch

            print("no GPU here: torch computes on the processor")
            stack.enter_context(patch("models.softmax.device._gpu", lambda: torch.device("cpu")))
        compare(problems, options)
    print(f"{time.perf_counter() - begun:.0f} s for all of it")


def compare(problems: Problems, options: argparse.Namespace) -> None:
    """Measure every side."""
    say = lambda *words: print(*words, flush=True)  # noqa: E731
    say(problems.described())
    first = problems.seconds("cuda", number=0)
    say(f"the first call, with all that torch loads, {first:.1f} s")
    torch_side = solve_side(problems, "cuda", options.repeats)
    say(parts(problems))
    smallest = smallest_objectives(problems, torch_side.objectives)
    say(f"{'side':20}{'seconds':>10}{'ratio':>9}{'excess':>12}")
    say(row("torch", torch_side, torch_side.seconds, smallest))
    sides: dict[str, Callable[[], Side | str]] = {
        "NumPy": lambda: solve_side(problems, "cpu", 1),
        "scikit-learn": lambda: loop_side(problems, options.seconds),
        "torch.optim.LBFGS": lambda: batched_side(problems),
        "array API": lambda: in_child(options),
    }
    for name, measure in sides.items():
        side = measure()
        if isinstance(side, str):
            say(f"{name:20}not measured: {side}")
        else:
            say(row(name, side, torch_side.seconds, smallest))
    for line in small_sizes():
        say(line)
    if options.profile:
        say(profile(problems))


if __name__ == "__main__":
    main()
