"""What a run is to do, and how long its steps take."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.config.grid import Grid
from pipeline.data.samples import Samples
from pipeline.engine.limit import Limit
from pipeline.engine.progress import step

logger = logging.getLogger("modalgrid.flow")


@dataclass(frozen=True)
class Assignment:
    """A run that is to be made.

    Parameters
    ----------
    grid : what is compared, on which rows.
    grid_file : where it stands, or would stand.
    store : address of the store.
    folder : for the run's files.
    command : what gives the run again.
    samples : rows that are in memory; None for those of the grid's source.
    named : what messages call store and folder.
    limit : says which of its work may still begin; None for all.
    """

    grid: Grid
    grid_file: Path
    store: str
    folder: Path
    command: str
    samples: Samples | None = None
    named: tuple[str, str] = ("--store", "--out")
    limit: Limit | None = None


@dataclass
class Clock:
    """Wall-clock seconds of each step of the run."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show and time a step."""
        begun = time.perf_counter()
        with step(name):
            yield
        self.seconds[name] = time.perf_counter() - begun
        logger.info("%s: %.1f s", name, self.seconds[name])
