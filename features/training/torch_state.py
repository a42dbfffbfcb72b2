"""The device that networks are trained on, and torch's random state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

_gpu_pays: ContextVar[bool] = ContextVar("gpu_pays", default=True)


def device() -> torch.device:
    """The GPU where there is one, and it pays."""
    return torch.device("cuda" if _gpu_pays.get() and torch.cuda.is_available() else "cpu")


@contextmanager
def on_gpu_if(pays: bool) -> Iterator[None]:
    """Within it, networks are trained and applied on a GPU only if it pays."""
    before = _gpu_pays.set(pays)
    try:
        yield
    finally:
        _gpu_pays.reset(before)


@contextmanager
def seeded(random_state: int) -> Iterator[None]:
    """Within it torch draws from this seed; behind it, its random state is as it was."""
    with torch.random.fork_rng([device()] if device().type == "cuda" else []):
        torch.manual_seed(random_state)
        yield


def generator_from_torch() -> np.random.Generator:
    """NumPy's generator with a seed drawn from torch's random state."""
    return np.random.default_rng(int(torch.randint(2**62, ())))


def arrays_of(network: nn.Module) -> dict[str, NDArray[Any]]:
    """Weights and statistics of a network by name, in the main memory."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}


def with_arrays(network: nn.Module, arrays: Mapping[str, NDArray[Any]]) -> nn.Module:
    """The network with other weights and statistics of the same names, for evaluation."""
    network.load_state_dict(
        {name: torch.from_numpy(np.array(values)) for name, values in arrays.items()}
    )
    return network.eval()
