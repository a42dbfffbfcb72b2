"""The features that cells ask for: each described once, and decided by what it learns from."""

from __future__ import annotations

import numpy as np
import pytest

from features import TEXT_ENCODERS
from pipeline.tasks.encoding.requests import (
    FeatureRequests,
    TrainingRows,
    describe_encoder,
    samples_digest,
)
from tests.support.comparisons import comparison_of
from tests.support.tiny import GRID, MeanColour, register, write_grid, write_table


class Seeded(MeanColour):
    """A frozen encoder that takes a seed, and draws nothing."""

    def __init__(self, random_state: int = 0) -> None:
        super().__init__()
        self.random_state = random_state


@pytest.fixture
def comparison(tmp_path, monkeypatch):
    register(monkeypatch)
    write_table(tmp_path)
    return comparison_of(write_grid(tmp_path, GRID))


@pytest.fixture
def requests(comparison):
    return FeatureRequests(comparison.dataset, comparison.context, comparison.seed)


def concat(comparison):
    return next(cell for cell in comparison.cells if cell.fusion.name == "concat")


def test_a_cell_gets_features_for_the_outer_rows_and_for_those_of_every_inner_fold(
    comparison, requests
):
    fold = comparison.folds[0]
    features = requests.of(concat(comparison), fold)
    assert set(features) == {"image", "text"}
    for modality, by_split in features.items():
        assert len(by_split) == 1 + len(fold.inner)
        learns = modality == "text"
        assert len({form.key for form in by_split}) == (len(by_split) if learns else 1)
        for form, (train, _, _) in zip(by_split, fold.splits(), strict=True):
            assert (form.split is not None) == learns
            if learns:
                np.testing.assert_array_equal(form.train, train)
                back = form.without_rows()
                assert back.train is None
                assert back.key == form.key
                np.testing.assert_array_equal(back.with_rows(comparison.context).train, train)


def test_what_several_cells_ask_for_is_one_object(comparison, requests):
    fold = comparison.folds[0]
    text_only = next(cell for cell in comparison.cells if cell.fusion.name == "text_only")
    of_concat = requests.of(concat(comparison), fold)["text"]
    of_text = requests.of(text_only, fold)["text"]
    assert all(first is second for first, second in zip(of_concat, of_text, strict=True))
    anew = FeatureRequests(comparison.dataset, comparison.context, comparison.seed)
    again = anew.of(text_only, fold)["text"]
    assert [form.key for form in again] == [form.key for form in of_text]


def test_equal_training_samples_have_an_equal_key_whatever_split_they_are_of(comparison, requests):
    component = concat(comparison).encoders()["text"][0]
    rows = comparison.folds[0].train
    references = [comparison.context.reference(fold, 0) for fold in comparison.folds[:2]]
    first, second = (
        requests.request("text", component, "pooled", TrainingRows(rows, split))
        for split in references
    )
    assert first is not second
    assert first.key == second.key
    fewer = TrainingRows(rows[1:], comparison.context.reference(comparison.folds[2], 0))
    assert requests.request("text", component, "pooled", fewer).key != first.key


def test_a_seed_is_part_of_the_description_only_where_something_is_drawn():
    word2vec = TEXT_ENCODERS["word2vec"]
    seeds = [describe_encoder(word2vec(random_state=seed)) for seed in (0, 1)]
    assert seeds[0] != seeds[1]
    frozen = [describe_encoder(Seeded(random_state=seed)) for seed in (0, 1)]
    assert frozen[0] == frozen[1]


def test_the_weights_of_an_encoder_are_part_of_its_description(monkeypatch):
    before = describe_encoder(MeanColour())
    monkeypatch.setattr(MeanColour, "weights", "others")
    assert describe_encoder(MeanColour()) != before
    parameters = describe_encoder(MeanColour(power=2.0))["parameters"]
    assert parameters == {"power": 2.0, "output": "pooled"}


def test_the_order_of_samples_is_part_of_their_digest():
    assert samples_digest(("a", "b")) == samples_digest(("a", "b"))
    assert samples_digest(("a", "b")) != samples_digest(("b", "a"))
