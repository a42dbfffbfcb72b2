"""Which picture networks and weights there are, and how each wants its pictures.

They come from pip, torchvision and timm. The last two are imported only where no cache (see
`features.machine.facts`) has the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any

from features.machine.extras import is_installed
from features.machine.facts import cached_fact
from features.machine.identity import versions
from features.machine.nearest import nearest_few
from features.networks.names import cannot_be, written_names
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
    return cached_fact(question, "weights", lambda: ask(model), _by_name)


def _by_name(weights: Sequence[dict[str, Any]]) -> dict[str, Listed]:
    known = {str(entry["name"]): _from_json(entry) for entry in weights}
    if not known:
        raise ValueError("no weights are listed")
    return known


def library(model: str) -> str:
    """Name of the package that builds the network."""
    return "timm" if model == LITE0 or model.startswith(TIMM) else "torchvision"


def known_model(name: str) -> str:
    """The name itself. It is taken as it is where the library that would know it is not here.

    Raises
    ------
    ValueError
        Where there is no network of that name, with the nearest names.
    """
    if is_installed(library(name)):
        listed(name)
    return name


def model_names() -> list[str]:
    """Names of all picture networks: EfficientNet-Lite0, torchvision's, then timm's."""
    torchvision, timm = (written_names(library)[0] for library in ("torchvision", "timm"))
    return [LITE0, *torchvision, *(TIMM + name for name in timm)]


def _unknown(model: str) -> ValueError:
    return ValueError(
        f"model must be {LITE0}, a torchvision classification model or {TIMM}NAME for one of "
        f"timm's, not {model!r}{nearest_few(model, model_names())}"
    )


def _ask_torchvision(model: str) -> list[dict[str, Any]]:
    if cannot_be("torchvision", model):
        raise _unknown(model)
    from torchvision import models

    if model not in models.list_models(module=models):
        raise _unknown(model)
    known = models.get_model_weights(model)
    names = list(known.__members__)
    # DEFAULT is an alias: its own name says which weights it stands for.
    ordered = dict.fromkeys([known["DEFAULT"].name, *names]) if names else {}
    weights = [_of_torchvision(name, known[name]) for name in ordered if name != "DEFAULT"]
    return list(map(asdict, weights or [Listed("random", "", None, USUAL)]))


def _of_torchvision(name: str, weights: Any) -> Listed:
    return Listed(name, weights.url, None, _torchvision_preparation(weights.transforms()))


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
    name, _, tag = model.removeprefix(TIMM).partition(".")
    if cannot_be("timm", name):
        raise _unknown(TIMM + name)
    timm: Any = import_module("timm")
    if not timm.is_model(name):
        raise _unknown(model)
    configurations = timm.models.get_arch_pretrained_cfgs(name)
    tags = [configuration.tag for configuration in configurations.values()]
    if tag and tag not in tags:
        names = [f"{model.partition('.')[0]}.{other}" for other in tags if other]
        raise ValueError(f"model {model!r}: {name} has no such weights{nearest_few(model, names)}")
    first = timm.get_pretrained_cfg(f"{name}.{tag}" if tag else name)
    ordered = sorted(configurations.values(), key=lambda other: other.tag != first.tag)
    weights = [
        _of_timm(configuration)
        for configuration in ordered
        if configuration.has_weights and not configuration.custom_load
    ]
    untrained = Listed("random", "", None, _timm_preparation(first))
    return list(map(asdict, weights or [untrained]))


def _of_timm(configuration: Any) -> Listed:
    hub = (configuration.hf_hub_id, configuration.hf_hub_filename or "model.safetensors")
    return Listed(configuration.tag or "default", configuration.url or "",
                  hub if configuration.hf_hub_id else None, _timm_preparation(configuration))


def _timm_preparation(configuration: Any) -> Preparation:
    resolve = import_module("timm.data").resolve_data_config
    wishes = resolve(pretrained_cfg=configuration.to_dict())
    size = int(wishes["input_size"][-1])
    shorter_side = None if wishes["crop_mode"] == "squash" else int(size / wishes["crop_pct"])
    filter_: Interpolation = (
        wishes["interpolation"] if wishes["interpolation"] in ("bilinear", "bicubic") else "bicubic"
    )
    return Preparation(size, shorter_side, filter_, _three(wishes["mean"]), _three(wishes["std"]))


def _three(values: Iterable[float]) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue


def _from_json(entry: dict[str, Any]) -> Listed:
    """`asdict` turned round; JSON has made lists of the tuples."""
    values = entry["preparation"]
    channels = {"mean": _three(values["mean"]), "std": _three(values["std"])}
    hub = None if entry["hub"] is None else (entry["hub"][0], entry["hub"][1])
    return Listed(entry["name"], entry["url"], hub, Preparation(**{**values, **channels}))
