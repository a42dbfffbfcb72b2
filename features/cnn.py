"""CNN: pictures as features of a network trained on ImageNet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator

from features.encoder import Block, Encoder, FloatArray, Form, Modality, joined
from features.identity import versions
from features.images import batches
from features.pretrained import LITE0, known_model, pretrained

# Does not change results, so it is no parameter: it would enter the key.
BATCH_SIZE = 32


class CNN(Encoder):
    """Features of a pretrained picture network, read off before its classifier. Learns nothing.

    Parameters
    ----------
    model : "efficientnet_lite0" (Tan and Le, EfficientNet, 2019, in its form for TensorFlow Lite; weights
        by pip, no network needed), or any torchvision classification model by name, with its own resize,
        crop and normalisation.
    weights : "default", one of the model's torchvision weights such as "IMAGENET1K_V2", or "random" (from
        a fixed seed, for tests). torchvision's are downloaded once, into torch's cache folder.
    output : "pooled" for (n, d), what enters the classifier's last layer; "regions" for (n, t, d), the
        positions of the last feature map (7 x 7 is t = 49) or a transformer's patches.

    See Also
    --------
    features.networks.Network : how the two places are found in any network.
    """

    modality: ClassVar[Modality] = "image"
    version: ClassVar[int] = 1
    forms: ClassVar[dict[Form, str | None]] = {"pooled": "pooled", "sequence": "regions"}

    def __init__(
        self,
        model: Annotated[str, AfterValidator(known_model)] = "efficientnet_lite0",
        weights: str = "default",
        output: Literal["pooled", "regions"] = "pooled",
    ) -> None:
        self.model = model
        self.weights = weights
        self.output = output

    def identity(self) -> dict[str, Any]:
        """Weights' digest, preparation, precision and library versions.

        The device is left out: float32 features of a CPU and a GPU agree to about 1e-6.
        """
        libraries = ("torch", "pillow", "timm" if self.model == LITE0 else "torchvision")
        chosen = pretrained(self.model, self.weights)
        return {**chosen.identity(), "precision": "float32", "libraries": versions(*libraries)}

    def transform(self, samples: Sequence[bytes]) -> Block:
        """Encode m picture files (bytes): float32 (m, d), or (m, t, d) with all t regions present.

        Raises
        ------
        features.images.UnreadablePicture
            For a file that does not decode, naming its position.
        FileNotFoundError
            Where the weights are neither in torch's cache folder nor can be downloaded.
        """
        return joined([piece[self.output] for piece in self.pieces(samples, [self.output])])

    def pieces(self, samples: Sequence[bytes], outputs: Sequence[str | None]) -> Iterator[dict[str | None, Block]]:
        """See Encoder.pieces: a batch of pictures each, all outputs from one pass through the network."""
        from features.networks import network

        net = network(pretrained(self.model, self.weights))
        if not len(samples):
            yield {output: _block(np.empty((0, *net.shapes[str(output)]), dtype=np.float32)) for output in outputs}
        for _, pixels in batches(samples, net.preparation, BATCH_SIZE):
            features = net(pixels, [str(output) for output in outputs])
            yield {output: _block(features[str(output)]) for output in outputs}


def _block(values: FloatArray) -> Block:
    """Pooled vectors (m, d), or regions (m, t, d), all of them there."""
    return Block.of(values, np.ones(values.shape[:2], dtype=bool) if values.ndim == 3 else None)
