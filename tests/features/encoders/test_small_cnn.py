"""Networks trained in the fold: they learn and stop by its training rows only."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from features.encoder import Targets
from features.encoders.small_cnn import SmallCNN
from features.encoders.small_resnet import SmallResNet
from features.encoders.small_vgg import SmallVGG
from features.networks.small import Inputs, resnet, vgg
from features.training.batches import Batch, TrainingSamples
from features.training.held_out import split_for_stopping
from features.training.loop import train
from features.training.losses import logit_loss
from features.training.settings import Training
from tests.support.samples import COLOURS, coloured, png
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
LABELS = Targets(np.arange(30) % 3)


pytestmark = pytest.mark.usefixtures("one_thread")


def small(**parameters: Any) -> SmallResNet:
    return SmallResNet(**{"depth": 8, "width": 4, "epochs": 6, "learning_rate": 0.05, **parameters})


# --- architectures


def weights(network: nn.Module) -> int:
    """How many numbers it learns."""
    return sum(weight.numel() for weight in network.parameters())


def test_the_networks_have_the_sizes_of_the_papers() -> None:
    assert weights(resnet(20, 16, 10)) == pytest.approx(0.27e6, rel=0.02)
    assert weights(resnet(56, 16, 10)) == pytest.approx(0.85e6, rel=0.02)
    convolutions = [module for module in vgg(16, 64, 10).modules() if isinstance(module, nn.Conv2d)]
    widths = [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    assert [convolution.out_channels for convolution in convolutions] == widths
    images = torch.zeros(2, 3, 32, 32)
    assert resnet(20, 16, 10).body(images).shape == (2, 64, 8, 8)
    assert vgg(11, 64, 10).body(images).shape == (2, 512, 2, 2)


def test_training_pictures_are_shifted_and_mirrored_and_others_left_alone() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    inputs = Inputs(
        pixels, np.zeros(3, np.float32), np.ones(3, np.float32), True, batch_size=40, random_state=0
    )
    ((plain,), _), = inputs(np.arange(40), None)
    np.testing.assert_allclose(plain.permute(0, 2, 3, 1).numpy() * 255, pixels, atol=1e-4)
    ((changed,), _), = inputs(np.arange(40), 0)
    seen = set()
    for before, after in zip(plain.numpy(), changed.numpy(), strict=True):
        padded = np.pad(before, ((0, 0), (4, 4), (4, 4)))
        changes = [
            (top, left, turned)
            for top, left, turned in itertools.product(range(9), range(9), (False, True))
            if np.array_equal(
                after[:, :, ::-1] if turned else after, padded[:, top : top + 32, left : left + 32]
            )
        ]
        assert len(changes) == 1
        seen.add(changes[0])
    assert {turned for *_, turned in seen} == {False, True}
    assert len(seen) > 25
    ((again,), _), ((other,), _) = next(inputs(np.arange(40), 0)), next(inputs(np.arange(40), 1))
    assert torch.equal(again, changed)
    assert not torch.equal(other, changed)


# --- training


@pytest.mark.parametrize("encoder", [
    small(epochs=12), small(epochs=12, loss="mse", optimizer="adamw", learning_rate=0.01),
    SmallVGG(width=4, epochs=12, learning_rate=0.02)], ids=["resnet", "mse and adamw", "vgg"])
def test_it_learns_what_tells_pictures_apart(encoder: SmallCNN) -> None:
    encoder.fit_supervised(PICTURES, LABELS)
    assert encoder.history_.fitted[-1] < 0.6 * encoder.history_.fitted[0]
    others = [png(100 + row, COLOURS[row % 3]) for row in range(9)]
    rows = encoder.transform(PICTURES + others).array()
    centres = np.stack([rows[:30][LABELS.labels == label].mean(axis=0) for label in range(3)])
    nearest = np.linalg.norm(rows[30:, None] - centres, axis=2).argmin(axis=1)
    assert (nearest == np.arange(9) % 3).mean() > 0.8


def test_regions_average_to_the_pooled_features() -> None:
    encoder = small(epochs=1).fit_supervised(PICTURES, LABELS)
    pooled = encoder.transform(PICTURES[:2]).array()
    regions, mask = encoder.set_params(output="regions").transform(PICTURES[:2]).sequence()
    assert regions.shape == (2, 64, 16)
    assert mask.all()
    np.testing.assert_allclose(regions.mean(axis=1), pooled, atol=1e-5)


def test_the_seed_decides_the_result_whatever_torch_drew_before() -> None:
    first = small(epochs=2, random_state=3).fit_supervised(PICTURES, LABELS)
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    again = small(epochs=2, random_state=3).fit_supervised(PICTURES, LABELS)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert first.history_ == again.history_
    np.testing.assert_array_equal(
        first.transform(PICTURES).array(), again.transform(PICTURES).array()
    )
    other = small(epochs=2, random_state=4).fit_supervised(PICTURES, LABELS)
    assert not np.array_equal(first.transform(PICTURES).array(), other.transform(PICTURES).array())


def test_a_loss_that_is_no_number_is_an_error() -> None:
    message = r"diverged in epoch .* learning_rate 1e\+30 is too high"
    with pytest.raises(FloatingPointError, match=message):
        small(learning_rate=1e30, epochs=3).fit_supervised(PICTURES, LABELS)


# --- stopping


class _Constant(nn.Module):
    """Logits that depend on one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs * self.weight


def test_the_best_epoch_is_kept_and_training_stops_when_nothing_is_gained() -> None:
    asked: list[tuple[int | None, set[int]]] = []
    labels = np.tile([0, 1], 20)
    fitted, held_out = split_for_stopping(labels, 0.1, np.random.default_rng(0))

    def batches(rows: np.ndarray, epoch: int | None) -> Iterator[Batch]:
        asked.append((epoch, set(rows.tolist())))
        logits = np.eye(2, dtype=np.float32)[labels[rows]]
        # What is trained on asks for the opposite of what is held out, so each epoch makes that
        # worse.
        changed = torch.from_numpy(logits if epoch is None else 1 - logits)
        yield [changed], torch.from_numpy(rows)

    how = Training(50, 3, 0.5, 0.0, 0, 64, 0.1, "sgd", "one_cycle")
    samples = TrainingSamples(batches, labels)
    net, history = train(_Constant, samples, logit_loss("cross_entropy"), how)
    assert history.best_epoch == 1
    assert len(history.held_out) == 4
    assert history.held_out[0] == min(history.held_out)
    loss = nn.functional.cross_entropy(net(torch.eye(2)), torch.arange(2))
    assert float(loss.detach()) == pytest.approx(history.held_out[0], abs=1e-6)
    for epoch, rows in asked:
        assert rows == set((held_out if epoch is None else fitted).tolist())


# --- the pipeline


GRID_OF_ONE = (
    re.sub("fusion: .*", "fusion: [image_only]", GRID)
    .replace("text: [bow]\n", "")
    .replace("text: words, ", "")
    .replace("[mean_colour]", "[{small_resnet: {depth: 8, width: 4, epochs: 1}}]")
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    register(monkeypatch)
    without_report(monkeypatch)
    write_table(tmp_path)
    write_grid(
        tmp_path,
        GRID_OF_ONE.replace("folds: 3", "official: true").replace(
            "id: sku", "id: sku, split: part"
        ),
    )
    write_rows(tmp_path, [[*row, "test" if number % 3 == 0 else "train"]
                          for number, row in enumerate(read_rows(tmp_path))], "part")
    return tmp_path


@pytest.fixture
def fits(monkeypatch):
    """(pictures, labels) of every fit of a run."""
    seen = []
    fit = SmallCNN.fit_supervised
    monkeypatch.setattr(SmallCNN, "fit_supervised", lambda self, samples, targets: seen.append(
        (list(samples), targets.labels.tolist())) or fit(self, samples, targets))
    return seen


def relabel(folder, part: str) -> None:
    """Give one row of the training or test part another class."""
    rows = read_rows(folder)
    mine = [row for row in rows if row[-1] == part][2]
    mine[3] = {"cat": "dog", "dog": "car", "car": "dog"}[mine[3]]
    write_rows(folder, rows, "part")


def test_a_fit_sees_pictures_and_labels_of_its_training_rows_and_no_others(folder, fits):
    assert run_grid(folder) == 0
    rows = read_rows(folder)
    pictures = [(folder / row[1]).read_bytes() for row in rows]
    codes = {name: code for code, name in enumerate(sorted({row[3] for row in rows}))}
    saved = np.load(folder / "out" / "folds.npz")
    outer, inner = saved["outer"][0], saved["inner"][0]
    sets = [
        np.flatnonzero(outer == 1),
        *(np.flatnonzero((outer == 1) & (inner != number)) for number in range(2)),
    ]
    expected = [
        ([pictures[row] for row in training_set], [codes[rows[row][3]] for row in training_set])
        for training_set in sets
    ]
    assert sorted(fits) == sorted(expected)


def test_a_training_label_changes_the_key_and_a_test_label_does_not(folder, fits):
    assert run_grid(folder) == 0
    fits.clear()
    relabel(folder, "test")
    assert run_grid(folder) == 0
    assert fits == []
    relabel(folder, "train")
    assert run_grid(folder) == 0
    assert any(len(labels) == 24 for _, labels in fits)
