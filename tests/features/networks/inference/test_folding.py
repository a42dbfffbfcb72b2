"""Folded networks compute the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from features.networks.inference.folding import folded
from tests.support.picture_networks import Branching

pytestmark = pytest.mark.usefixtures("one_thread")


def norms(net: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in net.modules())


def test_folded_networks_compute_the_same_without_normalisations() -> None:
    from torchvision import models

    torch.manual_seed(0)
    images = torch.randn(2, 3, 64, 64)
    net = models.mobilenet_v3_small().eval()
    for module in net.modules():  # as after training
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias), nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    changed = folded(net, images)
    assert norms(net) == 34
    assert norms(changed) == 0
    np.testing.assert_allclose(changed(images).detach(), net(images).detach(), rtol=1e-3, atol=1e-4)


def test_what_cannot_be_folded_stays_as_it_is() -> None:
    net = Branching().eval()
    assert folded(net, torch.randn(1, 3, 8, 8)) is net
    shared = nn.Sequential(conv := nn.Conv2d(3, 3, 1), norm := nn.BatchNorm2d(3), conv, norm).eval()
    assert norms(folded(shared, torch.randn(1, 3, 8, 8))) == 1
    plain = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)).eval()
    assert norms(folded(plain, torch.randn(1, 3, 8, 8), needed=["0"])) == 1
