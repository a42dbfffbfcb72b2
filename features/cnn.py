"""CNN: pictures as features of a network trained on ImageNet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator

from features.augmentation import Augment, with_views
from features.encoder import Block, Encoder, FloatArray, Form, Modality, joined
from features.identity import versions
from features.images import batches
from features.pretrained import LITE0, known_model, pretrained

# Does not change results, so it is no parameter: it would enter the key.
BATCH_SIZE = 32


class CNN(Encoder):
    """Features of a pretrained picture network, read off before its classifier. Learns nothing.

    With `augment`, training sets also hold augmented views of their pictures, as further samples of the class.

    Parameters
    ----------
    model : "efficientnet_lite0" (Tan and Le, EfficientNet, 2019, in its form for TensorFlow Lite; weights
        by pip, no network needed), or any torchvision classification model by name, with its own resize,
        crop and normalisation.
    weights : "default", one of the model's torchvision weights such as "IMAGENET1K_V2", or "random" (from
        a fixed seed, for tests). torchvision's are downloaded once, into torch's cache folder.
    output : "pooled" for (n, d), what enters the classifier's last layer; "regions" for (n, t, d), the
        positions of the last feature map (7 x 7 is t = 49) or a transformer's patches.
    augment : keys views, crop, flip, colour and test_views: see features.augmentation.Augment.
    random_state : seed of the augmented views.

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
        augment: Augment | None = None,
        random_state: int = 0,
    ) -> None:
        self.model = model
        self.weights = weights
        self.output = output
        self.augment = augment
        self.random_state = random_state

    @property
    def augmented(self) -> int:
        """Augmented views of each picture."""
        return self.augment.views if self.augment else 0

    @property
    def averaged(self) -> bool:
        """Whether predictions are averaged over a picture and its views."""
        return self.augment is not None and self.augment.test_views

    def identity(self) -> dict[str, Any]:
        """Weights' digest, preparation, precision and library versions.

        The device is left out: float32 features of a CPU and a GPU agree to about 1e-6.
        """
        libraries = ("torch", "pillow", "timm" if self.model == LITE0 else "torchvision")
        chosen = pretrained(self.model, self.weights)
        return {**chosen.identity(), "precision": "float32", "libraries": versions(*libraries)}

    def transform(self, samples: Sequence[bytes]) -> Block:
        """Encode m picture files (bytes): float32 (m, d), or (m, t, d) with all t regions present.

        With k augmented views of each picture there are m (1 + k) rows: see Block.augmented.

        Raises
        ------
        features.images.UnreadablePicture
            For a file that does not decode, naming its position.
        FileNotFoundError
            Where the weights are neither in torch's cache folder nor can be downloaded.
        """
        rows = joined([piece[self.output] for piece in self.pieces(samples, [self.output])])
        return replace(rows, index=rows.index[:len(samples)], augmented=self.augmented, averaged=self.averaged)

    def pieces(self, samples: Sequence[bytes], outputs: Sequence[str | None]) -> Iterator[dict[str | None, Block]]:
        """See Encoder.pieces: a batch of pictures each, all outputs from one pass through the network."""
        from features.networks import network

        net = network(pretrained(self.model, self.weights))
        pictures = with_views(samples, self.augment, self.random_state)
        if not len(pictures):
            yield {output: _block(np.empty((0, *net.shapes[str(output)]), dtype=np.float32)) for output in outputs}
        for _, pixels in batches(pictures, net.preparation, BATCH_SIZE):
            features = net(pixels, [str(output) for output in outputs])
            yield {output: _block(features[str(output)]) for output in outputs}


def _block(values: FloatArray) -> Block:
    """Pooled vectors (m, d), or regions (m, t, d), all of them there."""
    return Block.of(values, np.ones(values.shape[:2], dtype=bool) if values.ndim == 3 else None)
