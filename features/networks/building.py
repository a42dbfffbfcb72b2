"""Building picture networks in torch, with their weights and classification heads.

Importing this module imports torch.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from features.machine.reachable import why_unreachable
from features.networks.catalogue import LITE0, TIMM, library, listed
from features.networks.checkpoint import load_checkpoint, read_checkpoint
from features.networks.pretrained import Pretrained

RANDOM_SEED = 0  # of random weights


def build(chosen: Pretrained) -> nn.Module:
    """The whole network with its weights and its classification head, float32 on the CPU.

    Raises
    ------
    ValueError
        Where the weights do not fit the network; with all that differs.
    FileNotFoundError
        Where torchvision's weights are neither in torch's cache folder nor can be downloaded.
    """
    make = _torchvision
    if library(chosen.model) == "timm":
        make = _lite0 if chosen.model == LITE0 else _timm
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # Some torchvision builders warn about their own defaults for initial weights.
        warnings.simplefilter("ignore")
        torch.manual_seed(RANDOM_SEED)
        net = make(chosen)
    if chosen.weights == "file" and chosen.path is not None:
        load_checkpoint(net, chosen.path, chosen.model)
    return net


def _lite0(chosen: Pretrained) -> nn.Module:
    import timm

    net: nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    if chosen.weights == "default" and chosen.path is not None:
        net.load_state_dict(_renamed(read_checkpoint(chosen.path), net.state_dict(), chosen))
    return net


def _renamed(
    stored: dict[str, Tensor], expected: dict[str, Tensor], chosen: Pretrained
) -> dict[str, Tensor]:
    """Entries of `stored` under the names of `expected`, which lists the same layers in order."""
    stored_kinds, expected_kinds = _kinds(stored), _kinds(expected)
    if stored_kinds != expected_kinds:
        differing = sum(a != b for a, b in zip(stored_kinds, expected_kinds, strict=False))
        raise ValueError(
            f"the weights in {chosen.path} do not fit timm's tf_efficientnet_lite0: "
            f"{len(stored_kinds)} entries for {len(expected_kinds)}, {differing} of different kind "
            "or shape; the package or timm has changed"
        )
    return dict(zip(expected, stored.values(), strict=True))


def _kinds(entries: dict[str, Tensor]) -> list[tuple[str, tuple[int, ...]]]:
    """Each entry's kind (weight, bias, running_mean, ...), named alike in both, and its shape."""
    return [(name.rpartition(".")[2], tuple(entry.shape)) for name, entry in entries.items()]


def _timm(chosen: Pretrained) -> nn.Module:
    import timm

    name = chosen.model.removeprefix(TIMM).partition(".")[0]
    usual_size = next(iter(listed(chosen.model).values())).preparation.size
    fixed = getattr(
        timm.get_pretrained_cfg(name, allow_unregistered=True), "fixed_input_size", False
    )
    size: dict[str, Any] = {}
    if fixed and chosen.preparation.size != usual_size:
        size["img_size"] = chosen.preparation.size
    if chosen.weights in ("random", "file") or chosen.path is None:
        net: nn.Module = timm.create_model(name, pretrained=False, **size)
        return net
    # timm renames old files' entries itself; the file is read here, where no pickled code can run.
    stored = read_checkpoint(chosen.path)
    return timm.create_model(
        f"{name}.{chosen.weights}" if chosen.weights != "default" else name,
        pretrained=True,
        pretrained_cfg_overlay={"state_dict": stored},
        **size,
    )


def _torchvision(chosen: Pretrained) -> nn.Module:
    models: Any = import_module("torchvision.models")
    if chosen.weights in ("random", "file") or chosen.path is None:
        net: nn.Module = models.get_model(chosen.model, weights=None)
        return net
    url = models.get_model_weights(chosen.model)[chosen.weights].url
    reason = ""
    if chosen.path.exists():
        chosen.check_file()
    else:
        reason = why_unreachable(url)
    try:
        if not reason:
            net = models.get_model(chosen.model, weights=chosen.weights, progress=False)
    except OSError as error:
        reason = str(error) or type(error).__name__
    if reason:
        raise FileNotFoundError(
            f"the weights of {chosen.model} are not on this machine and cannot be downloaded "
            f"({reason}): put {url} at {chosen.path}"
        )
    return net
