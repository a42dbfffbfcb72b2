"""Small picture networks of the CIFAR form in torch; imported only when one is trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from features.block import FloatArray, IntArray
from features.pictures.preparation import PixelArray
from features.training.batches import Batch
from features.training.torch_state import device, generator_from_torch

PADDING = 4  # pixels that a crop may move a picture by, of 32: He et al. 2016
# Layers of VGG's five stages by depth (Simonyan and Zisserman 2015, configurations A, B, D),
# without the dense ones.
STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3)}


class SmallNetwork(nn.Module):
    """A body, the mean of its map, and a linear classifier.

    The body makes a map (b, d, h, w) of pictures (b, 3, size, size).
    """

    def __init__(self, body: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(width, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Logits (b, K)."""
        logits: Tensor = self.head(self.body(images).mean(dim=(2, 3)))
        return logits


class ResidualBlock(nn.Module):
    """relu(x + f(x)) with two convolutions of 3 x 3.

    Where the size changes, x is thinned out and padded with zeros.
    """

    def __init__(self, entering: int, leaving: int, stride: int) -> None:
        super().__init__()
        self.first = convolution(entering, leaving, stride)
        self.second = nn.Sequential(
            nn.Conv2d(leaving, leaving, 3, 1, 1, bias=False), nn.BatchNorm2d(leaving)
        )
        self.stride, self.added = stride, leaving - entering

    def forward(self, x: Tensor) -> Tensor:
        """A map of the block's width."""
        short = functional.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, 0, self.added))
        return functional.relu(short + self.second(self.first(x)))


def convolution(entering: int, leaving: int, stride: int = 1) -> nn.Sequential:
    """A convolution of 3 x 3 with batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(entering, leaving, 3, stride, 1, bias=False), nn.BatchNorm2d(leaving), nn.ReLU()
    )


def resnet(depth: int, width: int, classes: int) -> SmallNetwork:
    """ResNet of 6n + 2 layers: three stages of n blocks on 32, 16 and 8 pixels.

    The stages are width, 2 width and 4 width channels wide.
    """
    layers: list[nn.Module] = [convolution(3, width)]
    entering = width
    for stage in range(3):
        for block in range((depth - 2) // 6):
            leaving = width * 2 ** stage
            layers.append(ResidualBlock(entering, leaving, 2 if stage and not block else 1))
            entering = leaving
    return SmallNetwork(nn.Sequential(*layers), entering, classes)


def vgg(depth: int, width: int, classes: int) -> SmallNetwork:
    """VGG with batch normalisation, of five stages.

    Four poolings between them leave a map of 2 x 2 from 32 pixels.
    """
    layers: list[nn.Module] = []
    entering = 3
    for stage, count in enumerate(STAGES[depth]):
        leaving = width * min(2 ** stage, 8)
        layers += [nn.MaxPool2d(2)] if stage else []
        for _ in range(count):
            layers.append(convolution(entering, leaving))
            entering = leaving
    return SmallNetwork(nn.Sequential(*layers), entering, classes)


class Inputs:
    """Pictures as a network's inputs, scaled; while training, also shifted and mirrored.

    Parameters
    ----------
    pixels : uint8 (n, size, size, 3).
    mean, std : of each channel, of values scaled to 0..1.
    flip : whether half of the training pictures are mirrored.
    batch_size : pictures at once.
    random_state : seed of the changes.
    """

    def __init__(
        self,
        pixels: PixelArray,
        mean: FloatArray,
        std: FloatArray,
        flip: bool,
        batch_size: int,
        random_state: int,
    ) -> None:
        self._images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
        self._flip, self._batch_size, self._random_state = flip, batch_size, random_state
        self._mean, self._std = (
            torch.from_numpy(values).view(1, 3, 1, 1) for values in (mean, std)
        )

    def __call__(self, rows: IntArray, epoch: int | None) -> Iterator[Batch]:
        """See features.training.batches.Batches."""
        rng = np.random.default_rng([self._random_state, epoch or 0])
        for positions in torch.split(torch.from_numpy(rows), self._batch_size):
            images = (self._images[positions].float() / 255 - self._mean) / self._std
            if epoch is not None:
                images = shifted(images, self._flip, rng)
            yield [images.to(device())], positions


def shifted(images: Tensor, flip: bool, rng: np.random.Generator) -> Tensor:
    """Each picture moved by up to 4 pixels of 32, and perhaps mirrored.

    Zeros, the mean colour, come in.
    """
    count, size = len(images), images.shape[2]
    margin = max(1, PADDING * size // 32)
    padded = functional.pad(images, (margin,) * 4)
    tops, lefts, halves = (
        torch.from_numpy(drawn).to(images.device)
        for drawn in (*rng.integers(0, 2 * margin + 1, (2, count)), rng.random(count) < 0.5)
    )
    mirrored = halves & flip
    along = torch.arange(size, device=images.device)
    columns = torch.where(mirrored[:, None], along.flip(0)[None], along[None]) + lefts[:, None]
    down = along[None] + tops[:, None]
    pictures = torch.arange(count, device=images.device)[:, None, None]
    moved = padded.permute(0, 2, 3, 1)[pictures, down[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


class SmallPictures(nn.Module):
    """Pooled features (b, d) of uint8 pictures (b, size, size, 3).

    While it trains, pictures are shifted and mirrored.

    Parameters
    ----------
    body, mean, std, flip : see SmallNetwork and Inputs.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, body: nn.Module, mean: FloatArray, std: FloatArray, flip: bool) -> None:
        super().__init__()
        self.body, self.flip = body, flip
        self.register_buffer("mean", torch.from_numpy(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.from_numpy(std).view(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """See features.encoder.TrainableNetwork."""
        pixels = pixels.to(self.mean.device)
        images = (pixels.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        if self.training:
            images = shifted(images, self.flip, generator_from_torch())
        features: Tensor = self.body(images).mean(dim=(2, 3))
        return features


def features(net: SmallNetwork, images: Tensor) -> dict[str, Any]:
    """Pooled features (b, d) and regions (b, h w, d) of inputs, float32."""
    with torch.inference_mode():
        maps = net.body(images).float().cpu()
    return {
        "pooled": maps.mean(dim=(2, 3)).numpy(),
        "regions": maps.flatten(2).transpose(1, 2).contiguous().numpy(),
    }
