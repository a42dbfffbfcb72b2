"""Networks of PyTorch as files of ONNX."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

OPSET = 18
MOST_BYTES = 2**31 - 2**20  # what protobuf serialises, less some room for what is not a number


def too_large(network: nn.Module) -> str:
    """Why a network is more than a file holds, as a clause; empty where it is not."""
    size = sum(tensor.nbytes for tensor in network.state_dict().values())
    if size <= MOST_BYTES:
        return ""
    return (
        f"its numbers take {size / 2**20:,.0f} MB, and a file of ONNX holds at most "
        f"{MOST_BYTES / 2**20:,.0f}"
    )


def onnx_file(
    network: nn.Module,
    examples: Sequence[Tensor],
    *,
    names: tuple[Sequence[str], str],
    shapes: Any,
) -> bytes:
    """The content of a file.

    Parameters
    ----------
    examples : inputs of a few samples.
    names : of the inputs, and of the output.
    shapes : for every input, the dimensions that may be of any size: see torch.onnx.export.

    Raises
    ------
    torch.onnx.OnnxExporterError
        Where PyTorch cannot export the network.
    """
    inputs, output = names
    with warnings.catch_warnings(), _quiet(logging.getLogger("onnxscript")):
        # sizes that several inputs share keep their name all the same
        warnings.filterwarnings("ignore", r"# The axis name", UserWarning)
        program = torch.onnx.export(
            network, tuple(examples), dynamo=True, opset_version=OPSET, verbose=False,
            input_names=list(inputs), output_names=[output], dynamic_shapes=shapes,
        )
    assert program is not None
    content: bytes = program.model_proto.SerializeToString()
    return content


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Errors alone: which of its optimisations do not apply is of no use to who exports."""
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
