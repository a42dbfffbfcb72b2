"""Pictures through a network: decoding overlaps with computing, and few batches exist at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from features.block import FloatArray
from features.machine.threads import ordered
from features.networks.inference.feature_extractor import FeatureExtractor
from features.pictures.preparation import batches, prepared

Features = dict[str, FloatArray]


def encoded(
    net: FeatureExtractor, pictures: Sequence[bytes], outputs: Sequence[str]
) -> Iterator[Features]:
    """Features of consecutive pictures, in order: for each output float32 (b, d) or (b, t, d).

    Raises
    ------
    features.pictures.decoding.UnreadablePicture
        Naming the position of the picture that cannot be decoded.
    """
    return (_on_gpu if net.device.type == "cuda" else _on_cpu)(net, pictures, outputs)


def _on_cpu(
    net: FeatureExtractor, pictures: Sequence[bytes], outputs: Sequence[str]
) -> Iterator[Features]:
    """Every thread takes a batch of its own from the files to the features, on one core.

    Threads that share the layers of one batch wait for each other after each, and for a core that
    decodes; those that share nothing do not.
    """
    threads = torch.get_num_threads()

    def features(start: int) -> Features:
        torch.set_num_threads(1)  # counts for each thread that computes
        stop = min(start + net.batch_size, len(pictures))
        return net(
            np.stack([prepared(pictures, row, net.preparation) for row in range(start, stop)]),
            outputs,
        )

    try:
        starts = range(0, len(pictures), net.batch_size)
        with closing(ordered(features, starts, threads, threads)) as batches_of_features:
            yield from batches_of_features
    finally:
        torch.set_num_threads(threads)


class _Underway(NamedTuple):
    """Results on their way from the GPU: pinned memory, filled once the event has happened."""

    results: dict[str, Tensor]
    arrived: torch.cuda.Event


def _on_gpu(
    net: FeatureExtractor, pictures: Sequence[bytes], outputs: Sequence[str]
) -> Iterator[Features]:
    """Threads decode; the GPU is given a batch before the last one's results are waited for."""
    underway: deque[_Underway] = deque()
    with closing(batches(pictures, net.preparation, net.batch_size)) as prepared_batches:
        for _, pixels in prepared_batches:
            copied = torch.from_numpy(pixels).pin_memory().to(net.device, non_blocking=True)
            underway.append(_sent_back(net.features(copied, outputs)))
            if len(underway) > 1:
                yield _arrived(underway.popleft())
    while underway:
        yield _arrived(underway.popleft())


def _sent_back(features: dict[str, Tensor]) -> _Underway:
    results = {}
    for output, tensor in features.items():
        results[output] = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        results[output].copy_(tensor, non_blocking=True)
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record()
    return _Underway(results, event)


def _arrived(underway: _Underway) -> Features:
    underway.arrived.synchronize()
    return {output: tensor.numpy() for output, tensor in underway.results.items()}
