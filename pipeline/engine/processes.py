"""Pieces of work side by side in worker processes, each computing in one thread."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from threadpoolctl import threadpool_limits


def side_by_side(
    function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], jobs: int
) -> Iterator[tuple[int, Any]]:
    """(position, result) of each task as it ends.

    Every task computes in one thread whatever the number of workers: sums are then taken in the
    same order, so that 1 and 2 workers give the same bits, and workers never crowd each other's
    cores.
    """
    if not tasks:
        return
    if jobs == 1 or len(tasks) < 2:
        with _one_thread():
            yield from ((position, function(*task)) for position, task in enumerate(tasks))
        return
    from joblib import Parallel, delayed, parallel_config

    with parallel_config("loky", inner_max_num_threads=1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
        yield from Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(
            delayed(_numbered)(position, function, task) for position, task in enumerate(tasks))


def _numbered(
    position: int, function: Callable[..., Any], task: tuple[Any, ...]
) -> tuple[int, Any]:
    with _one_thread():
        return position, function(*task)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Numerical libraries use one thread, also one that is only imported inside."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 0
    if torch:
        torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        os.environ.pop("OMP_NUM_THREADS") if before is None else os.environ.update(
            OMP_NUM_THREADS=before
        )
        if torch:
            torch.set_num_threads(threads)
