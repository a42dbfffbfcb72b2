"""Number formats: what they cost in precision, who decides, and what enters the key."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from features.encoders.cnn import CNN
from features.machine import precision
from features.machine.facts import caching_facts
from features.machine.precision import Chosen, chosen_precision
from features.networks.pretrained import LITE0_PACKAGE
from pipeline.store.folder import FolderStore
from pipeline.store.remember import fact_cache
from tests.support.installs import uninstall
from tests.support.picture_networks import photographs

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return photographs()


def test_bfloat16_features_point_where_those_of_float32_do(pictures: list[bytes]) -> None:
    pytest.importorskip(LITE0_PACKAGE, reason=f"needs the pip package {LITE0_PACKAGE}")
    whole, half = (
        CNN(precision=name).transform(pictures).array() for name in ("float32", "bfloat16")
    )
    assert half.dtype == np.float32
    assert not np.array_equal(whole, half)
    cosines = (
        (whole * half).sum(axis=1) / np.linalg.norm(whole, axis=1) / np.linalg.norm(half, axis=1)
    )
    assert cosines.mean() > 0.99


def test_the_precision_that_is_used_is_part_of_the_identity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(precision, "_gpu", lambda: None)
    used = {}
    for native in (True, False):
        monkeypatch.setattr(precision, "_processor_has_bfloat16", lambda native=native: native)
        used[native] = [CNN(weights="random", precision=name).identity()["precision"]
                        for name in ("auto", "float32", "bfloat16")]
    assert used == {True: ["bfloat16 on cpu", "float32", "bfloat16 on cpu"],
                    False: ["float32", "float32", "bfloat16 on cpu"]}


def test_a_gpu_is_none_where_torch_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a GPU and the base install: nothing asks for torch or its version."""
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(precision, "_processor_has_bfloat16", lambda: False)
    uninstall(monkeypatch, "torch")
    monkeypatch.setattr(precision, "_asked_torch", lambda: pytest.fail("torch was asked"))
    assert chosen_precision("auto") == Chosen("float32", "cpu")


def test_a_gpu_decides_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for native, name in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(precision, "_gpu", lambda native=native: native)
        assert chosen_precision("auto") == Chosen(name, "cuda")
    assert chosen_precision("float32").identity() == "float32", "shared with a CPU"
    assert chosen_precision("bfloat16").identity() == "bfloat16 on cuda"


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A driver's folder with one GPU, as Linux shows it; nothing else says that there is one."""
    monkeypatch.setattr(precision, "DRIVER", tmp_path / "nvidia")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    folder = tmp_path / "nvidia" / "gpus" / "0000:00:1e.0"
    folder.mkdir(parents=True)
    (folder / "information").write_text("Model: A10\nGPU UUID: GPU-1\n")
    (tmp_path / "nvidia" / "version").write_text("NVRM version: 1\n")
    return tmp_path / "nvidia"


def test_a_gpu_is_asked_once_and_again_where_it_or_its_driver_is_another(
    driver: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(precision, "_asked_torch", lambda: asked.append(True) or True)

    def answered() -> Chosen:
        with caching_facts(fact_cache(FolderStore(tmp_path / "store"))):
            return chosen_precision("auto")

    assert answered() == answered() == Chosen("bfloat16", "cuda")
    assert len(asked) == 1
    (driver / "gpus" / "0000:00:1e.0" / "information").write_text("Model: T4\nGPU UUID: GPU-2\n")
    monkeypatch.setattr(precision, "_asked_torch", lambda: False)
    assert answered() == Chosen("float32", "cuda"), "another GPU in the same place"
    (driver / "version").write_text("NVRM version: 2\n")
    monkeypatch.setattr(precision, "_asked_torch", lambda: True)
    assert answered() == Chosen("bfloat16", "cuda")


def test_a_driver_that_does_not_work_now_is_asked_again(
    driver: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with caching_facts(fact_cache(FolderStore(tmp_path / "store"))):
        assert chosen_precision("float32") == Chosen("float32", "cpu")
        assert FolderStore(tmp_path / "store").entries() == []
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
        assert chosen_precision("auto") == Chosen("bfloat16", "cuda")
    assert len(FolderStore(tmp_path / "store").entries()) == 1
