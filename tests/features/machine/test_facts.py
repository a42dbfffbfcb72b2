"""What libraries say about themselves is kept in the store: a cached run loads none of them."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys

import pytest

from features.encoders.cnn import CNN
from features.machine import identity
from features.machine.facts import cached_fact, cached_facts, caching_facts
from features.machine.identity import file_digest
from features.networks import catalogue
from pipeline.store.folder import FolderStore
from pipeline.store.remember import fact_cache
from tests.support.paths import ROOT
from tests.support.tiny import GRID, run_grid, without_report, write_grid, write_table

HEAVY = ("torch", "torchvision", "sentence_transformers", "transformers", "gensim", "timm")
QUESTION = {"question": "colour", "libraries": {"paint": "1"}}


def test_an_answer_is_asked_for_once_and_kept_in_the_store(tmp_path):
    asked = []

    def ask():
        asked.append(1)
        return {"answer": ["blue", 3]}

    for store in (FolderStore(tmp_path), FolderStore(tmp_path)):
        with caching_facts(fact_cache(store)):
            assert cached_facts(QUESTION, ask)["answer"] == ["blue", 3]
            assert cached_facts(QUESTION, ask)["answer"] == ["blue", 3]
    assert len(asked) == 1
    with caching_facts(fact_cache(FolderStore(tmp_path))):
        cached_facts({**QUESTION, "libraries": {"paint": "2"}}, ask)
    assert len(asked) == 2, "another version may answer differently"


@pytest.mark.parametrize("forged", [{}, {"sha256": 3}, {"sha256": "abc"}, {"sha256": None}])
def test_an_answer_that_cannot_be_is_established_anew(tmp_path, forged):
    def digest(value):
        if len(value) != 64:
            raise ValueError
        return value

    store = FolderStore(tmp_path)
    with caching_facts(fact_cache(store)):
        cached_facts(QUESTION, lambda: forged)
    with caching_facts(fact_cache(store)):
        assert cached_fact(QUESTION, "sha256", lambda: "0" * 64, digest) == "0" * 64


@pytest.mark.parametrize("forged", [{}, {"weights": []}, {"weights": [{"name": "x"}]},
                                    {"weights": 3}, {"weights": [{"name": "x", "preparation": 1}]}])
def test_forged_weights_of_networks_are_asked_for_anew(tmp_path, forged):
    store = FolderStore(tmp_path)
    question = {"network": "resnet18", "libraries": identity.versions("torchvision")}
    with caching_facts(fact_cache(store)):
        cached_facts(question, lambda: forged)
    with caching_facts(fact_cache(store)):
        assert list(catalogue.listed("resnet18")) == ["IMAGENET1K_V1"]


def test_an_error_is_no_answer(tmp_path):
    with caching_facts(fact_cache(FolderStore(tmp_path))):
        for _ in range(2):
            with pytest.raises(ValueError, match=r"nearest: .*resnet18"):
                CNN(model="resnet19").identity()
    assert FolderStore(tmp_path).entries() == []


def test_a_store_that_cannot_be_written_to_keeps_no_answer_and_stops_nobody(tmp_path, monkeypatch):
    def refused(self, key):
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr(FolderStore, "lock", refused)
    with caching_facts(fact_cache(FolderStore(tmp_path))):
        assert cached_facts(QUESTION, lambda: {"answer": "blue"}) == {"answer": "blue"}
        with pytest.raises(FileNotFoundError, match="nowhere"):
            cached_facts(
                {**QUESTION, "question": "form"},
                lambda: {"answer": (tmp_path / "nowhere").read_text()},
            )


def test_an_answer_that_cannot_be_stored_is_not_asked_for_again(tmp_path, monkeypatch):
    def refused(self, key, ingredients, entry, seconds):
        raise OSError(28, "No space left on device")

    asked = []
    monkeypatch.setattr(FolderStore, "_save", refused)
    with caching_facts(fact_cache(FolderStore(tmp_path))):
        assert cached_facts(QUESTION, lambda: asked.append(1) or {"answer": "blue"}) == {
            "answer": "blue"
        }
    assert len(asked) == 1


@pytest.mark.parametrize(
    "model", ["resnet50", "timm/test_vit", "vgg11", "timm/test_resnet.r160_in1k"]
)
def test_what_is_cached_is_what_was_answered(tmp_path, model):
    with caching_facts(fact_cache(FolderStore(tmp_path))):
        first = catalogue.listed(model)
    with caching_facts(fact_cache(FolderStore(tmp_path))):
        assert catalogue.listed(model) == first
        assert list(catalogue.listed(model)) == list(first)
    assert len(FolderStore(tmp_path).entries()) == 1


def test_a_cached_run_with_models_of_torchvision_and_timm_loads_neither(tmp_path, monkeypatch):
    without_report(monkeypatch)
    write_table(tmp_path)
    pictures = (
        "[{cnn: {model: squeezenet1_1, weights: random, size: 64}}, {cnn: {model: "
        "timm/test_resnet, weights: random, size: 32, pca: 2, precision: float32}}]"
    )
    grid = re.sub("fusion: .*", "fusion: [image_only]", GRID)
    write_grid(tmp_path, re.sub("image: .mean.*", f"image: {pictures}", grid))
    assert run_grid(tmp_path) == 0
    arguments = [
        str(tmp_path / "grid.yaml"),
        "--out",
        str(tmp_path / "again"),
        "--store",
        str(tmp_path / "store"),
    ]
    code = (f"import sys; from pipeline import run; code = run.main({arguments}); "
            f"print([name for name in {HEAVY} if name in sys.modules]); sys.exit(code)")
    again = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert set(re.findall(r"(\d+) computed", again.stderr)) == {"0"}
    assert again.stdout.splitlines()[-1] == "[]"


@pytest.fixture
def read(monkeypatch):
    """Names of the files that are read for their hash, all of which count as old and large."""
    names, digest = [], identity.content_digest
    monkeypatch.setattr(identity, "SETTLED", 0.0)
    monkeypatch.setattr(identity, "LARGE", 0)
    monkeypatch.setattr(
        identity, "content_digest", lambda path: names.append(path.name) or digest(path)
    )
    return names


def test_weights_are_read_for_their_hash_once(tmp_path, read):
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"12345")
    for _ in range(2):
        with caching_facts(fact_cache(FolderStore(tmp_path / "store"))):
            assert (
                file_digest(weights) == file_digest(weights) == hashlib.sha256(b"12345").hexdigest()
            )
    assert read == ["weights.bin"]


def test_weights_are_read_again_where_another_file_has_their_name_size_and_time(tmp_path, read):
    weights, other = tmp_path / "weights.bin", tmp_path / "other.bin"
    weights.write_bytes(b"12345")
    other.write_bytes(b"54321")
    times = weights.stat().st_atime_ns, weights.stat().st_mtime_ns
    with caching_facts(fact_cache(FolderStore(tmp_path / "store"))):
        file_digest(weights)
        other.replace(weights)
        os.utime(weights, ns=times)
        assert file_digest(weights) == hashlib.sha256(b"54321").hexdigest()
    assert len(read) == 2


def test_small_files_are_read_and_make_no_entries(tmp_path, read, monkeypatch):
    monkeypatch.setattr(identity, "LARGE", 6)
    (tmp_path / "words.txt").write_bytes(b"12345")
    with caching_facts(fact_cache(FolderStore(tmp_path / "store"))):
        for _ in range(2):
            assert file_digest(tmp_path / "words.txt") == hashlib.sha256(b"12345").hexdigest()
    assert len(read) == 2
    assert FolderStore(tmp_path / "store").entries() == []


def test_weights_that_have_just_changed_are_read_each_time(tmp_path, read, monkeypatch):
    monkeypatch.setattr(identity, "SETTLED", 60.0)
    weights = tmp_path / "weights.bin"
    with caching_facts(fact_cache(FolderStore(tmp_path / "store"))):
        for content in (b"12345", b"54321"):  # perhaps within one tick of the clock
            weights.write_bytes(content)
            assert file_digest(weights) == hashlib.sha256(content).hexdigest()
    assert FolderStore(tmp_path / "store").entries() == []
