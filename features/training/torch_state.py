"""The device that networks are trained on, and torch's random state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def seeded(random_state: int) -> Iterator[None]:
    """Within it torch draws from this seed; behind it, its random state is as it was."""
    with torch.random.fork_rng([device()] if device().type == "cuda" else []):
        torch.manual_seed(random_state)
        yield


def generator_from_torch() -> np.random.Generator:
    """NumPy's generator with a seed drawn from torch's random state."""
    return np.random.default_rng(int(torch.randint(2**62, ())))
