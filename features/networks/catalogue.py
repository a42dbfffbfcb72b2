"""Which picture networks and weights there are, and how each wants its pictures: from pip, torchvision and timm.

torchvision and timm are imported only where `features.machine.remembered` does not know the answer
yet.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any

from features.machine.facts import cached_facts
from features.machine.identity import versions
from features.pictures.preparation import Preparation
from features.pictures.resizing import Interpolation

LITE0 = "efficientnet_lite0"
TIMM = "timm/"
# The weights were converted from TensorFlow Lite: inputs are (value - 127) / 128 of 0..255, at 224
# pixels. The whole picture is squeezed into the square, by measurement: on 1,047 product photos
# (median 1.4 times longer than wide; logistic regression, 3 x 5 folds) macro-F1 is .876, against
# .865 padded with white, .860 centre-cropped from 224 and .839 from 256 pixels. Square pictures are
# the same in all but the last.
LITE0_PREPARATION = Preparation(
    size=224,
    shorter_side=None,
    interpolation="bicubic",
    mean=(127 / 255, 127 / 255, 127 / 255),
    std=(128 / 255, 128 / 255, 128 / 255),
)
# Networks without weights of their own say nothing of their pictures: ImageNet's usual form.
USUAL = Preparation(224, 256, "bilinear", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Listed:
    """One of a network's weights.

    Parameters
    ----------
    name : of the weights.
    url : where torch fetches their file; "" where there is none.
    hub : their repository on the Hugging Face hub and the file in it; None where they are not
        there.
    preparation : how they want their pictures.
    """

    name: str
    url: str
    hub: tuple[str, str] | None
    preparation: Preparation


def listed(model: str) -> dict[str, Listed]:
    """The weights of a network by name, the default first; {"random": ...} where it has none.

    Raises
    ------
    ValueError
        For an unknown network, with the nearest names.
    """
    if model == LITE0:
        return {"default": Listed("default", "", None, LITE0_PREPARATION)}
    ask = _ask_timm if model.startswith(TIMM) else _ask_torchvision
    question = {"network": model, "libraries": versions(library(model))}
    return {
        one["name"]: _from_json(one)
        for one in cached_facts(question, lambda: {"weights": ask(model)})["weights"]
    }


def library(model: str) -> str:
    """Name of the package that builds the network."""
    return "timm" if model == LITE0 or model.startswith(TIMM) else "torchvision"


def known_model(name: str) -> str:
    """The name itself, where there is a network of that name; else ValueError with the nearest names."""
    listed(name)
    return name


def model_names() -> list[str]:
    """All picture networks that can be asked for: EfficientNet-Lite0, torchvision's, then timm's."""
    import timm
    from torchvision import models

    return [
        LITE0,
        *models.list_models(module=models),
        *(TIMM + name for name in timm.list_models()),
    ]


def nearest(name: str, known: Iterable[str]) -> str:
    """End of a sentence that names the valid names nearest to `name`; empty where none is near."""
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"; nearest: {', '.join(close)}" if close else ""


def _unknown(model: str) -> ValueError:
    return ValueError(f"model must be {LITE0}, a torchvision classification model or {TIMM}NAME for one of timm's, "
                      f"not {model!r}{nearest(model, model_names())}")


def _ask_torchvision(model: str) -> list[dict[str, Any]]:
    from torchvision import models

    if model not in models.list_models(module=models):
        raise _unknown(model)
    known = models.get_model_weights(model)
    names = list(known.__members__)
    # DEFAULT is an alias: its own name says which weights it stands for.
    ordered = dict.fromkeys([known["DEFAULT"].name, *names]) if names else {}
    found = [Listed(name, known[name].url, None, _torchvision_preparation(known[name].transforms()))
             for name in ordered if name != "DEFAULT"]
    return [asdict(one) for one in found or [Listed("random", "", None, USUAL)]]


def _torchvision_preparation(transforms: Any) -> Preparation:
    """The weights' own preset (torchvision.transforms.ImageClassification) as a Preparation."""
    return Preparation(
        int(transforms.crop_size[0]),
        int(transforms.resize_size[0]),
        transforms.interpolation.value,
        _three(transforms.mean),
        _three(transforms.std),
    )


def _ask_timm(model: str) -> list[dict[str, Any]]:
    timm: Any = import_module("timm")
    name, _, tag = model.removeprefix(TIMM).partition(".")
    if not timm.is_model(name):
        raise _unknown(model)
    configurations = timm.models.get_arch_pretrained_cfgs(name)
    if tag and tag not in {one.tag for one in configurations.values()}:
        tags = [
            f"{model.partition('.')[0]}.{one.tag}" for one in configurations.values() if one.tag
        ]
        raise ValueError(f"model {model!r}: {name} has no such weights{nearest(model, tags)}")
    first = timm.get_pretrained_cfg(f"{name}.{tag}" if tag else name)
    ordered = sorted(configurations.values(), key=lambda one: one.tag != first.tag)
    found = [_of_timm(one) for one in ordered if one.has_weights and not one.custom_load]
    return [asdict(one) for one in found or [Listed("random", "", None, _timm_preparation(first))]]


def _of_timm(configuration: Any) -> Listed:
    hub = (configuration.hf_hub_id, configuration.hf_hub_filename or "model.safetensors")
    return Listed(configuration.tag or "default", configuration.url or "",
                  hub if configuration.hf_hub_id else None, _timm_preparation(configuration))


def _timm_preparation(configuration: Any) -> Preparation:
    found = import_module("timm.data").resolve_data_config(pretrained_cfg=configuration.to_dict())
    size = int(found["input_size"][-1])
    shorter_side = None if found["crop_mode"] == "squash" else int(size / found["crop_pct"])
    filter_: Interpolation = (
        found["interpolation"] if found["interpolation"] in ("bilinear", "bicubic") else "bicubic"
    )
    return Preparation(size, shorter_side, filter_, _three(found["mean"]), _three(found["std"]))


def _three(values: Iterable[float]) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue


def _from_json(one: dict[str, Any]) -> Listed:
    """`asdict` turned round; JSON has made lists of the tuples."""
    own = one["preparation"]
    preparation = Preparation(own["size"], own["shorter_side"], own["interpolation"],
                              _three(own["mean"]), _three(own["std"]))
    repository, file = one["hub"] or ("", "")
    return Listed(one["name"], one["url"], (repository, file) if repository else None, preparation)
