"""What this machine is, in words."""

from __future__ import annotations

from types import SimpleNamespace

import psutil
import pytest

from features.machine import hardware as of_machine
from features.machine.hardware import hardware

CPU = "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) CPU @ 2.20GHz\nprocessor\t: 1\n"
GPU = "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 42\n"


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Four cores, 15.5 GB and as many GPUs as asked for."""

    def made(gpus: int, cpu: str = CPU) -> str:
        for number in range(gpus):
            folder = tmp_path / "gpus" / str(number)
            folder.mkdir(parents=True)
            (folder / "information").write_text(GPU)
        monkeypatch.setattr(of_machine, "DRIVER", tmp_path)
        monkeypatch.setattr(of_machine, "cores", lambda: 4)
        total = SimpleNamespace(total=15.5 * 2**30)
        monkeypatch.setattr(psutil, "virtual_memory", lambda: total)
        read = of_machine._text
        monkeypatch.setattr(
            of_machine, "_text", lambda path: cpu if path.name == "cpuinfo" else read(path)
        )
        return hardware.__wrapped__()

    return made


@pytest.mark.parametrize(("gpus", "words"), [
    (0, "4 cores of Intel Xeon @ 2.20GHz, 15.5 GB of memory"),
    (1, "4 cores of Intel Xeon @ 2.20GHz, 15.5 GB of memory, NVIDIA H100 80GB HBM3"),
    (2, "4 cores of Intel Xeon @ 2.20GHz, 15.5 GB of memory, 2 x NVIDIA H100 80GB HBM3"),
])
def test_cores_memory_and_gpus_are_told(machine, gpus, words):
    assert machine(gpus) == words


def test_what_cannot_be_told_is_left_out(machine, monkeypatch):
    for name in ("processor", "machine"):
        monkeypatch.setattr(of_machine.platform, name, lambda: "")
    assert machine(0, cpu="") == "4 cores, 15.5 GB of memory"


def test_this_machine_has_cores_and_memory():
    assert " GB of memory" in hardware()
    assert hardware()[0].isdigit()
