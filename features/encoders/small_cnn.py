"""Small networks trained from scratch on the training pictures of each fold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from features.block import Block, Form, Modality, TrainableNetwork, Unfreeze, joined
from features.encoder import Encoder, Targets
from features.machine.identity import versions
from features.pictures.preparation import PixelArray, Preparation, batches

if TYPE_CHECKING:
    from features.networks.small import SmallNetwork

SIZE = 32
BATCH = 128  # pictures of one training step
AT_ONCE = 256  # pictures encoded at once; changes no result
PREPARATION = Preparation(SIZE, None, "bilinear", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0)]
Optimizer = Literal["sgd", "adamw"]
Loss = Literal["cross_entropy", "mse"]
Output = Literal["pooled", "regions", "pixels"]


class SmallCNN(Encoder):
    """A network for small pictures, trained from scratch on the labelled training pictures of each fold.

    Pictures are squeezed to 32 x 32 pixels. About a tenth of the training pictures decides which
    epoch's weights are kept; the fold's scored pictures are never seen. While it trains, pictures
    are shifted by up to 4 pixels and mirrored. On a GPU it trains in mixed precision.

    Parameters
    ----------
    depth : layers.
    width : channels of the first stage; the later ones double it.
    epochs, lr, optimizer, weight_decay, loss : see features.training.loop.Training.
    flip : whether half of the pictures are mirrored; not for letters, digits and the like.
    output : "pooled" for (n, d), the mean of the last map; "regions" for (n, t, d), its positions;
        "pixels" for the pictures as the network takes them, uint8 (n, 32, 32, 3).
    random_state : seed of weights, order and changes. On a CPU it decides the result.

    Attributes
    ----------
    net_ : the trained network.
    mean_, std_ : of the training pictures' channels, float32 (3,).
    history_ : losses of each epoch, and the epoch kept: see features.training.loop.History.
    """

    modality: ClassVar[Modality] = "image"
    version: ClassVar[int] = 2
    forms: ClassVar[dict[Form, str | None]] = {
        "pooled": "pooled", "sequence": "regions", "inputs": "pixels"}

    depth: int
    width: int
    epochs: int
    lr: float
    optimizer: Optimizer
    weight_decay: float
    loss: Loss
    flip: bool
    output: Output
    random_state: int

    @property
    def learns(self) -> bool:
        """It learns from the training pictures, unless it only prepares them."""
        return not self.gives_inputs

    @property
    def supervised(self) -> bool:
        """And from their labels."""
        return not self.gives_inputs

    def identity(self) -> dict[str, Any]:
        """Library versions."""
        return {"libraries": versions("torch", "pillow", "numpy", "scikit-learn")}

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
        import torch

        from features.networks.small import Inputs
        from features.training.loop import Training, device, train

        pixels = np.concatenate([np.zeros((0, SIZE, SIZE, 3), dtype=np.uint8), *(
            some for _, some in batches(samples, PREPARATION, AT_ONCE))])
        self.mean_, self.std_ = _moments(pixels)
        how = Training(
            self.epochs,
            self.epochs,
            [self.lr],
            self.optimizer,
            self.weight_decay,
            self.loss,
            BATCH,
            self.random_state,
        )
        inputs = Inputs(pixels, self.mean_, self.std_, self.flip, BATCH, self.random_state)
        with torch.random.fork_rng([device()] if device().type == "cuda" else []):
            torch.manual_seed(self.random_state)
            self.net_ = self._built(int(targets.labels.max()) + 1).train().to(device())
            self.history_ = train(
                self.net_, [{"params": self.net_.parameters()}], inputs, targets, how
            )
        return self

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
        """See Encoder.pieces: a batch of pictures each, all outputs from one pass through the network."""
        from features.networks.small import features

        if "pixels" in outputs:  # then asked for alone: the other forms are learned in the fold
            yield from self._pixels(samples)
            return
        if not len(samples):
            blank = np.zeros((1, SIZE, SIZE, 3), dtype=np.uint8)
            found = features(self.net_, self._input(blank))
            yield {output: _block(found[str(output)][:0]) for output in outputs}
        for _, pixels in batches(samples, PREPARATION, AT_ONCE):
            found = features(self.net_, self._input(pixels))
            yield {output: _block(found[str(output)]) for output in outputs}

    def _pixels(self, samples: Sequence[bytes]) -> Iterator[dict[str | None, Block]]:
        if not len(samples):
            yield {"pixels": Block.of(np.zeros((0, SIZE, SIZE, 3), dtype=np.uint8), encoder=self)}
        for _, pixels in batches(samples, PREPARATION, AT_ONCE):
            yield {"pixels": Block.of(pixels, encoder=self)}

    def network(self, unfreeze: Unfreeze, inputs: Block) -> TrainableNetwork:
        """See Encoder.network. It starts from scratch and is trained whole; the fusion says how long and how fast."""
        from features.networks.small import SmallPictures

        mean, std = _moments(inputs.take(inputs.present).array())
        net = self._built(1)
        return TrainableNetwork(
            SmallPictures(net.body, mean, std, self.flip), net.head.in_features, pretrained=False
        )

    def _input(self, pixels: PixelArray) -> Any:
        from features.networks.small import Inputs

        inputs = Inputs(pixels, self.mean_, self.std_, flip=False, batch=len(pixels), seed=0)
        return next(inputs(np.arange(len(pixels)), None))[0]


def _moments(pixels: PixelArray) -> tuple[Any, Any]:
    """Mean and standard deviation of each channel, of values scaled to 0..1; at least 1/255, float32 (3,)."""
    flat = pixels.reshape(-1, 3)
    levels = np.arange(256) / 255
    counts = np.stack([np.bincount(flat[:, channel], minlength=256) for channel in range(3)]) / max(
        len(flat), 1
    )
    mean = counts @ levels
    deviation = np.sqrt(np.maximum(counts @ levels ** 2 - mean ** 2, (1 / 255) ** 2))
    return mean.astype(np.float32), deviation.astype(np.float32)


def _block(values: Any) -> Block:
    return Block.of(values, np.ones(values.shape[:2], dtype=bool) if values.ndim == 3 else None)


class SmallResNet(SmallCNN):
    """ResNet for pictures of 32 pixels (He et al. 2016), trained from scratch in each fold; parameters: SmallCNN.

    Of depth 6n + 2: a convolution and three stages of n residual blocks, their maps 32, 16 and 8
    pixels wide (regions: 64). With 64 channels in the end it has 0.27 million weights at depth 20.
    """

    def __init__(
        self,
        depth: Literal[8, 14, 20, 32, 44, 56] = 20,
        width: Count = 16,
        epochs: Count = 60,
        lr: Positive = 0.1,
        optimizer: Optimizer = "sgd",
        weight_decay: NotNegative = 5e-4,
        loss: Loss = "cross_entropy",
        flip: bool = True,
        output: Output = "pooled",
        random_state: int = 0,
    ) -> None:
        self.depth = depth
        self.width = width
        self.epochs = epochs
        self.lr = lr
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.loss = loss
        self.flip = flip
        self.output = output
        self.random_state = random_state

    def _built(self, classes: int) -> SmallNetwork:
        from features.networks.small import resnet

        return resnet(self.depth, self.width, classes)


class SmallVGG(SmallCNN):
    """VGG for pictures of 32 pixels (Simonyan and Zisserman 2015), trained from scratch in each fold; see SmallCNN.

    Five stages of convolutions with batch normalisation, halved by pooling in between (regions: 4),
    and a linear classifier in place of the dense layers. At depth 11 and width 64 it has 9.2
    million weights.
    """

    def __init__(
        self,
        depth: Literal[11, 13, 16] = 11,
        width: Count = 64,
        epochs: Count = 60,
        lr: Positive = 0.05,
        optimizer: Optimizer = "sgd",
        weight_decay: NotNegative = 5e-4,
        loss: Loss = "cross_entropy",
        flip: bool = True,
        output: Output = "pooled",
        random_state: int = 0,
    ) -> None:
        self.depth = depth
        self.width = width
        self.epochs = epochs
        self.lr = lr
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.loss = loss
        self.flip = flip
        self.output = output
        self.random_state = random_state

    def _built(self, classes: int) -> SmallNetwork:
        from features.networks.small import vgg

        return vgg(self.depth, self.width, classes)
