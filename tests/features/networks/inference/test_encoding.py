"""From files to features: alike for every batch and number of threads."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from features.machine.precision import chosen_precision
from features.networks.inference.encoding import encoded
from features.networks.inference.feature_extractor import feature_extractor
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
