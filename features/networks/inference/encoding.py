"""Pictures through a network: decoding overlaps with computing, and few batches exist at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from features.advance import advance
from features.block import FloatArray
from features.machine.threads import ordered
from features.pictures.preparation import PixelArray, Preparation, batches, prepared

Features = dict[str, FloatArray]


class PictureNetwork(Protocol):
    """A network that is given prepared pictures, a batch at a time.

    Attributes
    ----------
    batch_size : pictures to give it at once.
    rounds_by_batch : whether a CPU, too, rounds otherwise for other sizes of a batch.
    """

    preparation: Preparation
    device: torch.device
    batch_size: int
    rounds_by_batch: bool

    def __call__(self, pixels: PixelArray, outputs: Sequence[str]) -> Features:
        """Features of uint8 pixels (b, size, size, 3) by output."""
        ...

    def features(self, pixels: Tensor, outputs: Sequence[str]) -> dict[str, Tensor]:
        """The same of pixels on the network's device, whose float32 results stay there."""
        ...


def encoded(
    net: PictureNetwork, pictures: Sequence[bytes], outputs: Sequence[str], exact: bool = True
) -> Iterator[Features]:
    """Features of consecutive pictures, in order: for each output float32 (b, d) or (b, t, d).

    Parameters
    ----------
    exact : whether a picture's features shall be the same to the bit whatever comes with it. A GPU
        rounds otherwise for other sizes of a batch, so that the last one is filled up; a CPU does
        so for some networks.

    Raises
    ------
    features.pictures.decoding.UnreadablePicture
        Naming the position of the picture that cannot be decoded.
    """
    on_gpu = net.device.type == "cuda"
    encode = _on_gpu if on_gpu else _on_cpu
    done = 0
    for features in encode(net, pictures, outputs, exact and (on_gpu or net.rounds_by_batch)):
        done += len(features[outputs[0]])
        advance(done, len(pictures), "samples")
        yield features


def _on_cpu(
    net: PictureNetwork, pictures: Sequence[bytes], outputs: Sequence[str], fill: bool
) -> Iterator[Features]:
    """Every thread takes a batch of its own from the files to the features, on one core.

    Threads that share the layers of one batch wait for each other after each, and for a core that
    decodes; those that share nothing do not.
    """
    threads = torch.get_num_threads()

    def features(start: int) -> Features:
        torch.set_num_threads(1)  # counts for each thread that computes
        rows = range(start, min(start + net.batch_size, len(pictures)))
        pixels = np.stack([prepared(pictures, row, net.preparation) for row in rows])
        if fill and len(rows) < net.batch_size:
            black = np.zeros((net.batch_size - len(rows), *pixels.shape[1:]), dtype=np.uint8)
            pixels = np.concatenate([pixels, black])
        return {output: values[: len(rows)] for output, values in net(pixels, outputs).items()}

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
    net: PictureNetwork, pictures: Sequence[bytes], outputs: Sequence[str], exact: bool
) -> Iterator[Features]:
    """Threads decode; the GPU is given a batch before the last one's results are waited for."""
    underway: deque[_Underway] = deque()
    with closing(batches(pictures, net.preparation, net.batch_size)) as prepared_batches:
        for _, pixels in prepared_batches:
            for part in _computed(net, torch.from_numpy(pixels).pin_memory(), outputs, exact):
                underway.append(part)
                if len(underway) > 1:
                    yield _arrived(underway.popleft())
    while underway:
        yield _arrived(underway.popleft())
    torch.cuda.empty_cache()  # other processes may need what this one has no use for


def _computed(
    net: PictureNetwork, pixels: Tensor, outputs: Sequence[str], exact: bool
) -> Iterator[_Underway]:
    """Features of pinned pixels (b, size, size, 3), in as few parts as the GPU's memory allows.

    Where it does not suffice, batches are half as large from then on.
    """
    start = 0
    while start < len(pixels):
        part = pixels[start : start + net.batch_size]
        try:
            features = net.features(_on_device(net, part, exact), outputs)
            underway = _sent_back({name: rows[: len(part)] for name, rows in features.items()})
        except torch.OutOfMemoryError:
            if net.batch_size == 1:
                raise
            net.batch_size //= 2
            torch.cuda.empty_cache()
            continue
        yield underway
        start += len(part)


def _on_device(net: PictureNetwork, pixels: Tensor, exact: bool) -> Tensor:
    """The pixels on the GPU, behind them black pictures up to a full batch."""
    if not exact or len(pixels) == net.batch_size:
        return pixels.to(net.device, non_blocking=True)
    full = pixels.new_zeros((net.batch_size, *pixels.shape[1:]), device=net.device)
    full[: len(pixels)].copy_(pixels, non_blocking=True)
    return full


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
