"""CNN: pictures as features of a network trained on ImageNet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import AfterValidator, Field

from features.block import Block, FloatArray, Form, Modality, TrainableNetwork, Unfreeze, joined
from features.encoder import Encoder, Targets
from features.machine.identity import versions
from features.machine.precision import Precision, chosen_precision
from features.networks.catalogue import known_model, library
from features.networks.finetuning import Finetune, Head
from features.networks.pretrained import Pretrained, pretrained, with_preparation
from features.pictures.augmentation import Augment, with_views
from features.pictures.images import PixelArray, batches
from features.pictures.resizing import Interpolation
from features.principal_components import Projection

if TYPE_CHECKING:
    from features.networks.tapped import Network

Three = tuple[float, float, float]
PREPARED_AT_ONCE = 64  # pictures


class CNN(Encoder):
    """Features of a pretrained picture network, read off inside it. Learns nothing, unless with `pca` or `finetune`.

    With `augment`, training sets also hold augmented views of their pictures, as further samples of
    the class.

    Parameters
    ----------
    model : "efficientnet_lite0" (Tan and Le, EfficientNet, 2019, in its form for TensorFlow Lite;
        weights by pip, no network needed); any torchvision classification model by name; or
        timm/NAME for any of timm's. Each with its own resize, crop and normalisation.
    weights : "default", one of the model's weights such as "IMAGENET1K_V2" (timm: "a1_in1k"), a
        checkpoint file (safetensors or a torch state dict; in a grid with ./ or ../ in front) or
        "random" (from a fixed seed, for tests). torchvision's and timm's are downloaded once, into
        torch's and the hub's cache folders.
    pooling : makes one vector of the last map's positions: "avg", "max" or "gem" (generalised
        mean); "model" for what enters the model's own classifier, which for most is the average.
    layer : name of a module inside the network whose output is taken instead of the last map.
    size, crop, interpolation, mean, std : replace the model's own preparation. `crop` is the share
        of the shorter side that the central square keeps; "none" squeezes the whole picture into
        the square.
    precision : "bfloat16" computes in half the bits; "auto" does so where the processor or GPU has
        it natively (the cosine to the features of float32 is about .999), else in float32.
    pca : components of the features that are kept, learned from the training rows of each fold.
    whiten : scales these to equal variance.
    output : "pooled" for (n, d); "regions" for (n, t, d), the positions of the map (7 x 7 is t =
        49) or a transformer's patches; "pixels" for the prepared pictures, uint8 (n, size, size,
        3).
    finetune : trains the network on the labelled training rows of each fold; keys epochs,
        learning_rate, unfreeze and loss: see features.networks.finetuning.Finetune. With
        `augment`, it trains on the views, too.
    augment : keys views, crop, flip, colour and test_views: see
        features.pictures.augmentation.Augment. Where the network is trained with what is built on
        it (end_to_end), every step sees a new view, and `views` does not count.
    random_state : seed of the augmented views and of fine-tuning.

    Attributes
    ----------
    projection_ : Projection learned from the training samples; only with `pca`.
    head_ : Head learned from them; only with finetune: {unfreeze: head}.
    net_, history_ : the tuned network, and the losses of each epoch; only with other forms of
        finetune.

    See Also
    --------
    features.networks.tapped.Network : how the places are found in any network.
    """

    modality: ClassVar[Modality] = "image"
    version: ClassVar[int] = 3
    forms: ClassVar[dict[Form, str | None]] = {
        "pooled": "pooled", "sequence": "regions", "inputs": "pixels"}

    def __init__(
        self,
        model: Annotated[str, AfterValidator(known_model)] = "efficientnet_lite0",
        weights: str | Path = "default",
        pooling: Literal["model", "avg", "max", "gem"] = "model",
        layer: str | None = None,
        size: Annotated[int, Field(ge=8)] | None = None,
        crop: Annotated[float, Field(gt=0, le=1)] | Literal["none"] | None = None,
        interpolation: Interpolation | None = None,
        mean: Three | None = None,
        std: Three | None = None,
        precision: Precision = "auto",
        pca: Annotated[int, Field(ge=1)] | None = None,
        whiten: bool = False,
        finetune: Finetune | None = None,
        output: Literal["pooled", "regions", "pixels"] = "pooled",
        augment: Augment | None = None,
        random_state: int = 0,
    ) -> None:
        self.model = model
        self.weights = weights
        self.pooling = pooling
        self.layer = layer
        self.size = size
        self.crop = crop
        self.interpolation = interpolation
        self.mean = mean
        self.std = std
        self.precision = precision
        self.pca = pca
        self.whiten = whiten
        self.finetune = finetune
        self.output = output
        self.augment = augment
        self.random_state = random_state

    @property
    def learns(self) -> bool:
        """Whether principal components are learned, or the network is tuned."""
        return self.pca is not None or self.supervised

    @property
    def supervised(self) -> bool:
        """Whether the network is tuned to the classes."""
        return self.finetune is not None

    @property
    def augmented(self) -> int:
        """Augmented views of each picture."""
        return self.augment.views if self.augment and not self.gives_inputs else 0

    @property
    def averaged(self) -> bool:
        """Whether predictions are averaged over a picture and its views."""
        return self.augment is not None and self.augment.test_views

    def frozen_stage(self) -> CNN | None:
        """The same without what is learned on frozen features, where there is such: components, or a head."""
        if self.pca is None and not self._tunes_head:
            return None
        frozen: CNN = type(self)(
            **{**self.get_params(deep=False), "pca": None, "whiten": False, "finetune": None}
        )
        return frozen

    @property
    def _tunes_head(self) -> bool:
        return self.finetune is not None and self.finetune.unfreeze == "head"

    def fit_features(self, features: Block, targets: Targets | None = None) -> Self:
        """Learn the components, or the head, from the training pictures' features."""
        if self.pca is not None:
            self.projection_ = Projection.learned(features, self.pca, self.whiten)
        elif self.finetune is not None and targets is not None:
            self.head_ = Head.learned(features, targets, self.finetune, self.random_state)
        else:
            raise ValueError("only with pca, or finetune and labels, is there something to learn")
        return self

    def fit_supervised(self, samples: Sequence[bytes], targets: Targets) -> Self:
        """Tune the head, the last layers or all of them on n labelled picture files."""
        if self.finetune is None or self._tunes_head:
            return super().fit_supervised(samples, targets)
        from features.networks.last_layers import tuned
        from features.networks.tapped import Network

        pictures = with_views(samples, self.augment, self.random_state)
        chosen = self.chosen()
        net, self.history_ = tuned(
            chosen, pictures, targets, self.finetune, self.augmented, self.random_state
        )
        self.net_ = Network(net, chosen, self.layer, self.pooling, chosen_precision(self.precision))
        return self

    def transform_features(self, features: Block) -> Block:
        """The features of pictures in the components, (m, pca) or (m, t, pca), or in the head's hidden layer."""
        return self.projection_(features) if self.pca is not None else self.head_(features)

    def identity(self) -> dict[str, Any]:
        """Weights' digest, preparation, precision and library versions."""
        if self.whiten and self.pca is None:
            raise ValueError(
                "whiten needs the key 'pca', the number of components to scale to equal variance"
            )
        if self.pca is not None and self.finetune is not None:
            raise ValueError(
                "pca and finetune exclude each other: components are of frozen features"
            )
        if self.gives_inputs:
            self._check_trainable()
        return {
            **self.chosen().identity(),
            "precision": chosen_precision(self.precision).identity(),
            "libraries": versions("torch", "pillow", library(self.model), *self._drawing()),
        }

    def _drawing(self) -> list[str]:
        """Libraries that draw augmented views, and the rows by which fine-tuning stops."""
        return ["numpy"] * (self.augment is not None or self.finetune is not None)

    def _check_trainable(self) -> None:
        """Raise ValueError for parameters that change the features behind the network."""
        wrong = [name for name in ("pca", "finetune", "layer") if getattr(self, name) is not None]
        wrong += ["pooling"] if self.pooling != "model" else []
        wrong += (
            ["augment: {test_views: true}"]
            if self.augment is not None and self.augment.test_views
            else []
        )
        if wrong:
            raise ValueError("where the network is trained with the fusion it gives what enters its own classifier: "
                             f"leave out {', '.join(wrong)}")

    def network(self, unfreeze: Unfreeze, inputs: Block) -> TrainableNetwork:
        """See Encoder.network; with `augment`, every step sees a new view of each picture."""
        from features.networks.trainable import picture_network

        self._check_trainable()
        return picture_network(self.chosen(), self.augment, unfreeze)

    def chosen(self) -> Pretrained:
        """The weights, and the preparation with what the parameters replace."""
        chosen = pretrained(self.model, self.weights)
        own = chosen.preparation
        size = self.size or own.size
        share = own.size / own.shorter_side if self.crop is None and own.shorter_side else self.crop
        replaced = {
            "size": size,
            # Rounded so that the model's own share gives its own side again.
            "shorter_side": None if share in (None, "none") else int(size / float(share) + 1e-6),
            "interpolation": self.interpolation or own.interpolation,
            "mean": tuple(self.mean or own.mean),
            "std": tuple(self.std or own.std),
        }
        return with_preparation(chosen, **replaced)

    def transform(self, samples: Sequence[bytes]) -> Block:
        """Encode m picture files (bytes): float32 (m, d), or (m, t, d) with all t regions present.

        With k augmented views of each picture there are m (1 + k) rows: see Block.augmented.

        Raises
        ------
        features.pictures.images.UnreadablePicture
            For a file that does not decode, naming its position.
        FileNotFoundError
            Where the weights are neither in torch's cache folder nor can be downloaded.
        """
        rows = joined([piece[self.output] for piece in self.pieces(samples, [self.output])])
        return replace(
            rows, index=rows.index[: len(samples)], augmented=self.augmented, averaged=self.averaged
        )

    def shown(self, samples: Sequence[bytes]) -> PixelArray:
        """See Encoder.shown: what is left of each picture after the network's resize and crop."""
        preparation = self.chosen().preparation
        return np.stack([preparation.prepared(picture) for picture in samples])

    def pieces(
        self, samples: Sequence[bytes], outputs: Sequence[str | None]
    ) -> Iterator[dict[str | None, Block]]:
        """See Encoder.pieces: a batch of pictures each, all outputs from one pass through the network."""
        if "pixels" in outputs:  # no pass through the network at all
            yield from self._pixels(samples)
            outputs = [output for output in outputs if output != "pixels"]
            if not outputs:
                return
        stage = self.frozen_stage()
        if stage is not None:  # what was learned belongs to this encoder's own output
            for piece in stage.pieces(samples, outputs):
                yield {output: self.transform_features(block) for output, block in piece.items()}
            return
        from features.networks.inference import encoded
        from features.networks.tapped import network

        net = self.net_ if self.finetune else network(
            self.chosen(), self.layer, self.pooling, chosen_precision(self.precision))
        names = [str(output) for output in outputs]
        self._check(net, names)
        pictures = with_views(samples, self.augment, self.random_state)
        if not len(pictures):
            yield {
                name: _block(np.empty((0, *net.shapes[name]), dtype=np.float32)) for name in names
            }
        for features in encoded(net, pictures, names):
            yield {name: _block(features[name]) for name in names}

    def _pixels(self, samples: Sequence[bytes]) -> Iterator[dict[str | None, Block]]:
        preparation = self.chosen().preparation
        if not len(samples):
            side = preparation.size
            yield {"pixels": Block.of(np.zeros((0, side, side, 3), dtype=np.uint8), encoder=self)}
        for _, pixels in batches(samples, preparation, PREPARED_AT_ONCE):
            yield {"pixels": Block.of(pixels, encoder=self)}

    def _check(self, net: Network, outputs: Sequence[str]) -> None:
        missing = [output for output in outputs if output not in net.shapes]
        if missing:
            raise ValueError(f"layer {self.layer} of {self.model} gives one vector for each picture, so there are no "
                             f"{missing[0]}: name a layer that gives a map or tokens")


def _block(values: FloatArray) -> Block:
    """Pooled vectors (m, d), or regions (m, t, d), all of them there."""
    return Block.of(values, np.ones(values.shape[:2], dtype=bool) if values.ndim == 3 else None)
