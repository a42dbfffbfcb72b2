"""Weights from files: what fits is loaded, the rest listed, what could run code refused."""

from __future__ import annotations

import io
import pickle
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import models

from features.encoders.cnn import CNN
from features.networks.checkpoint import read_checkpoint
from features.networks.inference.feature_extractor import feature_extractor


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    return models.squeezenet1_1().state_dict()


@pytest.fixture(scope="module")
def picture() -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, "PNG")
    return stream.getvalue()


def from_file(path: Path | str) -> CNN:
    return CNN(model="squeezenet1_1", weights=path, size=64, precision="float32")


def test_every_form_of_file_gives_the_same_features(tmp_path, weights, picture):
    save_file(weights, tmp_path / "plain.safetensors")
    torch.save(weights, tmp_path / "plain.pth")
    torch.save(
        {"epoch": 3, "state_dict": {f"module.{name}": value for name, value in weights.items()}},
        tmp_path / "wrapped.pth",
    )
    features = [from_file(path).transform([picture]).array() for path in sorted(tmp_path.iterdir())]
    assert len(features) == 3
    np.testing.assert_array_equal(features[0], features[1])
    np.testing.assert_array_equal(features[0], features[2])
    assert not np.array_equal(features[0], from_file("random").transform([picture]).array())


def test_the_identity_is_the_content_not_the_path(tmp_path, weights):
    torch.save(weights, tmp_path / "one.pth")
    shutil.copy(tmp_path / "one.pth", tmp_path / "two.pth")
    assert from_file(tmp_path / "one.pth").identity() == from_file(tmp_path / "two.pth").identity()
    torch.save({**weights, "features.0.bias": torch.ones(64)}, tmp_path / "two.pth")
    assert from_file(tmp_path / "one.pth").identity() != from_file(tmp_path / "two.pth").identity()


def test_all_that_does_not_fit_is_reported_at_once(tmp_path, weights, picture):
    spoilt = {name: value for name, value in weights.items() if name != "features.0.bias"}
    spoilt |= {"classifier.1.weight": torch.zeros(7, 512, 1, 1), "head.extra": torch.zeros(1)}
    torch.save(spoilt, tmp_path / "spoilt.pth")
    with pytest.raises(ValueError, match="do not fit squeezenet1_1") as caught:
        from_file(tmp_path / "spoilt.pth").transform([picture])
    message = str(caught.value)
    assert "1 missing (features.0.bias)" in message
    assert "1 unexpected (head.extra)" in message
    assert (
        "1 of another shape (classifier.1.weight (7, 512, 1, 1) instead of (1000, 512, 1, 1))"
        in message
    )


def test_long_lists_of_names_are_cut_and_counted(tmp_path, weights, picture):
    torch.save({"nothing": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(
        ValueError, match=rf"{len(weights)} missing .* and {len(weights) - 8} more\)"
    ):
        from_file(tmp_path / "other.pth").transform([picture])


class Runs:
    """An object whose unpickling would run code."""

    def __reduce__(self):
        return (Path.touch, (Path("unpickled"),))


def test_a_file_that_could_run_code_is_refused(tmp_path, picture, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {}, "more": Runs()}, tmp_path / "bad.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Runs()))
    for name in ("bad.pth", "plain.pth"):
        with pytest.raises(ValueError, match="no state dict that is safe to load"):
            from_file(tmp_path / name).transform([picture])
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize(("name", "content", "message"), [
    ("cut.pth", b"PK\x03\x04half", "no state dict"), ("empty.pth", b"", "no state dict"),
    ("cut.safetensors", b"\x10\x00\x00\x00\x00\x00\x00\x00{", "no whole safetensors file"),
])
def test_a_damaged_file_is_named(tmp_path, picture, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        from_file(tmp_path / name).transform([picture])


@pytest.mark.parametrize("is_zip", [False, True])
def test_a_damaged_file_of_any_version_of_torch_is_one_error_or_sound(tmp_path, is_zip):
    """Files of before torch 1.6 are pickles one behind the other, without checksums."""
    file, rng = io.BytesIO(), random.Random(0)
    tensors = {f"layer{number}": torch.full((4, 4), float(number)) for number in range(3)}
    torch.save(tensors, file, _use_new_zipfile_serialization=is_zip)
    content, path = file.getvalue(), tmp_path / "weights.pth"
    damaged = [content[:end] for end in range(0, len(content), len(content) // 40)]
    for _ in range(200):
        altered = bytearray(content)
        altered[rng.randrange(len(content))] = rng.randrange(256)
        damaged.append(bytes(altered))
    refusals: list[str] = []
    for altered in damaged:
        path.write_bytes(altered)
        try:
            assert all(isinstance(read, torch.Tensor) for read in read_checkpoint(path).values())
        except ValueError as error:
            refusals.append(str(error))
    assert len(refusals) > 40
    assert all(str(path) in refusal for refusal in refusals)


def test_what_holds_no_weights_is_named(tmp_path, picture):
    torch.save({"epoch": 3}, tmp_path / "log.pth")
    with pytest.raises(ValueError, match=r"hold no tensors by name; save model.state_dict\(\)"):
        from_file(tmp_path / "log.pth").transform([picture])
    with pytest.raises(FileNotFoundError, match="no such checkpoint file"):
        from_file(tmp_path / "none.pth").identity()


def test_timm_takes_a_checkpoint_too(tmp_path, picture):
    import timm

    torch.manual_seed(4)
    save_file(timm.create_model("test_resnet").state_dict(), tmp_path / "own.safetensors")
    path = tmp_path / "own.safetensors"
    trained = CNN(model="timm/test_resnet", weights=path, precision="float32")
    plain = CNN(model="timm/test_resnet", weights="random", precision="float32")
    assert trained.transform([picture]).array().shape == (1, 96)
    assert not np.array_equal(
        trained.transform([picture]).array(), plain.transform([picture]).array()
    )
    feature_extractor.cache_clear()


def test_a_grid_names_a_checkpoint_by_its_place_beside_the_grid(tmp_path, weights):
    from pipeline.config.parse import read_grid

    save_file(weights, tmp_path / "own.safetensors")
    (tmp_path / "grid.yaml").write_text(
        "data: {source: table, path: a.csv, image: p, label: k}\n"
        "image: [{cnn: {model: squeezenet1_1, weights: ./own.safetensors}}]\n"
        "fusion: [image_only]\n")
    (component,) = read_grid(tmp_path / "grid.yaml").image
    assert component.parameters["weights"] == tmp_path / "own.safetensors"
    assert component.label == "cnn(squeezenet1_1, own.safetensors)"


def test_checkpoints_that_make_torch_stumble_give_one_clear_error(tmp_path):
    """Protocols and stacks of legacy files, and archives, that torch's reader does not expect."""
    sound = tmp_path / "sound.pt"
    torch.save({"weight": torch.ones(2)}, sound)
    legacy = tmp_path / "legacy.pt"
    torch.save({"weight": torch.ones(2)}, legacy, _use_new_zipfile_serialization=False)
    contents = [
        b"\x80\x02.", b"\x80\x02u.", b"\x80\x02tR.", b"\x80\x02h\x05.", b"\x80\x02cos\nsystem\n.",
    ]
    for path in (sound, legacy):
        whole = path.read_bytes()
        contents += [whole[:size] for size in range(0, len(whole) // 2, 97)]
    for number, content in enumerate(contents):
        path = tmp_path / f"damaged{number}.pt"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"{path.name} are no state dict that is safe"):
            read_checkpoint(path)
