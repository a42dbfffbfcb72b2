"""Which trackers there are, and a finished run told to one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from features.machine.extras import lacking, not_installed
from pipeline.config.grid import TrackerName
from pipeline.results.tracking.mlflow_tracker import to_mlflow
from pipeline.results.tracking.tracked import TrackedRun, tracked_run
from pipeline.results.tracking.trackio_tracker import to_trackio


class TrackingError(Exception):
    """A run that cannot be tracked, and why."""


@dataclass(frozen=True)
class Tracker:
    """A tracker.

    Parameters
    ----------
    package : what it comes by, and the extra of that name.
    tell : writes a run into it; says where that is.
    """

    package: str
    tell: Callable[[TrackedRun], str]


TRACKERS: Mapping[TrackerName, Tracker] = {
    "mlflow": Tracker("mlflow", to_mlflow),
    "trackio": Tracker("trackio", to_trackio),
}


def check_tracker(name: TrackerName | None) -> None:
    """Raise TrackingError where the package of a tracker is not installed."""
    missing = () if name is None else not_installed([TRACKERS[name].package])
    if missing:
        raise TrackingError(lacking("tracking", missing))


def track(folder: Path, name: TrackerName) -> str:
    """Tell a tracker of the finished run in a folder; where it went, in words.

    Raises
    ------
    TrackingError
        Where the tracker refuses; the run's own files are as they were.
    """
    run = tracked_run(folder)
    try:
        return TRACKERS[name].tell(run)
    except Exception as error:  # of any kind: each tracker has its own
        reason = str(error) or type(error).__name__
        raise TrackingError(f"the run is in {folder}, but {name} did not take it: {reason}") from (
            error
        )
