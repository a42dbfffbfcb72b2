"""A small picture network and photographs for it."""

from __future__ import annotations

import io
from itertools import product

import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import nn

from features.encoders.cnn import CNN


def photographs() -> list[bytes]:
    """Six parts of a photograph, PNG."""
    whole = Image.fromarray(load_sample_image("china.jpg"))
    corners = list(product((0, 200, 400), (0, 200)))
    streams = [io.BytesIO() for _ in corners]
    for (left, top), stream in zip(corners, streams, strict=True):
        whole.crop((left, top, left + 200, top + 160)).save(stream, "PNG")
    return [stream.getvalue() for stream in streams]


def small(**parameters: object) -> CNN:
    """A CNN of few and random weights in float32, for pictures of 64 pixels."""
    defaults = {"weights": "random", "size": 64, "precision": "float32"}
    return CNN(model="timm/test_resnet", **{**defaults, **parameters})


class Branching(nn.Module):
    """A convolution whose output also goes around its normalisation: folding would change it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.norm.running_mean.fill_(0.5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        convolved = self.conv(images)
        return self.norm(convolved) + convolved
