"""What libraries say about themselves is remembered by the store, so a cached run loads none of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from features import catalogue, recall
from features.cnn import CNN
from pipeline.library_facts import memory
from pipeline.store import Store
from tests.tiny import GRID, run_grid, without_report, write_grid, write_table

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "torchvision", "sentence_transformers", "transformers", "gensim", "timm")
QUESTION = {"question": "colour", "libraries": {"paint": "1"}}


def test_an_answer_is_asked_for_once_and_kept_in_the_store(tmp_path):
    asked = []

    def ask():
        asked.append(1)
        return {"answer": ["blue", 3]}

    for store in (Store(tmp_path), Store(tmp_path)):
        with recall.remembering(memory(store)):
            assert recall.recall(QUESTION, ask)["answer"] == ["blue", 3]
            assert recall.recall(QUESTION, ask)["answer"] == ["blue", 3]
    assert len(asked) == 1
    with recall.remembering(memory(Store(tmp_path))):
        recall.recall({**QUESTION, "libraries": {"paint": "2"}}, ask)
    assert len(asked) == 2, "another version may answer differently"


def test_an_error_is_no_answer(tmp_path):
    with recall.remembering(memory(Store(tmp_path))):
        for _ in range(2):
            with pytest.raises(ValueError, match=r"nearest: .*resnet18"):
                CNN("resnet19").identity()
    assert Store(tmp_path).entries() == []


@pytest.mark.parametrize("model", ["resnet50", "timm/test_vit", "vgg11", "timm/test_resnet.r160_in1k"])
def test_what_is_remembered_is_what_was_answered(tmp_path, model):
    with recall.remembering(memory(Store(tmp_path))):
        first = catalogue.listed(model)
    with recall.remembering(memory(Store(tmp_path))):
        assert catalogue.listed(model) == first
        assert list(catalogue.listed(model)) == list(first)
    assert len(Store(tmp_path).entries()) == 1


def test_a_cached_run_with_models_of_torchvision_and_timm_loads_neither(tmp_path, monkeypatch):
    without_report(monkeypatch)
    write_table(tmp_path)
    pictures = ("[{cnn: {model: squeezenet1_1, weights: random, size: 64}}, "
                "{cnn: {model: timm/test_resnet, weights: random, size: 32, pca: 2, precision: float32}}]")
    grid = re.sub("fusion: .*", "fusion: [image_only]", GRID)
    write_grid(tmp_path, re.sub("image: .mean.*", f"image: {pictures}", grid))
    assert run_grid(tmp_path) == 0
    arguments = [str(tmp_path / "grid.yaml"), "--out", str(tmp_path / "again"), "--store", str(tmp_path / "store")]
    code = (f"import sys; from pipeline import run; code = run.main({arguments}); "
            f"print([name for name in {HEAVY} if name in sys.modules]); sys.exit(code)")
    again = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert set(re.findall(r"(\d+) computed", again.stderr)) == {"0"}
    assert again.stdout.splitlines()[-1] == "[]"
