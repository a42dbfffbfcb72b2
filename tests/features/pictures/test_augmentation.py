"""Augmented copies: what they show, whose they are, and that only training rows have them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

import features
from features.block import Block
from features.encoders.cnn import CNN
from features.pictures.augmentation import Augment, AugmentedPictures
from features.pictures.decoding import decode
from models.early.pooled import PooledFusion
from models.views import Views
from pipeline import flow
from pipeline.config.components import variants
from pipeline.store.folder import FolderStore
from pipeline.tasks import fit as fitting
from pipeline.tasks import refit as refits
from pipeline.tasks.context import context_of
from pipeline.tasks.encoding.requests import describe_encoder
from pipeline.tasks.refit import refit
from pipeline.tasks.views import outer_views
from tests.support.samples import png
from tests.support.tiny import (
    GRID,
    MeanColour,
    register,
    run_grid,
    without_report,
    write_grid,
    write_table,
)

PLAIN = Augment(copies=1, crop=1, flip=False, colour=0)


def coordinates(width: int = 60, height: int = 40) -> Image.Image:
    """A picture whose red says the column and whose green says the row."""
    rows, columns = np.mgrid[:height, :width]
    return Image.fromarray(
        np.stack([columns, rows, np.full_like(rows, 100)], axis=2).astype(np.uint8)
    )


def drawn(augment: Augment, picture: Image.Image, count: int = 200) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [np.asarray(augment.augmented(picture, rng)).astype(int) for _ in range(count)]


# --- one copy


def test_nothing_asked_for_changes_nothing() -> None:
    for seen in drawn(PLAIN, coordinates(), 5):
        np.testing.assert_array_equal(seen, np.asarray(coordinates()))


def test_crops_show_a_part_of_the_asked_size_in_many_places() -> None:
    shares, corners = [], set()
    for seen in drawn(PLAIN.model_copy(update={"crop": 0.25}), coordinates()):
        top, left = seen[0, 0, 1], seen[0, 0, 0]
        whole = np.asarray(coordinates())[top:top + seen.shape[0], left:left + seen.shape[1]]
        np.testing.assert_array_equal(seen, whole)
        shares.append(seen.shape[0] * seen.shape[1] / 2400)
        corners.add((top, left))
    assert 0.23 < min(shares) < 0.3
    assert 0.9 < max(shares) <= 1
    assert len(corners) > 100


def test_half_of_the_copies_are_mirrored_left_to_right() -> None:
    copies = drawn(PLAIN.model_copy(update={"flip": True}), coordinates())
    mirrored = [bool(seen[0, 0, 0]) for seen in copies]
    assert 70 < sum(mirrored) < 130
    for seen, turned in zip(copies, mirrored, strict=True):
        np.testing.assert_array_equal(seen[:, ::-1] if turned else seen, np.asarray(coordinates()))


def test_colours_change_within_the_asked_range() -> None:
    grey = Image.new("RGB", (8, 8), (100, 100, 100))
    means = [seen.mean() for seen in drawn(PLAIN.model_copy(update={"colour": 0.3}), grey)]
    assert 69 <= min(means) < 75
    assert 125 < max(means) <= 131


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3000, 2)])
def test_any_picture_has_copies(size: tuple[int, int]) -> None:
    assert all(seen.size for seen in drawn(Augment(crop=0.01), Image.new("RGB", size), 20))


def test_unknown_and_impossible_keys_are_mistakes() -> None:
    for wrong in ({"copy": 2}, {"copies": 0}, {"crop": 0}, {"colour": 1}):
        with pytest.raises(ValidationError):
            Augment(**wrong)


@pytest.mark.parametrize(("old", "new"), [("views", "copies"), ("test_views", "test_copies")])
def test_an_old_key_is_refused_and_the_new_one_named(old: str, new: str) -> None:
    given = {"augment": [None, {old: 1}]}
    _, problems = variants("cnn", CNN, given, ("part",), {})
    assert [problem.rule for problem in problems] == [f"augment: '{old}' is now '{new}'"]
    assert problems[0].path[:3] == ("part", "augment", 1)


# --- the copies of a sequence


def test_a_copy_depends_on_its_picture_and_the_seed_and_nothing_else() -> None:
    pictures = [png(seed) for seed in range(4)]
    alike = AugmentedPictures(pictures, Augment(copies=2), 5)
    assert len(alike) == 12
    assert alike[:4] == pictures
    turned = AugmentedPictures(pictures[::-1], Augment(copies=2), 5)
    alone = AugmentedPictures(pictures[1:2], Augment(copies=3), 5)
    assert [alike[4 + 1], alike[8 + 1]] == [turned[4 + 2], turned[8 + 2]] == [alone[1], alone[2]]
    assert len({alike[5], alike[9], AugmentedPictures(pictures, Augment(copies=2), 6)[5]}) == 3
    with pytest.raises(IndexError):
        alike[12]


def test_a_copy_is_a_picture_without_loss() -> None:
    encoded = png(0)
    copy = AugmentedPictures([encoded], PLAIN, 0)[1]
    assert copy != encoded
    np.testing.assert_array_equal(np.asarray(decode(copy)), np.asarray(decode(encoded)))


def test_cnn_gives_plain_features_first_and_those_of_the_copies_behind() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    pictures = [png(seed) for seed in range(2)]
    augment = Augment(copies=2, test_copies=True)
    plain = CNN(model="resnet18", weights="random")
    block = CNN(
        model="resnet18", weights="random", augment=augment, random_state=7
    ).transform(pictures)
    assert (len(block), block.augmented, block.averaged) == (2, 2, True)
    np.testing.assert_allclose(block.array(), plain.transform(pictures).array(), atol=1e-4)
    expected = plain.transform(list(AugmentedPictures(pictures, augment, 7)))
    np.testing.assert_allclose(block.with_copies().array(), expected.array(), atol=1e-4)
    torch.set_num_threads(threads)


# --- blocks and views of samples


def test_views_take_their_rows_of_each_copy_and_repeat_what_has_none() -> None:
    values = np.arange(12, dtype=np.float32).reshape(6, 2)  # 2 distinct pictures, 2 copies of each
    image = Block(values, np.array([1, -1, 0]), augmented=2)
    text = Block.of(np.array([[10], [20], [30]], dtype=np.float32))
    views = Views(image, text).take(np.array([0, 1]))
    assert len(views) == 2
    both = views.with_copies()
    assert both.image.index.tolist() == [1, -1, 3, -1, 5, -1]
    assert both.image.array()[:, 0].tolist() == [2, 0, 6, 0, 10, 0]
    assert both.text.array().ravel().tolist() == [10, 20] * 3
    assert both.groups.tolist() == [0, 1] * 3
    assert both.take(np.array([1, 5])).groups.tolist() == [1, 1]
    assert both.with_copies() is both
    assert replace(views, groups=np.array([7, 8])).with_copies().groups.tolist() == [7, 8] * 3
    assert views.for_prediction() is views
    averaged = Views(Block(values, np.array([1, 0]), augmented=2, averaged=True))
    assert len(averaged.for_prediction()) == 6


# --- the pipeline


class Augmented(MeanColour):
    """Mean colours of the pictures and of seeded copies of them."""

    augmented: ClassVar[int] = 2  # type: ignore[assignment]

    def __init__(
        self, test_copies: bool = False, output: str = "pooled", random_state: int = 0
    ) -> None:
        self.test_copies = test_copies
        self.output = output
        self.random_state = random_state
        self.power = 1.0

    @property
    def averaged(self) -> bool:
        return self.test_copies

    def transform(self, samples: Sequence[bytes]) -> Block:
        encoded = super().transform(
            AugmentedPictures(samples, Augment(copies=2, crop=0.3), self.random_state)
        )
        return Block(
            encoded.values, np.arange(len(samples)), encoded.mask, self.augmented, self.averaged
        )


WEIGHTS = "{concat: {weight: [0.25, 0.5, 0.75]}}"  # given, so that they are not widened
AUGMENTED = re.sub("fusion: .*", f"fusion: [image_only, text_only, {WEIGHTS}]", GRID).replace(
    "mean_colour", "augmented"
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    register(monkeypatch)
    without_report(monkeypatch)
    monkeypatch.setitem(features.IMAGE_ENCODERS, "augmented", Augmented)
    write_table(tmp_path)
    write_grid(tmp_path, AUGMENTED)
    return tmp_path


@pytest.fixture
def plans(monkeypatch):
    """(plan, dataset) of every run."""
    made, make = [], flow.make_plan
    monkeypatch.setattr(flow, "make_plan", lambda comparison: made.append(
        (make(comparison), comparison.dataset)) or made[-1][0])
    return made


@pytest.fixture
def taught(monkeypatch):
    """(unit, position of the split, training views, labels, scored views) of every fit."""
    seen, units = [], []
    monkeypatch.setattr(
        refits, "outer_views", lambda unit, *rest: units.append(unit) or outer_views(unit, *rest)
    )
    result, predict_many, fit = fitting._result, PooledFusion.predict_many, PooledFusion.fit

    def spied_many(self, fits, settings):
        seen.extend(
            (units[-1], number, split.train, split.y, split.test)
            for number, split in enumerate(fits, start=1)
        )
        return predict_many(self, fits, settings)

    monkeypatch.setattr(
        fitting, "_result", lambda unit, *rest: units.append(unit) or result(unit, *rest)
    )
    monkeypatch.setattr(PooledFusion, "predict_many", spied_many)
    monkeypatch.setattr(PooledFusion, "fit", lambda self, views, y: seen.append(
        (units[-1], 0, views, y, None)) or fit(self, views, y))
    return seen


def test_training_rows_bring_their_copies_and_scored_rows_are_in_none(folder, taught, plans):
    assert run_grid(folder) == 0
    _, dataset = plans[0]
    index = dataset.modalities["image"].index
    assert len(taught) == 3 * 3 * (
        1 + 2 + 1
    )  # outer and inner splits, and the second phase's refit of the outer one
    for unit, position, views, y, test in taught:
        train, scored = ((unit.fold.train, unit.fold.test), *unit.fold.inner)[position]
        times = 1 if unit.cell.fusion.name == "text_only" else 3
        np.testing.assert_array_equal(y, np.tile(dataset.labels[train], times))
        if views.text:
            np.testing.assert_array_equal(
                views.text.index, np.tile(dataset.modalities["text"].index[train], times)
            )
        if views.image:
            expected = np.concatenate([index[train] + copy * 36 for copy in range(3)])
            np.testing.assert_array_equal(views.image.index, expected)
            assert not set(views.image.index % 36) & set(index[scored]), (
                "a copy of a scored row was taught"
            )
            assert test is None or test.image.index.tolist() == index[scored].tolist()


def test_copies_of_training_rows_do_not_change_with_the_scored_rows(folder, taught):
    assert run_grid(folder) == 0
    before = {(unit.fold.fold, position): views.image.array().tobytes()
              for unit, position, views, *_ in taught if views.image}
    fold = next(unit.fold for unit, *_ in taught if unit.fold.fold == 1)
    taught.clear()
    for row in fold.test:
        (folder / f"{row}.png").write_bytes(png(1000 + row))
    assert run_grid(folder) == 0
    for unit, position, views, *_ in taught:
        if views.image:
            same = views.image.array().tobytes() == before[unit.fold.fold, position]
            assert same == (unit.fold.fold == 1)


@pytest.mark.parametrize("test_copies", [False, True])
def test_predictions_are_averaged_over_the_copies_where_asked(folder, plans, test_copies):
    write_grid(
        folder,
        AUGMENTED.replace(
            "[augmented]", f"[{{augmented: {{test_copies: {str(test_copies).lower()}}}}}]"
        ),
    )
    assert run_grid(folder) == 0
    plan, dataset = plans[0]
    store = FolderStore(folder / "store")
    for unit in (unit for unit in plan.units if unit.cell.fusion.name == "concat"):
        again = refit(unit, context_of(dataset, (), "log_loss"), store)
        scored = again.views.take(unit.fold.test)
        predicted = again.model.predict_proba(scored.with_copies())
        by_copy = predicted.reshape(3, len(unit.fold.test), -1)
        expected = by_copy.mean(axis=0) if test_copies else by_copy[0]
        stored = store.load(unit.ingredients).arrays["probabilities"]
        np.testing.assert_allclose(stored, expected, atol=1e-6)
        np.testing.assert_allclose(again.predict(scored), stored, atol=1e-6)
        assert not np.allclose(by_copy[0], by_copy.mean(axis=0), atol=1e-4)


def test_the_key_has_the_copies_and_their_seed_but_no_seed_where_nothing_is_drawn(monkeypatch):
    def key(**parameters: Any) -> Any:
        return describe_encoder(CNN(model="resnet18", weights="random", **parameters))

    assert key(random_state=1) == key(random_state=2)
    augment = Augment()
    assert key(augment=augment, random_state=1) != key(augment=augment, random_state=2)
    changes: tuple[dict[str, Any], ...] = (
        {"copies": 5},
        {"crop": 0.6},
        {"flip": False},
        {"colour": 0.1},
        {"test_copies": True},
    )
    keys = [key(augment=augment.model_copy(update=change)) for change in ({}, *changes)]
    assert all(first != second for first, second in combinations(keys, 2))


def test_a_grid_names_the_keys_of_augment(folder, capsys):
    encoder = (
        "{cnn: {model: resnet18, weights: random, augment: [null, {copies: 2, flip: false}]}}"
    )
    write_grid(folder, GRID.replace("mean_colour", encoder))
    assert run_grid(folder, "--plan") == 0
    printed = capsys.readouterr().out
    assert "cnn(resnet18, random, augment(copies=2, flip=False))" in printed
    assert "test_copies: false" in printed
    write_grid(folder, GRID.replace("[mean_colour]", "[{cnn: {augment: {copis: 2}}}]"))
    assert run_grid(folder, "--plan") == 2
    assert "unknown key 'copis'" in capsys.readouterr().err
