"""MLflow: a run for the comparison, and below it one for each cell."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.results.tracking.tracked import TrackedCell, TrackedRun

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

ADDRESS = "MLFLOW_TRACKING_URI"
# Beside the store, where nothing else is said; MLflow no longer keeps runs in folders of files.
DATABASE = Path("runs") / "mlflow.db"
ARTIFACTS = Path("runs") / "mlflow-artifacts"
LONGEST = 500  # characters of a parameter
AT_ONCE = 500  # metrics in a batch; MLflow takes 1,000


def to_mlflow(run: TrackedRun) -> str:
    """Write a run and its cells into MLflow; where that is, and how to look at it."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=_address())
    experiment = _experiment(client, run.name)
    parent = _begun(client, experiment, run.name, {})
    _log(client, parent, run.parameters, _values(run.metrics))
    for path in run.artifacts:
        client.log_artifact(parent, str(path))
    for cell in run.cells:
        _log_cell(client, experiment, parent, cell)
    client.set_terminated(parent)
    address = _address()
    return f"mlflow: {run.name} in {address} (mlflow ui --backend-store-uri {address})"


def _address() -> str:
    given = os.environ.get(ADDRESS)
    if given:
        return given
    DATABASE.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{DATABASE.resolve()}"


def _experiment(client: MlflowClient, name: str) -> str:
    known = client.get_experiment_by_name(name)
    if known is not None:
        return str(known.experiment_id)
    location = None if os.environ.get(ADDRESS) else (ARTIFACTS / name).resolve().as_uri()
    return str(client.create_experiment(name, artifact_location=location))


def _begun(
    client: MlflowClient, experiment: str, name: str, tags: Mapping[str, str]
) -> str:
    return str(client.create_run(experiment, run_name=name, tags=dict(tags)).info.run_id)


def _log_cell(client: MlflowClient, experiment: str, parent: str, cell: TrackedCell) -> None:
    tags = {"mlflow.parentRunId": parent}
    if cell.rank is not None:
        tags["rank"] = str(cell.rank)
    identifier = _begun(client, experiment, cell.name, tags)
    values = [*_values(cell.means)]
    for step, fold in enumerate(cell.folds):
        values += _values({f"fold/{name}": value for name, value in fold.items()}, step)
    _log(client, identifier, cell.parameters, values)
    client.set_terminated(identifier)


Value = tuple[str, float, int]  # name, value, step


def _values(scores: Mapping[str, float], step: int = 0) -> Iterator[Value]:
    for name, value in scores.items():
        yield name, value, step


def _log(
    client: MlflowClient,
    identifier: str,
    parameters: Mapping[str, str],
    values: Iterator[Value] | list[Value],
) -> None:
    from mlflow.entities import Metric, Param

    now = int(1000 * time.time())
    metrics: list[Any] = [Metric(name, value, now, step) for name, value, step in values]
    params = [Param(name, value[:LONGEST]) for name, value in parameters.items()]
    client.log_batch(identifier, params=params)
    for first in range(0, len(metrics), AT_ONCE):
        client.log_batch(identifier, metrics=metrics[first : first + AT_ONCE])
