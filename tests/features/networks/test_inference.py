"""From files to features: precision, layers, poolings, preparation, folding; alike for every batch and thread."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import nn

from features.encoders.cnn import CNN
from features.machine import precision
from features.machine.precision import Chosen, chosen_precision
from features.machine.remembered import remembering
from features.networks import inference
from features.networks.folding import folded
from features.networks.fused_activations import ActivatedConvolution, fused
from features.networks.pretrained import LITE0_PACKAGE
from features.networks.tapped import network
from pipeline.store.remember import memory
from pipeline.store.store import Store

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    whole = Image.fromarray(load_sample_image("china.jpg"))
    parts = [
        whole.crop((left, top, left + 200, top + 160)) for left in (0, 200, 400) for top in (0, 200)
    ]
    streams = [io.BytesIO() for _ in parts]
    for part, stream in zip(parts, streams, strict=True):
        part.save(stream, "PNG")
    return [stream.getvalue() for stream in streams]


def small(**parameters: object) -> CNN:
    return CNN(
        model="timm/test_resnet",
        **{"weights": "random", "size": 64, "precision": "float32", **parameters},
    )


# --- precision
# --------------------------------------------------------------------------------------------


def test_bfloat16_features_point_where_those_of_float32_do(pictures: list[bytes]) -> None:
    pytest.importorskip(LITE0_PACKAGE, reason=f"needs the pip package {LITE0_PACKAGE}")
    whole, half = (
        CNN(precision=name).transform(pictures).array() for name in ("float32", "bfloat16")
    )
    assert half.dtype == np.float32
    assert not np.array_equal(whole, half)
    cosines = (
        (whole * half).sum(axis=1) / np.linalg.norm(whole, axis=1) / np.linalg.norm(half, axis=1)
    )
    assert cosines.mean() > 0.99


def test_the_precision_that_is_used_is_part_of_the_identity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(precision, "_gpu", lambda: None)
    used = {}
    for native in (True, False):
        monkeypatch.setattr(precision, "_processor_has_bfloat16", lambda native=native: native)
        used[native] = [CNN(weights="random", precision=name).identity()["precision"]
                        for name in ("auto", "float32", "bfloat16")]
    assert used == {True: ["bfloat16 on cpu", "float32", "bfloat16 on cpu"],
                    False: ["float32", "float32", "bfloat16 on cpu"]}


def test_a_gpu_decides_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for native, name in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(precision, "_gpu", lambda native=native: native)
        assert chosen_precision("auto") == Chosen(name, "cuda")
    assert chosen_precision("float32").identity() == "float32", "shared with a CPU"
    assert chosen_precision("bfloat16").identity() == "bfloat16 on cuda"


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A driver's folder with one GPU, as Linux shows it; nothing else says that there is one."""
    monkeypatch.setattr(precision, "DRIVER", tmp_path / "nvidia")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    folder = tmp_path / "nvidia" / "gpus" / "0000:00:1e.0"
    folder.mkdir(parents=True)
    (folder / "information").write_text("Model: A10\nGPU UUID: GPU-1\n")
    (tmp_path / "nvidia" / "version").write_text("NVRM version: 1\n")
    return tmp_path / "nvidia"


def test_a_gpu_is_asked_once_and_again_where_it_or_its_driver_is_another(
    driver: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(precision, "_asked_torch", lambda: asked.append(True) or True)

    def answered() -> Chosen:
        with remembering(memory(Store(tmp_path / "store"))):
            return chosen_precision("auto")

    assert answered() == answered() == Chosen("bfloat16", "cuda")
    assert len(asked) == 1
    (driver / "gpus" / "0000:00:1e.0" / "information").write_text("Model: T4\nGPU UUID: GPU-2\n")
    monkeypatch.setattr(precision, "_asked_torch", lambda: False)
    assert answered() == Chosen("float32", "cuda"), "another GPU in the same place"
    (driver / "version").write_text("NVRM version: 2\n")
    monkeypatch.setattr(precision, "_asked_torch", lambda: True)
    assert answered() == Chosen("bfloat16", "cuda")


def test_a_driver_that_does_not_work_now_is_asked_again(
    driver: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with remembering(memory(Store(tmp_path / "store"))):
        assert chosen_precision("float32") == Chosen("float32", "cpu")
        assert Store(tmp_path / "store").entries() == []
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
        assert chosen_precision("auto") == Chosen("bfloat16", "cuda")
    assert len(Store(tmp_path / "store").entries()) == 1


# --- batches and threads
# ----------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_neither_threads_nor_batches_change_the_features(
    pictures: list[bytes], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = small()
    net = network(encoder.chosen(), None, "model", chosen_precision("float32"))
    expected = [
        net(net.preparation.prepared(one)[None].copy(), ["pooled"])["pooled"][0] for one in pictures
    ]
    torch.set_num_threads(threads)
    for size in (1, 2, 5, 16):
        monkeypatch.setattr(net, "batch_size", size)
        pieces = list(inference.encoded(net, pictures * 2, ["pooled"]))
        assert [len(piece["pooled"]) for piece in pieces[:-1]] == [size] * (len(pieces) - 1)
        np.testing.assert_allclose(
            np.concatenate([piece["pooled"] for piece in pieces]), expected * 2, atol=1e-4
        )
    assert torch.get_num_threads() == threads, "the setting is put back"


def test_only_a_few_pictures_are_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    data, read = io.BytesIO(), []
    Image.new("RGB", (8, 8)).save(data, "PNG")

    class Lazy(list):
        def __getitem__(self, position: int) -> bytes:
            read.append(position)
            return data.getvalue()

    net = network(small(size=32).chosen(), None, "model", chosen_precision("float32"))
    monkeypatch.setattr(net, "batch_size", 4)
    for number, _ in enumerate(inference.encoded(net, Lazy([b""] * 60), ["pooled"])):
        assert len(read) <= 4 * (number + 2 + torch.get_num_threads())
    assert sorted(read) == list(range(60))


def test_batches_are_smaller_for_larger_pictures() -> None:
    sizes = {
        size: network(
            small(size=size).chosen(), None, "model", chosen_precision("float32")
        ).batch_size
        for size in (32, 64, 224)
    }
    assert sizes == {32: 256, 64: 98, 224: 8}


# --- places and poolings
# ----------------------------------------------------------------------------------


def test_poolings_are_their_formulas_over_the_regions(pictures: list[bytes]) -> None:
    regions = small(output="regions").transform(pictures).values.astype(np.float64)
    for pooling, expected in (("avg", regions.mean(axis=1)), ("max", regions.max(axis=1)),
                              ("gem", np.cbrt((regions.clip(1e-6) ** 3).mean(axis=1)))):
        pooled = small(pooling=pooling).transform(pictures).array()
        np.testing.assert_allclose(pooled, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", ["layer1", "layer2.0.bn1", "conv1.0", "global_pool"])
def test_any_named_layer_gives_what_it_computes(layer: str, pictures: list[bytes]) -> None:
    from features.networks.tapped import build

    encoder = small(layer=layer)
    net, kept = build(encoder.chosen()).eval(), []
    net.get_submodule(layer).register_forward_hook(
        lambda module, inputs, output: kept.append(output.clone())
    )
    pixels = np.stack([encoder.chosen().preparation.prepared(one) for one in pictures])
    mean, std = (
        np.array(encoder.chosen().preparation.mean),
        np.array(encoder.chosen().preparation.std),
    )
    with torch.inference_mode():
        net(torch.from_numpy(((pixels / 255 - mean) / std).transpose(0, 3, 1, 2)).float())
    expected = kept[0].numpy()
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

    from features.networks.tapped import Network

    net = timm.create_model("test_vit", num_classes=0)
    chosen = CNN(model="timm/test_vit", weights="random").chosen()
    tapped = Network(net, chosen)
    pixels = np.stack([chosen.preparation.prepared(one) for one in pictures])
    found = tapped(pixels, ["pooled", "regions"])
    assert found["regions"].shape == (6, 100, 64)
    with torch.inference_mode():
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    assert chosen.preparation.mean == (0.5, 0.5, 0.5)
    np.testing.assert_allclose(found["pooled"], net(images).numpy(), atol=1e-5)


# --- preparation
# ------------------------------------------------------------------------------------------


def test_the_preparation_is_the_models_own_unless_it_is_replaced() -> None:
    own = CNN(model="resnet50", weights="random").chosen().preparation
    assert (own.size, own.shorter_side, own.interpolation) == (224, 232, "bilinear")
    replaced = CNN(
        model="resnet50",
        weights="random",
        size=112,
        interpolation="bicubic",
        mean=(0, 0, 0),
        std=(1, 1, 1),
    )
    own = replaced.chosen().preparation
    assert (own.size, own.shorter_side, own.interpolation, own.mean, own.std) == (
        112, 116, "bicubic", (0, 0, 0), (1, 1, 1))
    assert CNN(model="resnet50", weights="random", crop=0.5).chosen().preparation.shorter_side == 448
    assert CNN(model="resnet50", weights="random", crop="none").chosen().preparation.shorter_side is None
    assert CNN(weights="random").chosen().preparation.shorter_side is None
    assert CNN(weights="random", crop=1.0).chosen().preparation.shorter_side == 224
    identities = [
        CNN(model="resnet50", weights="random", **changed).identity()
        for changed in (
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
    assert CNN(model="timm/test_vit", weights="random", size=80).transform(pictures).array().shape == (
        6,
        64,
    )


# --- folding
# ----------------------------------------------------------------------------------------------


class Branching(nn.Module):
    """A convolution whose output also goes around its normalisation: folding would change it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.norm.running_mean.fill_(0.5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found = self.conv(images)
        return self.norm(found) + found


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
    kept = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)).eval()
    assert norms(folded(kept, torch.randn(1, 3, 8, 8), kept=["0"])) == 1


# --- fused activations
# ------------------------------------------------------------------------------------


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


def test_an_activation_of_what_is_wanted_or_used_elsewhere_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = torch.randn(1, 3, 8, 8)
    first = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Identity())
    net = nn.Sequential(first, nn.ReLU(), nn.Conv2d(4, 4, 1), nn.ReLU()).eval()
    assert [activated(fused(net, images, kept)) for kept in ([], ["0"], ["0.1"], ["1"], ["2"])] == [
        2,
        1,
        1,
        2,
        1,
    ]
    branching = Branching().eval()
    branching.norm = nn.ReLU()
    assert fused(branching, images) is branching

    def unknown(*_: object) -> None:
        raise RuntimeError("no such kernel here")

    monkeypatch.setattr(ActivatedConvolution, "forward", unknown)
    assert fused(net, images) is net
