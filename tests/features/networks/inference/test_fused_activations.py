"""Convolutions that compute the activation behind them give the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from features.networks.inference.folding import folded
from features.networks.inference.fused_activations import ActivatedConvolution, fused
from tests.support.picture_networks import Branching

pytestmark = pytest.mark.usefixtures("one_thread")


def activated(net: nn.Module) -> int:
    return sum(isinstance(module, ActivatedConvolution) for module in net.modules())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("activation", [nn.ReLU(), nn.ReLU6(), nn.Hardtanh(-0.5, 0.25), nn.SiLU()])
def test_convolutions_compute_the_activation_behind_them(
    activation: nn.Module, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 32, 3, 2, 1), activation, nn.Conv2d(32, 32, 3, padding=1, groups=32), nn.Tanh()
    )
    net = net.eval().to(dtype).to(memory_format=torch.channels_last)
    images = 3 * torch.randn(2, 3, 20, 20).to(dtype).to(memory_format=torch.channels_last)
    changed = fused(net, images)
    assert (activated(changed), activated(net)) == (1, 0)
    eps = torch.finfo(dtype).eps
    np.testing.assert_allclose(
        changed(images).detach().float(), net(images).detach().float(), rtol=eps, atol=2 * eps
    )


@pytest.mark.parametrize("side", [64, 75, 96])
def test_padding_as_tensorflow_pads_stays_what_it_is(side: int) -> None:
    import timm

    torch.manual_seed(0)
    net = timm.create_model("tf_efficientnet_lite0").eval()
    images = torch.randn(2, 3, side, side)
    changed = fused(folded(net, images), images)
    assert activated(changed) == 33  # all but the sixteen that have no activation
    with torch.inference_mode():
        np.testing.assert_allclose(changed(images), net(images), rtol=1e-3, atol=1e-4)


def test_an_activation_of_what_is_needed_or_used_elsewhere_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = torch.randn(1, 3, 8, 8)
    first = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Identity())
    net = nn.Sequential(first, nn.ReLU(), nn.Conv2d(4, 4, 1), nn.ReLU()).eval()
    needed = ([], ["0"], ["0.1"], ["1"], ["2"])
    assert [activated(fused(net, images, names)) for names in needed] == [2, 1, 1, 2, 1]
    branching = Branching().eval()
    branching.norm = nn.ReLU()
    assert fused(branching, images) is branching

    def unknown(*_: object) -> None:
        raise RuntimeError("no such kernel here")

    monkeypatch.setattr(ActivatedConvolution, "forward", unknown)
    assert fused(net, images) is net
