"""CLIP: pictures and texts as vectors of two halves that were trained together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from features.block import Block, FloatArray, Form, Modality, joined, unit_rows
from features.encoder import Encoder
from features.encoders.sentence_bert import Piece, SentenceBert, sequences
from features.machine.identity import versions
from features.machine.precision import Precision, chosen_precision
from features.pictures.blocks import no_pictures, picture_block
from features.pictures.meaning import VERSION as DECODING
from features.pictures.preparation import PixelArray
from features.texts.sentence_models import model_folder, model_identity, reads_pictures, space_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from features.networks.inference.towers import PictureTower

MODEL = "clip-ViT-B-32"
# Much used pairs that have learned from English texts alone.
ENGLISH = frozenset(
    {"clip-ViT-B-32", "clip-ViT-B-16", "clip-ViT-L-14", "clip-vit-base-patch32",
     "clip-vit-base-patch16", "clip-vit-large-patch14", "clip-vit-large-patch14-336",
     "CLIP-ViT-B-32-laion2B-s34B-b79K", "CLIP-ViT-L-14-laion2B-s32B-b82K",
     "CLIP-ViT-H-14-laion2B-s32B-b79K", "siglip-base-patch16-224", "siglip-so400m-patch14-384"})


@dataclass(kw_only=True, eq=False, repr=False)
class CLIPImage(Encoder):
    """Vectors of pictures in a space that they share with texts (CLIP: Radford et al. 2021).

    The half for pictures of a network that was trained on pairs of a picture and a text; CLIPText
    is the other one. What both make of the same model can be compared by its cosine, with nothing
    learned. Learns nothing.

    Parameters
    ----------
    model : of sentence-transformers or transformers, a pair such as CLIP's or SigLIP's (Zhai et al.
        2023): "clip-ViT-B-32", "openai/clip-vit-large-patch14", "google/siglip2-base-patch16-224";
        a name on the Hugging Face hub or a folder, see SentenceBert.
    normalise : whether vectors are scaled to unit length.
    precision : see SentenceBert.
    output : "pooled" for (n, d), in the shared space; "regions" for (n, t, d), the last layer's
        vectors of the patches, which are in no shared space.
    """

    modality: ClassVar[Modality] = "image"
    version: ClassVar[int] = 1
    forms: ClassVar[dict[Form, str | None]] = {"pooled": "pooled", "sequence": "regions"}

    model: str = MODEL
    normalise: bool = True
    precision: Precision = "float32"
    output: Literal["pooled", "regions"] = "pooled"

    @property
    def shared_space(self) -> str:
        """See Encoder.shared_space."""
        return space_of(self.model)

    @property
    def requires(self) -> tuple[str, ...]:
        """See Estimator.requires."""
        return ("torch", "torchvision", "sentence_transformers")

    def identity(self) -> dict[str, Any]:
        """Digest of the model's files, library versions, decoding, and the precision here.

        Raises
        ------
        FileNotFoundError
            Where the model is neither on this machine nor can be downloaded.
        ValueError
            For a model that reads no pictures.
        """
        folder = model_folder(self.model)
        if not reads_pictures(folder):
            raise ValueError(
                f"model {self.model} reads no pictures: take a pair such as {MODEL}, or another "
                "picture encoder"
            )
        return {
            **model_identity(folder, chosen_precision(self.precision)),
            "decoding": DECODING,
            "pictures": versions("pillow", "torchvision"),
        }

    def transform(self, samples: Sequence[bytes]) -> Block:
        """Encode m picture files (bytes): float32 (m, d), or (m, t, d) with all t regions present.

        Raises
        ------
        features.pictures.decoding.UnreadablePicture
            For a file that does not decode, naming its position.
        FileNotFoundError
            Where the model is neither on this machine nor can be downloaded.
        """
        return joined([piece[self.output] for piece in self.pieces(samples, [self.output])])

    def pieces(
        self, samples: Sequence[bytes], outputs: Sequence[str | None]
    ) -> Iterator[dict[str | None, Block]]:
        """See Encoder.pieces: a batch of pictures each; one pass gives all outputs."""
        from features.networks.inference.encoding import encoded

        tower, names = self._tower(), [str(output) for output in outputs]
        if not len(samples):
            yield no_pictures(tower.shapes, names)
        for features in encoded(tower, samples, names, self.exact):
            if self.normalise and "pooled" in features:
                features["pooled"] = unit_rows(features["pooled"])
            yield {name: picture_block(features[name]) for name in names}

    def shown(self, samples: Sequence[bytes]) -> PixelArray:
        """See Encoder.shown: what is left of each picture after the model's resize and crop."""
        preparation = self._tower().preparation
        return np.stack([preparation.prepared(picture) for picture in samples])

    def _tower(self) -> PictureTower:
        from features.networks.inference.towers import picture_tower

        return picture_tower(model_folder(self.model), chosen_precision(self.precision).name)


@dataclass(kw_only=True, eq=False, repr=False)
class CLIPText(SentenceBert):
    """Vectors of texts in a space that they share with pictures: see CLIPImage.

    Learns nothing. Texts longer than the model reads (77 tokens of CLIP, 64 of SigLIP) are cut off,
    and counted.

    Parameters
    ----------
    model : see CLIPImage; also "clip-ViT-B-32-multilingual-v1", which puts texts in some fifty
        languages into the space of clip-ViT-B-32 (Reimers and Gurevych 2020).
    prompt, max_tokens : see SentenceBert. Names of classes are recognised better as sentences, say
        prompt: "a photo of a " with a blank at its end.
    normalise, precision : see CLIPImage.
    output : "sentence" for (n, d), in the shared space; "tokens" for (n, t, d), the last layer's
        vectors, which are in no shared space.
    """

    version: ClassVar[int] = 2
    forms: ClassVar[dict[Form, str | None]] = {"pooled": "sentence", "sequence": "tokens"}
    english: ClassVar[frozenset[str]] = ENGLISH
    multilingual: ClassVar[str] = "clip-ViT-B-32-multilingual-v1"

    model: str = MODEL
    output: Literal["sentence", "tokens"] = "sentence"

    @property
    def shared_space(self) -> str:
        """See Encoder.shared_space."""
        return space_of(self.model)

    def _encoded(
        self, net: SentenceTransformer, piece: Piece, tokens: bool, longest: int
    ) -> dict[str | None, Block]:
        """See SentenceBert; the library itself gives no vectors of a pair's tokens."""
        if not tokens or not hasattr(net[0].model, "get_text_features"):
            return super()._encoded(net, piece, tokens, longest)
        from features.networks.inference.towers import token_vectors

        texts = piece.texts
        lengths = [len(numbers) for numbers in self._token_ids(net, texts, cut=True)]
        sentences: list[Any] = [None] * len(texts)
        vectors: list[FloatArray] = [np.empty(0, dtype=np.float32)] * len(texts)
        for batch in self._batches(net, piece):
            prompted = [self.prompt + text for text in batch.texts]
            pooled, of_tokens = token_vectors(net, prompted, batch.padding)
            for row, position in enumerate(batch.positions):  # fillers come last
                sentences[position] = pooled[row]
                vectors[position] = of_tokens[row, : lengths[position]]
        return {
            "sentence": Block.of(self._scaled(np.stack(sentences))),
            "tokens": sequences(vectors, longest),
        }
