"""What the fusions that train a network share."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from models import FUSIONS
from models.neural.fusion import NeuralFusion
from pipeline.testing.views import views
from tests.support.paths import ROOT


def test_warming_up_imports_what_the_first_training_would():
    """In a new process: what a fit imports for the first time counts as its own time."""
    code = ("import sys; from models import FUSIONS\n"
            "FUSIONS['gated']().warm_up(); before = set(sys.modules)\n"
            "import numpy as np; from features.block import Block; from models.views import Views\n"
            "block = Block.of(np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32))\n"
            "FUSIONS['gated'](epochs=1).fit(Views(block, block), np.arange(40) % 2)\n"
            "later = (set(sys.modules) - before) & {'sklearn', 'torch', 'torch._dynamo'}\n"
            "sys.exit(' '.join(later) or None)\n")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.gpu
@pytest.mark.parametrize(
    "name", [name for name, cls in FUSIONS.items() if issubclass(cls, NeuralFusion)]
)
def test_trained_on_a_gpu_it_predicts_on_a_cpu(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cls = FUSIONS[name]
    monkeypatch.setattr(cls, "gpu_pays", True)
    form = next(iter({"sequence", "inputs"} & set(cls.needs.values())), "pooled")
    train, y = views(form, n=120)
    model = cls(epochs=30, random_state=3).fit(train, y)
    on_gpu = model.predict_proba(train)
    assert (model.classes_[on_gpu.argmax(axis=1)] == y).mean() > 0.9
    monkeypatch.setattr("features.training.batches.device", lambda: torch.device("cpu"))
    np.testing.assert_allclose(model.predict_proba(train), on_gpu, rtol=0, atol=2e-3)
