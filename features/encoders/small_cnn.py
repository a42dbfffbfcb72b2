"""What the small networks share that are trained from scratch in each fold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from features.advance import advance
from features.block import Block, FloatArray, Form, Modality, TrainableNetwork, Unfreeze, joined
from features.encoder import Encoder, Targets
from features.machine.identity import versions
from features.machine.precision import trained_on
from features.pictures.blocks import picture_block, pixel_blocks
from features.pictures.meaning import VERSION as DECODING
from features.pictures.preparation import PixelArray, Preparation, batches
from features.training.settings import Loss, Optimizer, Training

if TYPE_CHECKING:
    from torch import Tensor

    from features.networks.small import SmallNetwork

SIZE = 32
BATCH_SIZE = 128  # pictures of one training step
HELD_OUT = 0.1  # share of the training pictures that decides which epoch's weights are kept
AT_ONCE = 256  # pictures encoded at once; changes no result
PREPARATION = Preparation(SIZE, None, "bilinear", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0)]
Output = Literal["pooled", "regions", "pixels"]


@dataclass(kw_only=True, eq=False, repr=False)
class SmallCNN(Encoder):
    """A network for small pictures, trained from scratch on each fold's labelled training rows.

    Pictures are squeezed to 32 x 32 pixels. About a tenth of the training pictures decides which
    epoch's weights are kept; the fold's scored pictures are never seen. While it trains, pictures
    are shifted by up to 4 pixels and mirrored. On a GPU it trains in mixed precision.

    Parameters
    ----------
    depth : layers of the network that have weights.
    width : channels of the first stage; the later ones double it.
    epochs, optimizer, weight_decay : see features.training.settings.Training.
    learning_rate : the highest; see its schedule one_cycle.
    loss : "cross_entropy" or "mse": see features.training.losses.logit_loss.
    flip : whether half of the pictures are mirrored; not for letters, digits and the like.
    output : "pooled" for (n, d), the mean of the last map; "regions" for (n, t, d), its positions;
        "pixels" for the pictures as the network takes them, uint8 (n, 32, 32, 3).
    random_state : seed of weights, order and changes. On a CPU it decides the result.

    Attributes
    ----------
    net_, weights_ : the trained network, and its weights by name.
    count_ : classes that it tells apart.
    mean_, std_ : of the training pictures' channels, float32 (3,).
    history_ : losses of each epoch, and the epoch kept: see
        features.training.settings.History.
    """

    modality: ClassVar[Modality] = "image"
    version: ClassVar[int] = 3
    forms: ClassVar[dict[Form, str | None]] = {
        "pooled": "pooled", "sequence": "regions", "inputs": "pixels"}

    depth: int
    width: int
    epochs: Count = 60
    learning_rate: Positive
    optimizer: Optimizer = "sgd"
    weight_decay: NotNegative = 5e-4
    loss: Loss = "cross_entropy"
    flip: bool = True
    output: Output = "pooled"
    random_state: int = 0

    @property
    def requires(self) -> tuple[str, ...]:
        """See Estimator.requires."""
        return ("torch",)

    @property
    def learns(self) -> bool:
        """It learns from the training pictures, unless it only prepares them."""
        return not self.gives_inputs

    @property
    def supervised(self) -> bool:
        """And from their labels."""
        return not self.gives_inputs

    def identity(self) -> dict[str, Any]:
        """Versions of decoding and libraries, and a GPU that trains it."""
        return {
            "decoding": DECODING,
            "libraries": versions("torch", "pillow", "numpy"),
            **trained_on(),
        }

    def _built(self, classes: int) -> SmallNetwork:
        """The untrained network, its weights drawn from torch's random state."""
        raise NotImplementedError

    def fit_supervised(self, samples: Sequence[bytes], targets: Targets) -> Self:
        """Train the network on n picture files and their labels.

        Raises
        ------
        FloatingPointError
            Where the training diverges.
        """
        from features.networks.small import Inputs
        from features.training.batches import TrainingSamples
        from features.training.loop import train
        from features.training.losses import logit_loss
        from features.training.torch_state import arrays_of

        pixels = np.concatenate([
            np.zeros((0, SIZE, SIZE, 3), dtype=np.uint8),
            *(part for _, part in batches(samples, PREPARATION, AT_ONCE)),
        ])
        self.mean_, self.std_ = _moments(pixels)
        inputs = Inputs(pixels, self.mean_, self.std_, self.flip, BATCH_SIZE, self.random_state)
        self.count_ = int(targets.labels.max()) + 1
        self.net_, self.history_ = train(
            lambda: self._built(self.count_),
            TrainingSamples(inputs, targets.labels, targets.groups),
            logit_loss(self.loss),
            self._training(),
        )
        self.weights_ = arrays_of(self.net_)
        return self

    @cached_property
    def net_(self) -> SmallNetwork:
        """The network, made again from its weights where it was trained elsewhere."""
        from features.training.torch_state import with_arrays

        network = self._built(self.count_)
        with_arrays(network, self.weights_)
        return network

    def _training(self) -> Training:
        """To the end of the cycle: its last epochs, at small rates, are the best of all."""
        return Training(
            self.epochs,
            self.epochs,
            self.learning_rate,
            self.weight_decay,
            self.random_state,
            BATCH_SIZE,
            HELD_OUT,
            self.optimizer,
            "one_cycle",
            "bfloat16",
        )

    def transform(self, samples: Sequence[bytes]) -> Block:
        """Encode m picture files (bytes): float32 (m, d), or (m, t, d) with all t regions present.

        Raises
        ------
        features.pictures.decoding.UnreadablePicture
            For a file that does not decode, naming its position.
        """
        return joined([piece[self.output] for piece in self.pieces(samples, [self.output])])

    def pieces(
        self, samples: Sequence[bytes], outputs: Sequence[str | None]
    ) -> Iterator[dict[str | None, Block]]:
        """See Encoder.pieces: a batch of pictures each, all outputs from one pass."""
        from features.networks.small import features
        from features.training.torch_state import device

        if "pixels" in outputs:  # then asked for alone: the other forms are learned in the fold
            for block in pixel_blocks(samples, PREPARATION, self):
                yield {"pixels": block}
            return
        net = self.net_.to(device())
        if not len(samples):
            blank = np.zeros((1, SIZE, SIZE, 3), dtype=np.uint8)
            rows = features(net, self._input(blank))
            yield {output: picture_block(rows[str(output)][:0]) for output in outputs}
        for start, pixels in batches(samples, PREPARATION, AT_ONCE):
            rows = features(net, self._input(pixels))
            advance(start + len(pixels), len(samples), "samples")
            yield {output: picture_block(rows[str(output)]) for output in outputs}

    def network(self, unfreeze: Unfreeze, inputs: Block) -> TrainableNetwork:
        """See Encoder.network. It starts from scratch; the fusion says how long and how fast."""
        from features.networks.small import SmallPictures

        mean, std = _moments(inputs.take(inputs.present).array())
        net = self._built(1)
        return TrainableNetwork(
            SmallPictures(net.body, mean, std, self.flip), net.head.in_features, pretrained=False
        )

    def _input(self, pixels: PixelArray) -> Tensor:
        from features.networks.small import Inputs

        inputs = Inputs(pixels, self.mean_, self.std_, False, len(pixels), self.random_state)
        (images,), _ = next(inputs(np.arange(len(pixels)), None))
        scaled: Tensor = images
        return scaled


def _moments(pixels: PixelArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of each channel, float32 (3,), of values scaled to 0..1.

    The deviation is 1/255 at least.
    """
    flat = pixels.reshape(-1, 3)
    levels = np.arange(256) / 255
    counts = np.stack([np.bincount(flat[:, channel], minlength=256) for channel in range(3)]) / max(
        len(flat), 1
    )
    mean = counts @ levels
    deviation = np.sqrt(np.maximum(counts @ levels ** 2 - mean ** 2, (1 / 255) ** 2))
    return mean.astype(np.float32), deviation.astype(np.float32)
