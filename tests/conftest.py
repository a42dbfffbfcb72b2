"""Small real inputs shared by the tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from features.machine.precision import chosen_precision
from pipeline.store.folder import FolderStore
from pipeline.store.store import Store
from tests.support.paths import SHARED

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need a GPU skip where there is none."""
    needing = [item for item in items if item.get_closest_marker("gpu")]
    if not needing or chosen_precision("float32").device == "cuda":
        return
    for item in needing:
        item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(autouse=True)
def _signals_stay_pytests_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that are called in this process take no signals from it."""
    monkeypatch.setattr("pipeline.engine.stopping.listen", lambda: None)
    monkeypatch.setattr("pipeline.engine.stopping.hand_over", lambda: None)


@pytest.fixture(scope="session", autouse=True)
def _disks_are_not_waited_for() -> Iterator[None]:
    """Files of tests need not outlast a power cut: 200 waits for the disk in the smallest run.

    That it is waited for, tests of what writes files see by an `os.fsync` that fails.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)  # which wants an open file, too
        yield


@pytest.fixture
def store(tmp_path) -> Store:
    return FolderStore(tmp_path / "store")


@pytest.fixture(scope="session")
def object_server() -> Iterator[str]:
    """The address of an S3 server of this process."""
    from tests.support.buckets import served

    with served() as endpoint:
        yield endpoint


@pytest.fixture
def bucket(object_server, tmp_path, monkeypatch) -> str:
    """The address of a store in a new bucket, for this process and those that it starts."""
    from tests.support.buckets import environment, make_bucket

    for name, value in environment(object_server, tmp_path / "cache").items():
        monkeypatch.setenv(name, value)
    return f"s3://{make_bucket(object_server)}/some/prefix"


@pytest.fixture
def shared_data() -> Path:
    folder = SHARED
    if not folder.is_dir():
        pytest.skip("the folder shared/data is not there")
    return folder


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Tiny batches on a busy machine: threads that wait for each other cost more than they give."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
