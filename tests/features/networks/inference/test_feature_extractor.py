"""Features read off inside a network: poolings, named layers, networks without a head."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from features.encoders.cnn import CNN
from features.networks.building import build
from features.networks.inference.feature_extractor import FeatureExtractor
from tests.support.picture_networks import photographs, small

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return photographs()


def test_poolings_are_their_formulas_over_the_regions(pictures: list[bytes]) -> None:
    regions = small(output="regions").transform(pictures).values.astype(np.float64)
    for pooling, expected in (("avg", regions.mean(axis=1)), ("max", regions.max(axis=1)),
                              ("gem", np.cbrt((regions.clip(1e-6) ** 3).mean(axis=1)))):
        pooled = small(pooling=pooling).transform(pictures).array()
        np.testing.assert_allclose(pooled, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", ["layer1", "layer2.0.bn1", "conv1.0", "global_pool"])
def test_any_named_layer_gives_what_it_computes(layer: str, pictures: list[bytes]) -> None:
    encoder = small(layer=layer)
    net, outputs = build(encoder.chosen()).eval(), []
    net.get_submodule(layer).register_forward_hook(
        lambda module, inputs, output: outputs.append(output.clone())
    )
    pixels = np.stack([encoder.chosen().preparation.prepared(picture) for picture in pictures])
    mean, std = (
        np.array(encoder.chosen().preparation.mean),
        np.array(encoder.chosen().preparation.std),
    )
    with torch.inference_mode():
        net(torch.from_numpy(((pixels / 255 - mean) / std).transpose(0, 3, 1, 2)).float())
    expected = outputs[0].numpy()
    if expected.ndim == 4:
        regions = encoder.set_params(output="regions").transform(pictures).values
        np.testing.assert_allclose(
            regions, expected.reshape(*expected.shape[:2], -1).transpose(0, 2, 1), atol=1e-4
        )
        expected = expected.mean(axis=(2, 3))
    np.testing.assert_allclose(small(layer=layer).transform(pictures).array(), expected, atol=1e-4)


def test_an_unknown_layer_is_refused_with_the_nearest(pictures: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"layer must be .*not 'layer5'; nearest: layer\d"):
        small(layer="layer5").transform(pictures)


def test_a_layer_of_vectors_has_no_regions(pictures: list[bytes]) -> None:
    with pytest.raises(
        ValueError, match="layer fc of timm/test_resnet gives one vector for each picture"
    ):
        small(layer="fc", output="regions").transform(pictures)
    assert small(layer="fc").transform(pictures).array().shape == (6, 1000)


def test_a_transformer_without_a_classifier_gives_its_own_vector(pictures: list[bytes]) -> None:
    import timm

    net = timm.create_model("test_vit", num_classes=0)
    chosen = CNN(model="timm/test_vit", weights="random").chosen()
    extractor = FeatureExtractor(net, chosen)
    pixels = np.stack([chosen.preparation.prepared(picture) for picture in pictures])
    features = extractor(pixels, ["pooled", "regions"])
    assert features["regions"].shape == (6, 100, 64)
    with torch.inference_mode():
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    assert chosen.preparation.mean == (0.5, 0.5, 0.5)
    np.testing.assert_allclose(features["pooled"], net(images).numpy(), atol=1e-5)
