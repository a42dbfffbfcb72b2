"""Fine-tuning: what is trained and what stays, from which rows, and what the features are then."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from features.block import Block
from features.encoder import Targets
from features.encoders.cnn import CNN
from features.networks.building import build
from features.networks.finetuning import Finetune, Head
from features.networks.last_layers import _Inputs, taken_apart, tuned
from features.networks.pretrained import Pretrained
from features.training.held_out import split_for_stopping
from pipeline.tasks.encoding.requests import describe_encoder
from tests.support.samples import coloured, png
from tests.support.tiny import (
    GRID,
    read_rows,
    register,
    run_grid,
    without_report,
    write_grid,
    write_rows,
    write_table,
)

PICTURES = coloured(30)
TARGETS = Targets(np.arange(30) % 3)


pytestmark = pytest.mark.usefixtures("one_thread")


def cnn(unfreeze: str, **parameters: Any) -> CNN:
    finetune = Finetune(**{"epochs": 3, "learning_rate": 0.01, **parameters, "unfreeze": unfreeze})
    return CNN(model="resnet18", weights="random", size=32, precision="float32", finetune=finetune)


def chosen(model: str = "resnet18", size: int = 32) -> Pretrained:
    return CNN(model=model, weights="random", size=size).chosen()


# --- the head


def clouds(n: int = 90, width: int = 8, seed: int = 0) -> np.ndarray:
    """Rows around one centre per class of 0, 1, 2, in turn; far from unit size."""
    centres = np.random.default_rng(1).normal(size=(3, width))
    noise = np.random.default_rng(seed).normal(size=(n, width))
    return (100 * (centres[np.arange(n) % 3] + 0.4 * noise)).astype(np.float32)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_a_head_learns_features_in_which_classes_lie_apart(loss: str) -> None:
    how = Finetune(epochs=80, learning_rate=0.02, loss=loss)
    head = Head.learned(Block.of(clouds()), Targets(np.arange(90) % 3), how, 0)
    assert head.history.fitted[-1] < 0.5 * head.history.fitted[0]
    train, test = (head(Block.of(clouds(seed=seed))).array() for seed in (0, 5))
    assert train.shape == (90, 256)
    assert train.min() == 0
    centres = np.stack([train[np.arange(90) % 3 == label].mean(axis=0) for label in range(3)])
    nearest = np.linalg.norm(test[:, None] - centres, axis=2).argmin(axis=1)
    assert (nearest == np.arange(90) % 3).mean() > 0.9


def test_a_head_sees_each_position_of_a_sequence_and_keeps_masks_and_copies() -> None:
    head = Head.learned(Block.of(clouds()), Targets(np.arange(90) % 3), Finetune(epochs=1), 0)
    rows = clouds(12)
    regions = Block(
        rows.reshape(4, 3, 8),
        np.array([1, -1]),
        np.ones((4, 3), dtype=bool),
        augmented=1,
        averaged=True,
    )
    seen = head(regions)
    np.testing.assert_allclose(seen.values.reshape(12, 256), head(Block.of(rows)).values, rtol=1e-5)
    assert (seen.index.tolist(), seen.augmented, seen.averaged) == ([1, -1], 1, True)


def test_copies_of_a_sample_are_not_parted_when_rows_are_held_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from features.training import loop as training

    seen = []
    monkeypatch.setattr(
        training,
        "split_for_stopping",
        lambda codes, share, rng, groups: (
            seen.append((codes, groups)) or split_for_stopping(codes, share, rng, groups)
        ),
    )
    block = Block(clouds(90), np.arange(30), augmented=2)
    Head.learned(block, Targets(np.arange(30) % 3), Finetune(epochs=1), 0)
    ((labels, groups),) = seen
    assert labels.tolist() == (np.arange(30) % 3).tolist() * 3
    assert groups.tolist() == list(range(30)) * 3


# --- layers


@pytest.mark.parametrize("unfreeze", ["last_stage", "all"])
def test_tuning_changes_what_is_unfrozen_and_reduces_the_loss(unfreeze: str) -> None:
    how = Finetune(epochs=4, learning_rate=0.02, unfreeze=unfreeze)
    net, history = tuned(chosen(), PICTURES, TARGETS, how, 0, 0)
    assert min(history.fitted[1:]) < 0.8 * history.fitted[0]
    before, after = build(chosen()).state_dict(), net.state_dict()
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert not any("running" in name or name.startswith("fc.") for name in changed)
    assert "layer4.1.conv2.weight" in changed
    if unfreeze == "last_stage":
        assert {name.split(".")[0] for name in changed} == {"layer4"}
    else:
        assert {"conv1.weight", "layer1.0.conv1.weight"} <= changed


@pytest.mark.parametrize(("model", "size", "width"), [
    ("squeezenet1_1", 64, 512),
    ("vgg11_bn", 32, 4096),
    ("mobilenet_v3_small", 32, 1024),
    ("timm/resnet10t", 32, 512),
])
def test_any_network_is_taken_apart_before_its_classifier(
    model: str, size: int, width: int
) -> None:
    net = build(chosen(model, size)).eval()
    before = len(list(net.modules()))
    head_name, head, entering, layers = taken_apart(net, chosen(model, size))
    assert entering == width
    assert head_name
    assert isinstance(head, nn.Linear | nn.Conv2d)
    assert isinstance(net.get_submodule(head_name), nn.Identity)
    assert len(list(net.modules())) == before
    assert len(layers) > 8
    assert head not in layers


def test_each_epoch_takes_the_next_copy_and_held_out_rows_none() -> None:
    # 2 pictures, 2 augmented copies of each
    shades = [png(0, (shade, shade, shade)) for shade in (50, 60, 70, 80, 90, 100)]
    inputs = _Inputs(shades, chosen().preparation, 2, 2)

    def order(epoch: int | None) -> list[int]:
        ((images,), rows), = inputs(np.array([1, 0]), epoch)
        assert rows.tolist() == [1, 0]
        positions = [int(row) for row in images.mean(dim=(1, 2, 3)).argsort()]
        return [*positions, float(images.mean())]  # type: ignore

    assert order(None) == order(0) == order(3)
    assert order(0)[-1] < order(1)[-1] < order(2)[-1]


def test_a_diverging_training_is_an_error() -> None:
    with pytest.raises(FloatingPointError, match="diverged"):
        tuned(
            chosen(),
            PICTURES[:6],
            Targets(np.arange(6) % 3),
            Finetune(epochs=3, learning_rate=1e30, unfreeze="all"),
            0,
            0,
        )


# --- the encoder


@pytest.mark.parametrize("unfreeze", ["head", "last_stage"])
def test_the_encoder_gives_tuned_features_and_the_same_again(unfreeze: str) -> None:
    encoder = cnn(unfreeze).fit_supervised(PICTURES, TARGETS)
    rows = encoder.transform(PICTURES).array()
    assert rows.shape == (30, 256 if unfreeze == "head" else 512)
    untuned = CNN(model="resnet18", weights="random", size=32, precision="float32")
    frozen = untuned.transform(PICTURES).array()
    assert rows.shape != frozen.shape or not np.allclose(rows, frozen, atol=1e-3)
    again = cnn(unfreeze).fit_supervised(PICTURES, TARGETS)
    np.testing.assert_array_equal(again.transform(PICTURES).array(), rows)
    order = np.arange(30)[::-1]
    turned = encoder.transform([PICTURES[row] for row in order]).array()
    np.testing.assert_allclose(turned, rows[order], atol=1e-4 * max(1, np.abs(rows).max()))
    (both,) = (
        encoder.pieces(PICTURES[:2], ["pooled", "regions"]) if unfreeze == "last_stage" else [{}]
    )
    assert all(len(block) == 2 for block in both.values())


def test_the_key_has_how_it_is_tuned_and_what_cannot_be_is_said() -> None:
    keys = [
        str(describe_encoder(cnn(**how)))
        for how in (
            {"unfreeze": "head"},
            {"unfreeze": "all"},
            {"unfreeze": "head", "epochs": 4},
            {"unfreeze": "head", "learning_rate": 0.1},
            {"unfreeze": "head", "loss": "mse"},
        )
    ]
    assert len(set(keys)) == len(keys)
    assert cnn("all").learns
    assert cnn("all").supervised
    assert cnn("all").frozen_stage() is None
    with pytest.raises(ValueError, match="pca and finetune exclude each other"):
        cnn("head").set_params(pca=2).identity()


# --- the pipeline

ENCODER = ("[{cnn: {model: resnet18, weights: random, size: 32, precision: float32, "
           "finetune: {epochs: 2, unfreeze: head}}}]")
TUNED = (
    re.sub("fusion: .*", "fusion: [image_only]", GRID)
    .replace("text: [bow]\n", "")
    .replace("text: words, ", "")
    .replace("[mean_colour]", ENCODER)
    .replace("folds: 3", "official: true")
    .replace("id: sku", "id: sku, split: part")
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    register(monkeypatch)
    without_report(monkeypatch)
    write_table(tmp_path)
    write_grid(tmp_path, TUNED)
    write_rows(tmp_path, [[*row, "test" if number % 3 == 0 else "train"]
                          for number, row in enumerate(read_rows(tmp_path))], "part")
    return tmp_path


@pytest.fixture
def passes(monkeypatch):
    """How many pictures each pass through the network has encoded."""
    from features.networks.inference import encoding

    counts, encoded = [], encoding.encoded
    monkeypatch.setattr(
        encoding,
        "encoded",
        lambda net, pictures, outputs, exact: (
            counts.append(len(pictures)) or encoded(net, pictures, outputs, exact)
        ),
    )
    return counts


@pytest.fixture
def fits(monkeypatch):
    """(features, labels) of every head of a run."""
    seen, fit = [], CNN.fit_features
    monkeypatch.setattr(CNN, "fit_features", lambda self, features, targets: seen.append(
        (features.array().tobytes(), targets.labels.tolist())) or fit(self, features, targets))
    return seen


def training_sets(folder) -> list[np.ndarray]:
    """Rows of the outer training set and of the inner ones."""
    saved = np.load(folder / "out" / "folds.npz")
    outer, inner = saved["outer"][0], saved["inner"][0]
    return [
        np.flatnonzero(outer == 1),
        *(np.flatnonzero((outer == 1) & (inner != number)) for number in range(2)),
    ]


def relabel(folder, part: str) -> None:
    """Give the first row of the training or test part another class."""
    rows = read_rows(folder)
    first = next(row for row in rows if row[-1] == part)
    first[3] = {"cat": "dog", "dog": "car", "car": "dog"}[first[3]]
    write_rows(folder, rows, "part")


def test_heads_learn_from_training_rows_on_features_encoded_once(folder, passes, fits):
    assert run_grid(folder) == 0
    assert passes == [36]
    rows = read_rows(folder)
    codes = {name: code for code, name in enumerate(sorted({row[3] for row in rows}))}
    pictures = CNN(model="resnet18", weights="random", size=32, precision="float32").transform(
        [(folder / row[1]).read_bytes() for row in rows]).array()
    sets = training_sets(folder)
    assert sorted(labels for _, labels in fits) == sorted(
        [codes[rows[row][3]] for row in training_set] for training_set in sets
    )
    for training_set in sets:
        expected = pictures[training_set].ravel()
        same = [features for features, labels in fits if len(labels) == len(training_set)
                and np.allclose(np.frombuffer(features, dtype=np.float32), expected, atol=1e-3)]
        assert len(same) == 1, "a head learned from other rows than a training set's"
    passes.clear(), fits.clear()
    relabel(folder, "test")
    assert run_grid(folder) == 0
    assert (passes, fits) == ([], [])
    relabel(folder, "train")
    assert run_grid(folder) == 0
    assert passes == []
    assert any(len(labels) == 24 for _, labels in fits)
