"""Means of earlier layers, beside what enters the classifier."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from features.encoders.cnn_pyramid import CNNPyramid
from features.machine.precision import chosen_precision
from features.networks.building import build
from features.networks.inference.feature_extractor import FeatureExtractor
from features.networks.inference.stage_extractor import StageExtractor
from features.networks.pretrained import pretrained
from tests.support.picture_networks import photographs

LAYERS = ("layer1", "layer3")
CONVOLUTIONS = ("conv1", "layer2.0.conv1")


@pytest.mark.parametrize("layers", [LAYERS, CONVOLUTIONS])
def test_means_are_those_of_the_layers_own_outputs(layers):
    chosen = pretrained("resnet18", "random")
    chosen = type(chosen)(
        chosen.model,
        chosen.weights,
        chosen.path,
        chosen.digest,
        chosen.preparation.replaced(64, None, None, None, None),
    )
    net, precision = build(chosen), chosen_precision("float32")
    pixels = np.stack([chosen.preparation.prepared(picture) for picture in photographs()])
    extractor = StageExtractor(net, chosen, layers, precision)
    features = extractor(pixels, ["pooled", *layers])
    plain = FeatureExtractor(build(chosen), chosen, precision=precision)(pixels, ["pooled"])
    assert features["pooled"] == pytest.approx(plain["pooled"], abs=1e-5)
    for layer in layers:
        named = FeatureExtractor(build(chosen), chosen, layer, precision=precision)
        expected = named(pixels, ["pooled"])["pooled"]
        assert features[layer] == pytest.approx(expected, abs=1e-4)


def test_a_pyramid_has_the_sizes_side_by_side_and_the_layers_of_the_first():
    pictures = photographs()
    pyramid = CNNPyramid(
        model="resnet18", weights="random", sizes=(64, 96), layers=LAYERS, precision="float32"
    )
    block = pyramid.transform(pictures)
    assert block.width == 512 + 64 + 256 + 512
    second = CNNPyramid(
        model="resnet18", weights="random", sizes=(96,), layers=(), precision="float32"
    )
    assert block.array()[:, -512:] == pytest.approx(second.transform(pictures).array(), abs=1e-5)
    assert pyramid.transform([]).width == block.width


def test_a_layer_that_is_not_there_is_told():
    pyramid = CNNPyramid(model="resnet18", weights="random", sizes=(64,), layers=("layer9",))
    with torch.no_grad(), pytest.raises(ValueError, match="nearest: layer"):
        pyramid.transform(photographs())
