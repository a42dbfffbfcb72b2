"""Engines by their name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, TypeAlias, get_args

from pipeline.engine.processes import Processes
from pipeline.engine.sending import Preparation
from pipeline.engine.task import Engine, EngineError

EngineName: TypeAlias = Literal["processes", "dask"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)


@contextmanager
def engine_at(
    name: EngineName,
    address: str | None,
    slots: int,
    packages: Sequence[str],
    prepare: Preparation | None = None,
) -> Iterator[Engine]:
    """The engine of a name, which is shut down in the end.

    Parameters
    ----------
    address : of a scheduler, for the engine dask; None for workers of this machine.
    slots : workers of this machine.
    packages : whose versions workers elsewhere must have as they are here.
    prepare : what a worker does before it reads what it is to compute.

    Raises
    ------
    EngineError
        Where it cannot begin.
    """
    engine = _engine(name, address, slots, packages, prepare)
    try:
        yield engine
    finally:
        engine.shutdown()


def _engine(
    name: EngineName,
    address: str | None,
    slots: int,
    packages: Sequence[str],
    prepare: Preparation | None,
) -> Engine:
    if name == "dask":
        from pipeline.engine.dask import Dask

        return Dask(slots, address, packages, prepare=prepare)
    if address:
        raise EngineError(
            f"{address} is the address of a dask scheduler, and the engine is {name}: "
            "say --engine dask"
        )
    return Processes(slots, prepare=prepare)
