"""The fuzzers run, find what they are there to find, and find nothing in a first few inputs."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import strategies as st

from tests.fuzz.__main__ import Fuzzer, main
from tests.fuzz.mutation import CORPUS
from tests.fuzz.targets import Target, targets

LARGEST = 4096  # bytes of a file of the corpus


@pytest.mark.parametrize("name", targets())
def test_readers_read_or_refuse(name: str, tmp_path: Path) -> None:
    fuzzer = Fuzzer(name, targets()[name], tmp_path)
    fuzzer.round(0, inputs=40)
    assert fuzzer.faults == {}
    assert fuzzer.outcomes["read"] > 0, "even sound content is refused"
    assert fuzzer.outcomes["refused"] > 0


def test_a_fault_is_kept_with_its_input_once_for_each_place(tmp_path: Path) -> None:
    def read(content: bytes, folder: Path) -> None:
        if len(content) > 3:
            raise IndexError
        if len(content) > 2:
            raise ValueError

    fuzzer = Fuzzer("a reader", Target(st.binary(max_size=5), read, (ValueError,)), tmp_path)
    fuzzer.round(1, inputs=100)
    ((fault, path),) = fuzzer.faults.items()
    assert fault.startswith("IndexError at ")
    assert len(path.read_bytes()) > 3
    assert set(fuzzer.outcomes) == {"read", "refused", "fault"}


def test_the_command_tells_what_came_of_each_reader(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seconds", "0.01", "--only", "manifests", "--inputs", "20"]) == 0
    assert capsys.readouterr().out.startswith("manifests: {'read': ")


def test_the_command_leaves_inputs_that_a_reader_failed_at_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    command = ["--seconds", "0.01", "--only", "manifests", "--inputs", "5"]
    assert main(command) == 0
    assert list(tmp_path.iterdir()) == []

    def interrupted(self: Fuzzer, number: int, inputs: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Fuzzer, "round", interrupted)
    assert main(command) == 0
    assert list(tmp_path.iterdir()) == []

    def failed(self: Fuzzer, number: int, inputs: int) -> None:
        self._keep("IndexError", b"an input")

    monkeypatch.setattr(Fuzzer, "round", failed)
    assert main(command) == 1
    assert [path.read_bytes() for path in tmp_path.rglob("manifests-0")] == [b"an input"]


def test_the_corpus_is_small() -> None:
    sizes = {path.name: path.stat().st_size for path in CORPUS.iterdir()}
    assert len(sizes) <= 15
    assert max(sizes.values()) <= LARGEST
