"""The tests. Where several run side by side, each computes in one thread."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# Processes that tests start, some hundred, find our modules compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
