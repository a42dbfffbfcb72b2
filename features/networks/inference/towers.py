"""The two halves of a network that was trained on pairs of a picture and a text (CLIP, SigLIP).

Sentence-transformers loads them; importing this module imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from features.block import FloatArray
from features.networks.feature_maps import positions_of
from features.networks.inference.feature_extractor import batch_size_of, full_precision
from features.networks.inputs import arrays_of, network_inputs, scale_and_shift
from features.pictures.preparation import PixelArray, Preparation
from features.pictures.resizing import Interpolation
from features.texts.sentence_models import loaded

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

SENTENCE = "sentence_embedding"  # how the library calls the vector of a picture, too
FILTERS: dict[int, Interpolation] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
# A mean difference of normalised values beyond which pictures are not prepared alike: rounding to
# eight bits gives .003, another crop or other means .1 and more.
ALIKE = 0.03


class PictureTower:
    """The half that reads pictures.

    Parameters
    ----------
    net : the pair.
    name : what errors call it.

    Attributes
    ----------
    shapes : of one picture's features, (d,) for "pooled" and (t, d) for "regions".

    Raises
    ------
    ValueError
        For a network that is no such pair, or prepares its pictures in another way than by a
        square of one size.
    """

    rounds_by_batch = True

    def __init__(self, net: SentenceTransformer, name: str) -> None:
        module: Any = net[0]
        entry = getattr(module, "modality_config", {}).get("image", {})
        if entry.get("method") != "get_image_features" or module.module_output_name != SENTENCE:
            raise ValueError(
                f"model {name} has no half that makes one vector of a picture: take a pair such as "
                "CLIP's or SigLIP's"
            )
        self._net, self._module = net, module
        self.device = torch.device(net.device)
        self._dtype = next(module.model.parameters()).dtype
        self.preparation = preparation_of(module.processor.image_processor, name)
        self._scale, self._shift = scale_and_shift(self.preparation, self.device)
        self.batch_size = batch_size_of(self.preparation.size, self.device)
        self.shapes = {
            output: values.shape[1:]
            for output, values in self(self._black(), ["pooled", "regions"]).items()
        }

    def _black(self) -> PixelArray:
        return np.zeros((1, self.preparation.size, self.preparation.size, 3), dtype=np.uint8)

    def __call__(self, pixels: PixelArray, outputs: Sequence[str]) -> dict[str, FloatArray]:
        """See features.networks.inference.encoding.PictureNetwork."""
        return arrays_of(self.features(torch.from_numpy(pixels).to(self.device), outputs))

    def features(self, pixels: Tensor, outputs: Sequence[str]) -> dict[str, Tensor]:
        """See features.networks.inference.encoding.PictureNetwork."""
        with torch.inference_mode(), full_precision():
            inputs = network_inputs(pixels, self._scale, self._shift).to(self._dtype)
            read = self._module.model.get_image_features(pixel_values=inputs.contiguous())
            by_output = {
                "pooled": _through_the_rest(self._net, read.pooler_output),
                "regions": positions_of(read.last_hidden_state, None),
            }
        return {output: by_output[output].float() for output in outputs}


def token_vectors(
    net: SentenceTransformer, texts: list[str], padding: Mapping[str, Any]
) -> tuple[FloatArray, FloatArray]:
    """Vectors (n, d) of n texts by the half that reads texts, and those of its tokens (n, t, e).

    Parameters
    ----------
    padding : what the library is told of it.
    """
    module: Any = net[0]
    with torch.inference_mode():
        given = net.preprocess(texts, **padding)
        inputs = {
            name: given[name].to(net.device)
            for name in ("input_ids", "attention_mask")
            if name in given
        }
        read = module.model.get_text_features(**inputs)
        vectors = _through_the_rest(net, read.pooler_output)
    return vectors.float().cpu().numpy(), read.last_hidden_state.float().cpu().numpy()


def _through_the_rest(net: SentenceTransformer, vectors: Tensor) -> Tensor:
    """What the library's further steps make of the network's vectors (n, d)."""
    features: dict[str, Any] = {SENTENCE: vectors}
    for step in list(net)[1:]:
        features = step(features)
    result: Tensor = features[SENTENCE]
    return result


def preparation_of(processor: Any, name: str) -> Preparation:
    """How a processor of transformers prepares pictures, as a Preparation.

    Raises
    ------
    ValueError
        For a processor that no Preparation is like; the model's `name` is in it.
    """
    settings = processor.to_dict()
    size, crop = dict(settings.get("size") or {}), dict(settings.get("crop_size") or {})
    shorter_side = size.get("shortest_edge")
    side = size.get("height") if shorter_side is None else crop.get("height", shorter_side)
    normalised = settings.get("do_normalize", True)
    preparation = Preparation(
        int(side or 0),
        shorter_side,
        FILTERS.get(int(settings.get("resample", 3)), "bicubic"),
        tuple(settings["image_mean"]) if normalised else (0.0, 0.0, 0.0),
        tuple(settings["image_std"]) if normalised else (1.0, 1.0, 1.0),
    )
    if not side or not _is_like(preparation, processor):
        raise ValueError(
            f"model {name} prepares pictures in a way of its own ({type(processor).__name__}): "
            "take one that reads a square of one size, as CLIP's and SigLIP's do"
        )
    return preparation


def _is_like(preparation: Preparation, processor: Any) -> bool:
    """Whether both make the same of a picture that is neither square nor alike everywhere."""
    across, down = np.meshgrid(np.linspace(0, 255, 96), np.linspace(0, 255, 64))
    picture = Image.fromarray(np.dstack([across, down, (across + down) / 2]).astype(np.uint8))
    expected = np.asarray(processor(images=[picture], return_tensors="np")["pixel_values"])
    pixels = torch.from_numpy(preparation.pixels(picture)[None])
    inputs = network_inputs(pixels, *scale_and_shift(preparation)).numpy()
    return expected.shape == inputs.shape and float(np.abs(expected - inputs).mean()) < ALIKE


@lru_cache(maxsize=1)
def picture_tower(folder: Path, precision: str) -> PictureTower:
    """The half for pictures of the model in a folder; the last one stays in memory."""
    return PictureTower(loaded(folder, None, precision), folder.name)
