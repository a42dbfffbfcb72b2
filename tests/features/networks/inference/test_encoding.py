"""From files to features: alike for every batch and number of threads."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from PIL import Image

from features.encoders.cnn import CNN
from features.machine.precision import Chosen, chosen_precision
from features.networks.building import build
from features.networks.inference.encoding import encoded
from features.networks.inference.feature_extractor import FeatureExtractor, feature_extractor
from tests.support.picture_networks import photographs, small

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return photographs()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_neither_threads_nor_batches_change_the_features(
    pictures: list[bytes], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = small()
    net = feature_extractor(encoder.chosen(), None, "model", chosen_precision("float32"))
    prepared = [net.preparation.prepared(picture)[None].copy() for picture in pictures]
    expected = [net(pixels, ["pooled"])["pooled"][0] for pixels in prepared]
    torch.set_num_threads(threads)
    for size in (1, 2, 5, 16):
        monkeypatch.setattr(net, "batch_size", size)
        pieces = list(encoded(net, pictures * 2, ["pooled"]))
        assert [len(piece["pooled"]) for piece in pieces[:-1]] == [size] * (len(pieces) - 1)
        np.testing.assert_allclose(
            np.concatenate([piece["pooled"] for piece in pieces]), expected * 2, atol=1e-4
        )
    assert torch.get_num_threads() == threads, "the setting is put back"


def test_only_a_few_pictures_are_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, read = io.BytesIO(), []
    Image.new("RGB", (8, 8)).save(stream, "PNG")

    class Lazy(list):
        def __getitem__(self, position: int) -> bytes:
            read.append(position)
            return stream.getvalue()

    net = feature_extractor(small(size=32).chosen(), None, "model", chosen_precision("float32"))
    monkeypatch.setattr(net, "batch_size", 4)
    for number, _ in enumerate(encoded(net, Lazy([b""] * 60), ["pooled"])):
        assert len(read) <= 4 * (number + 2 + torch.get_num_threads())
    assert sorted(read) == list(range(60))


def test_batches_are_smaller_for_larger_pictures() -> None:
    sizes = {
        size: feature_extractor(
            small(size=size).chosen(), None, "model", chosen_precision("float32")
        ).batch_size
        for size in (32, 64, 224)
    }
    assert sizes == {32: 256, 64: 98, 224: 8}


@pytest.fixture
def gpu_memory() -> Iterator[Callable[[float], None]]:
    """Limits the GPU's memory for this process to so many bytes beside what it holds."""

    def limit(extra: float) -> None:
        torch.cuda.empty_cache()
        total = torch.cuda.mem_get_info()[1]
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_allocated() + extra) / total)

    yield limit
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


def encoder_at(size: int = 224) -> CNN:
    return CNN(model="resnet18", weights="random", size=size, precision="float32")


@pytest.mark.gpu
def test_a_gpu_gives_the_features_of_a_cpu(pictures: list[bytes]) -> None:
    chosen = encoder_at().chosen()
    on_gpu, on_cpu = (
        FeatureExtractor(build(chosen), chosen, precision=Chosen("float32", device))
        for device in ("cuda", "cpu")
    )
    outputs = ["pooled", "regions"]
    (gpu,), (cpu,) = (list(encoded(net, pictures, outputs)) for net in (on_gpu, on_cpu))
    for output in outputs:
        scale = np.abs(cpu[output]).max()
        np.testing.assert_allclose(gpu[output] / scale, cpu[output] / scale, rtol=0, atol=1e-4)


@pytest.mark.gpu
def test_bfloat16_of_a_gpu_points_where_float32_does(pictures: list[bytes]) -> None:
    half, whole = (
        encoder_at().set_params(precision=name).transform(pictures).array()
        for name in ("bfloat16", "float32")
    )
    lengths = np.linalg.norm(half, axis=1) * np.linalg.norm(whole, axis=1)
    assert ((half * whole).sum(axis=1) / lengths).min() > 0.999


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_on_a_gpu_a_picture_has_the_same_bits_in_any_company(
    pictures: list[bytes], precision: str
) -> None:
    encoder = encoder_at(96).set_params(precision=precision)
    company = pictures * 60  # more than a batch
    expected = encoder.transform(pictures).array()
    together = encoder.transform(company).array()
    np.testing.assert_array_equal(together, np.tile(expected, (60, 1)))
    np.testing.assert_array_equal(encoder.transform(pictures[4:1:-1]).array(), expected[4:1:-1])


@pytest.mark.gpu
def test_where_a_gpus_memory_is_short_the_batch_is_halved(
    pictures: list[bytes], gpu_memory: Callable[[float], None]
) -> None:
    chosen = encoder_at().chosen()
    net = FeatureExtractor(build(chosen), chosen, precision=Chosen("float32", "cuda"))
    (expected,) = list(encoded(net, pictures, ["pooled"]))
    gpu_memory(6e8)
    pieces = list(encoded(net, pictures * 60, ["pooled"]))
    assert net.batch_size < 256
    together = np.concatenate([piece["pooled"] for piece in pieces])
    np.testing.assert_allclose(together, np.tile(expected["pooled"], (60, 1)), rtol=0, atol=1e-4)


@pytest.mark.gpu
def test_a_picture_alone_is_encoded_alone_where_it_need_not_be_exact(pictures: list[bytes]) -> None:
    chosen = encoder_at().chosen()
    net = FeatureExtractor(build(chosen), chosen, precision=Chosen("float32", "cuda"))
    sizes = []
    net.net.register_forward_pre_hook(lambda module, inputs: sizes.append(len(inputs[0])))
    for exact in (True, False):
        list(encoded(net, pictures[:1], ["pooled"], exact))
    assert sizes == [net.batch_size, 1]
