"""Trackio: a run for the comparison and one for each cell, in a group of the same name."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from pathlib import Path

from pipeline.results.tracking.tracked import TrackedRun

Rows = Iterable[Mapping[str, float]]


def to_trackio(run: TrackedRun) -> str:
    """Write a run and its cells into Trackio's database on this machine; how to look at it.

    `TRACKIO_DIR` says where that lies. What Trackio prints of itself is left out.
    """
    group = f"{run.name} {time.strftime('%Y-%m-%d %H:%M:%S')}"
    with redirect_stdout(io.StringIO()):
        _log(run.name, group, group, run.parameters, [run.metrics], run.artifacts)
        for cell in run.cells:
            rank = {} if cell.rank is None else {"rank": str(cell.rank)}
            means = {f"mean/{name}": value for name, value in cell.means.items()}
            rows = [*cell.folds[:-1], {**cell.folds[-1], **means}] if cell.folds else []
            _log(run.name, f"{group}: {cell.name}", group, {**cell.parameters, **rank}, rows)
    return f"trackio: {run.name} (trackio show --project {run.name})"


def _log(
    project: str,
    name: str,
    group: str,
    parameters: Mapping[str, str],
    rows: Rows,
    artifacts: Iterable[Path] = (),
) -> None:
    import trackio

    trackio.init(
        project,
        name=name,
        group=group,
        config=dict(parameters),
        embed=False,
        auto_log_gpu=False,
        auto_log_cpu=False,
    )
    for step, row in enumerate(rows):
        trackio.log(dict(row), step=step)
    for path in artifacts:
        trackio.log_artifact(path, name=path.name, type="run")
    trackio.finish()
