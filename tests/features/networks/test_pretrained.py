"""How a network wants its pictures, and what replaces that."""

from __future__ import annotations

import pytest

from features.encoders.cnn import CNN
from tests.support.picture_networks import photographs

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return photographs()


def shorter_side(**parameters: object) -> int | None:
    return CNN(weights="random", **parameters).chosen().preparation.shorter_side


def test_the_preparation_is_the_models_own_unless_it_is_replaced() -> None:
    usual = CNN(model="resnet50", weights="random").chosen().preparation
    assert (usual.size, usual.shorter_side, usual.interpolation) == (224, 232, "bilinear")
    replaced = CNN(
        model="resnet50",
        weights="random",
        size=112,
        interpolation="bicubic",
        mean=(0, 0, 0),
        std=(1, 1, 1),
    )
    changed = replaced.chosen().preparation
    assert (changed.size, changed.shorter_side, changed.interpolation) == (112, 116, "bicubic")
    assert (changed.mean, changed.std) == ((0, 0, 0), (1, 1, 1))
    assert shorter_side(model="resnet50", crop=0.5) == 448
    assert shorter_side(model="resnet50", crop="none") is None
    assert shorter_side() is None
    assert shorter_side(crop=1.0) == 224
    identities = [
        CNN(model="resnet50", weights="random", **parameters).identity()
        for parameters in (
            {},
            {"size": 112},
            {"crop": 0.5},
            {"crop": "none"},
            {"interpolation": "bicubic"},
            {"mean": (0, 0, 0)},
            {"std": (1, 1, 1)},
        )
    ]
    assert len({str(identity) for identity in identities}) == len(identities)


def test_a_size_that_a_network_cannot_take_is_named(pictures: list[bytes]) -> None:
    with pytest.raises(ValueError, match="model vit_b_32 cannot take pictures of 64 x 64 pixels"):
        CNN(model="vit_b_32", weights="random", size=64).transform(pictures)
    fitting = CNN(model="timm/test_vit", weights="random", size=80)
    assert fitting.transform(pictures).array().shape == (6, 64)
