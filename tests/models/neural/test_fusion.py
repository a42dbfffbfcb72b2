"""What the fusions that train a network share."""

from __future__ import annotations

import subprocess
import sys

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
