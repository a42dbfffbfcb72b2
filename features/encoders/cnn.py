"""CNN: pictures as features of a network trained on ImageNet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field

from features.block import Block, Form, Modality, joined
from features.encoder import Targets
from features.encoders.pretrained_pictures import PretrainedPictures
from features.machine.precision import Precision, chosen_precision
from features.networks.catalogue import known_model
from features.networks.finetuning import Finetune, Head
from features.pictures.augmentation import Augment, with_copies
from features.pictures.blocks import no_pictures, picture_block, pixel_blocks
from features.pictures.preparation import Channels
from features.pictures.resizing import Interpolation
from features.principal_components import PrincipalComponents

if TYPE_CHECKING:
    from torch import nn

    from features.networks.inference.feature_extractor import FeatureExtractor


@dataclass(kw_only=True, eq=False, repr=False)
class CNN(PretrainedPictures):
    """Features of a pretrained picture network, read off inside it.

    Learns nothing, unless with `pca` or `finetune`. With `augment`, training sets also hold
    augmented copies of their pictures, as further samples of the class.

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
        `augment`, it trains on the copies, too.
    augment : keys copies, crop, flip, colour and test_copies: see
        features.pictures.augmentation.Augment. Where the network is trained with what is built on
        it (end_to_end), every step sees a new copy, and `copies` does not count.
    random_state : seed of the augmented copies and of fine-tuning.

    Attributes
    ----------
    components_ : PrincipalComponents learned from the training samples; only with `pca`.
    head_ : Head learned from them; only with finetune: {unfreeze: head}.
    net_, weights_, history_ : the tuned network, its weights by name, and the losses of each epoch;
        only with other forms of finetune.

    See Also
    --------
    features.networks.inference.feature_extractor.FeatureExtractor : where features are read off.
    """

    modality: ClassVar[Modality] = "image"
    version: ClassVar[int] = 3
    forms: ClassVar[dict[Form, str | None]] = {
        "pooled": "pooled", "sequence": "regions", "inputs": "pixels"}

    model: Annotated[str, AfterValidator(known_model)] = "efficientnet_lite0"
    weights: str | Path = "default"
    pooling: Literal["model", "avg", "max", "gem"] = "model"
    layer: str | None = None
    size: Annotated[int, Field(ge=8)] | None = None
    crop: Annotated[float, Field(gt=0, le=1)] | Literal["none"] | None = None
    interpolation: Interpolation | None = None
    mean: Channels | None = None
    std: Channels | None = None
    precision: Precision = "auto"
    pca: Annotated[int, Field(ge=1)] | None = None
    whiten: bool = False
    finetune: Finetune | None = None
    output: Literal["pooled", "regions", "pixels"] = "pooled"
    augment: Augment | None = None
    random_state: int = 0

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
        """How many augmented copies of each picture there are."""
        return self.augment.copies if self.augment and not self.gives_inputs else 0

    @property
    def averaged(self) -> bool:
        """Whether predictions are averaged over a picture and its copies."""
        return self.augment is not None and self.augment.test_copies

    def frozen_stage(self) -> CNN | None:
        """The same without the components, or the head, that are learned on frozen features."""
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
            self.components_ = PrincipalComponents.learned(features, self.pca, self.whiten)
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
        from features.training.torch_state import arrays_of

        pictures = with_copies(samples, self.augment, self.random_state)
        chosen = self.chosen()
        net, self.history_ = tuned(
            chosen, pictures, targets, self.finetune, self.augmented, self.random_state
        )
        self.weights_ = arrays_of(net)
        self.net_ = self._extractor(net)
        return self

    def _extractor(self, net: nn.Module) -> FeatureExtractor:
        from features.networks.inference.feature_extractor import FeatureExtractor

        return FeatureExtractor(
            net, self.chosen(), self.layer, self.pooling, chosen_precision(self.precision)
        )

    @cached_property
    def net_(self) -> FeatureExtractor:
        """The tuned network, made again from its weights where it was tuned elsewhere."""
        from features.networks.building import build
        from features.training.torch_state import with_arrays

        blank = build(replace(self.chosen(), weights="random", path=None)).eval()
        return self._extractor(with_arrays(blank, self.weights_).requires_grad_(False))

    def transform_features(self, features: Block) -> Block:
        """The features in the components, (m, [t,] pca), or in the head's hidden layer."""
        return self.components_(features) if self.pca is not None else self.head_(features)

    def transform(self, samples: Sequence[bytes]) -> Block:
        """Encode m picture files (bytes): float32 (m, d), or (m, t, d) with all t regions present.

        With k augmented copies of each picture there are m (1 + k) rows: see Block.augmented.

        Raises
        ------
        features.pictures.decoding.UnreadablePicture
            For a file that does not decode, naming its position.
        FileNotFoundError
            Where the weights are neither in torch's cache folder nor can be downloaded.
        """
        rows = joined([piece[self.output] for piece in self.pieces(samples, [self.output])])
        return replace(
            rows, index=rows.index[: len(samples)], augmented=self.augmented, averaged=self.averaged
        )

    def pieces(
        self, samples: Sequence[bytes], outputs: Sequence[str | None]
    ) -> Iterator[dict[str | None, Block]]:
        """See Encoder.pieces: a batch of pictures each; one pass gives all outputs."""
        if "pixels" in outputs:  # no pass through the network at all
            for block in pixel_blocks(samples, self.chosen().preparation, self):
                yield {"pixels": block}
            outputs = [output for output in outputs if output != "pixels"]
            if not outputs:
                return
        stage = self.frozen_stage()
        if stage is not None:  # what was learned belongs to this encoder's own output
            for piece in stage.pieces(samples, outputs):
                yield {output: self.transform_features(block) for output, block in piece.items()}
            return
        from features.networks.inference.encoding import encoded
        from features.networks.inference.feature_extractor import feature_extractor

        net = self.net_ if self.finetune else feature_extractor(
            self.chosen(), self.layer, self.pooling, chosen_precision(self.precision))
        names = [str(output) for output in outputs]
        self._check(net, names)
        pictures = with_copies(samples, self.augment, self.random_state)
        if not len(pictures):
            yield no_pictures(net.shapes, names)
        for features in encoded(net, pictures, names, self.exact):
            yield {name: picture_block(features[name]) for name in names}

    def _check(self, net: FeatureExtractor, outputs: Sequence[str]) -> None:
        missing = [output for output in outputs if output not in net.shapes]
        if missing:
            raise ValueError(
                f"layer {self.layer} of {self.model} gives one vector for each picture, so there "
                f"are no {missing[0]}: name a layer that gives a map or tokens"
            )
