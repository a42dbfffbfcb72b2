"""Workers of a dask cluster: what they are asked before they take part, and what they answer."""

from __future__ import annotations

import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pipeline.engine.attempts import describe
from pipeline.engine.memory import free
from pipeline.engine.sending import Preparation
from pipeline.store.keys import key_of
from pipeline.store.manifest import Entry
from pipeline.store.opening import store_at
from pipeline.store.store import Store

GPU = "GPU"  # what `dask worker --resources "GPU=1"` says of a worker


@dataclass(frozen=True)
class Worker:
    """A worker of a cluster, which takes a batch at a time.

    Attributes
    ----------
    address : where it is spoken to; another one when it was started anew.
    label : its machine and its name there.
    threads : that frozen encoders may use in it.
    memory : bytes that it may take.
    has_gpu : whether it was started with the resource GPU.
    """

    address: str
    label: str
    threads: int
    memory: float
    has_gpu: bool


def described(
    packages: Sequence[str], prepare: Preparation | None = None, is_local: bool = False
) -> dict[str, Any]:
    """The machine, Python and packages of this process, which is made ready first.

    A worker that was started for the run does not end by the Ctrl-C that ends the run: the run ends
    it.
    """
    if is_local and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    versions = {"Python": ".".join(map(str, sys.version_info[:2]))}
    for name in packages:
        with suppress(PackageNotFoundError):
            versions.setdefault(name, version(name))
    about = {"machine": socket.gethostname(), "free": free(), "versions": versions}
    try:
        versions.update({} if prepare is None else prepare())
    except Exception as error:
        return {**about, "problem": str(error)}
    return about


def sees(address: str, key: str) -> bool | str:
    """Whether the entry of a key is there for this process; or why it cannot be told."""
    try:
        return store_at(address).holds(key)
    except Exception as error:
        return describe(error)


@contextmanager
def marked(store: Store) -> Iterator[str]:
    """The key of an entry that nobody can have put there before; it goes in the end."""
    ingredients = {"kind": "marker", "name": uuid.uuid4().hex, "created": time.time()}
    store.get(ingredients, lambda: Entry({}, {"label": "marker of a run"}))
    key = key_of(ingredients)
    try:
        yield key
    finally:
        store.remove(key, lambda _: True)


# Their answers


def worker_of(address: str, about: Mapping[str, Any], answer: Any) -> Worker:
    """A worker as the scheduler and itself describe it."""
    name = str(about["name"])
    if "://" in name:  # it was given none: its port tells it from others of its machine
        name = name.rpartition(":")[2]
    facts = answer if isinstance(answer, dict) else {"machine": about["host"], "free": 0.0}
    return Worker(
        address=address,
        label=f"{facts['machine']}:{name}",
        threads=int(about["nthreads"]),
        memory=float(about["memory_limit"] or facts["free"]),
        has_gpu=about["resources"].get(GPU, 0) > 0,
    )


def is_gone(answer: object) -> bool:
    """Whether a worker ended before it could answer."""
    return isinstance(answer, OSError)


def difference(answer: Any, here: Mapping[str, str]) -> str:
    """How what a worker has differs from what this process has; empty where it does not."""
    if isinstance(answer, Exception):
        return f"modalgrid cannot be asked there: install it as it is here ({answer})"
    if "problem" in answer:
        return str(answer["problem"])
    there = answer["versions"]
    return "; ".join(
        f"{name} {there.get(name, 'is not installed')} there, {number} here"
        for name, number in here.items()
        if there.get(name) != number
    )


